-- The one Odoo that this service is paired with (docs/adr/0010).
CREATE TABLE orest_pairing (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    -- where browsers are sent; set by the operator alone
    odoo_url TEXT NOT NULL,
    -- SHA-256 of the credential; it stands here and not among the API keys, so that no other door ever finds it
    credential_hash TEXT NOT NULL,
    -- which Odoo database; NULL until its first check
    database_uuid TEXT,
    -- whose users these were before the credential was replaced
    previous_database_uuid TEXT,
    last_seen_at TIMESTAMP,
    module_version TEXT,
    last_sync_at TIMESTAMP,
    create_date TIMESTAMP NOT NULL
);

-- Odoo's count of a user's passwords; NULL: he has not come from Odoo yet.
ALTER TABLE res_users ADD COLUMN password_version INTEGER;
-- When Odoo made his record: another moment under the same number is another person.
ALTER TABLE res_users ADD COLUMN odoo_create_date TIMESTAMP;
-- As of when he is what he is here: microseconds since 1970 by the clock of Odoo's database.
ALTER TABLE res_users ADD COLUMN synced_as_of INTEGER;

-- What Odoo has answered for a person, on its way back through his browser: good once, for a minute.
CREATE TABLE orest_sign_in_ticket (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    ticket_hash TEXT NOT NULL,
    user_id INTEGER NOT NULL REFERENCES res_users (id) ON DELETE CASCADE,
    -- whom he lets in; NULL: he signs in
    application_id INTEGER REFERENCES orest_application (id) ON DELETE CASCADE,
    purpose TEXT NOT NULL CHECK (purpose IN ('consent', 'sign_in')),
    -- the request as it came to the authorization endpoint, or where to go after signing in
    query TEXT NOT NULL,
    -- SHA-256 of the cookie of the browser that began
    browser_hash TEXT NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX orest_sign_in_ticket_ticket_hash_key ON orest_sign_in_ticket (ticket_hash);
CREATE INDEX orest_sign_in_ticket_user_id_idx ON orest_sign_in_ticket (user_id);
CREATE INDEX orest_sign_in_ticket_application_id_idx ON orest_sign_in_ticket (application_id);
CREATE INDEX orest_sign_in_ticket_expires_at_idx ON orest_sign_in_ticket (expires_at);
