-- What the App Services Admin API needs (docs/app-services.md).

-- How an application is named there, such as 'mail-reader-kvxqa': made once, and the same under another name. NULL: not made yet.
ALTER TABLE orest_application ADD COLUMN client_app_id TEXT COLLATE "C";
CREATE UNIQUE INDEX orest_application_client_app_id_key ON orest_application (client_app_id);

-- Another grant: 'password', an administrator who signed in at the Admin API. No row can break it: it need not be looked for.
ALTER TABLE orest_authorization DROP CONSTRAINT orest_authorization_grant_type_check;
ALTER TABLE orest_authorization ADD CONSTRAINT orest_authorization_grant_type_check
    CHECK (grant_type IN ('authorization_code', 'client_credentials', 'gateway', 'password')) NOT VALID;

-- For which application the user was registered; NULL: for none in particular.
ALTER TABLE orest_identity ADD COLUMN application_id BIGINT REFERENCES orest_application (id) ON DELETE CASCADE;
CREATE INDEX orest_identity_application_id_idx ON orest_identity (application_id) WHERE application_id IS NOT NULL;
