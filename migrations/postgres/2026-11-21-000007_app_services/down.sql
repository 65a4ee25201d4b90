DELETE FROM orest_authorization WHERE grant_type = 'password';
ALTER TABLE orest_authorization DROP CONSTRAINT orest_authorization_grant_type_check;
ALTER TABLE orest_authorization ADD CONSTRAINT orest_authorization_grant_type_check
    CHECK (grant_type IN ('authorization_code', 'client_credentials', 'gateway'));
DROP INDEX orest_identity_application_id_idx;
ALTER TABLE orest_identity DROP COLUMN application_id;
DROP INDEX orest_application_client_app_id_key;
ALTER TABLE orest_application DROP COLUMN client_app_id;
