DELETE FROM orest_authorization WHERE grant_type = 'password';
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, '''client_credentials'', ''gateway'', ''password'')', '''client_credentials'', ''gateway'')')
WHERE type = 'table' AND name = 'orest_authorization';
PRAGMA writable_schema = RESET;
DROP INDEX orest_identity_application_id_idx;
ALTER TABLE orest_identity DROP COLUMN application_id;
DROP INDEX orest_application_client_app_id_key;
ALTER TABLE orest_application DROP COLUMN client_app_id;
