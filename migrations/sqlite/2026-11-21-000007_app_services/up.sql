-- What the App Services Admin API needs (docs/app-services.md).

-- How an application is named there, such as 'mail-reader-kvxqa': made once, and the same under another name. NULL: not made yet.
ALTER TABLE orest_application ADD COLUMN client_app_id TEXT;
CREATE UNIQUE INDEX orest_application_client_app_id_key ON orest_application (client_app_id);

-- Another grant: 'password', an administrator who signed in at the Admin API. SQLite can't change a CHECK; copying the table would take minutes
-- where it is large, and undo every reference to it. So the text of the schema is changed, as SQLite's documentation of ALTER TABLE
-- describes for constraints that no row can break. What follows it lets other connections read the schema anew.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, '''client_credentials'', ''gateway'')', '''client_credentials'', ''gateway'', ''password'')')
WHERE type = 'table' AND name = 'orest_authorization';
PRAGMA writable_schema = RESET;

-- For which application the user was registered; NULL: for none in particular.
ALTER TABLE orest_identity ADD COLUMN application_id INTEGER REFERENCES orest_application (id) ON DELETE CASCADE;
CREATE INDEX orest_identity_application_id_idx ON orest_identity (application_id) WHERE application_id IS NOT NULL;
