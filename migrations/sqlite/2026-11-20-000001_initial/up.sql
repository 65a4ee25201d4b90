-- Times are UTC to the second, as text 'YYYY-MM-DD HH:MM:SS', which sorts and compares as it reads.
-- No column holds anything that could be used to sign in or to call: secrets are SHA-256 of random text, passwords argon2id.

CREATE TABLE res_users (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    login TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT,
    lang TEXT NOT NULL DEFAULT 'en_US',
    tz TEXT,
    active BOOLEAN NOT NULL DEFAULT 1,
    -- pending: registered but not yet confirmed, can't sign in; confirmed
    state TEXT NOT NULL DEFAULT 'confirmed' CHECK (state IN ('pending', 'confirmed')),
    -- argon2id in PHC format; NULL: no sign-in by password
    password TEXT,
    login_date TIMESTAMP,
    create_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    create_date TIMESTAMP NOT NULL,
    write_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    write_date TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX res_users_login_key ON res_users (login);

-- Membership. The groups themselves are fixed: see domain::user::Group.
CREATE TABLE res_groups_users_rel (
    uid INTEGER NOT NULL REFERENCES res_users (id) ON DELETE CASCADE,
    gid INTEGER NOT NULL,
    PRIMARY KEY (uid, gid)
) WITHOUT ROWID;

CREATE TABLE orest_identity (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id INTEGER NOT NULL REFERENCES res_users (id) ON DELETE CASCADE,
    -- 'local-userpass', 'api-key', 'anon-user', 'oauth2-google' …: the provider's type
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    create_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    create_date TIMESTAMP NOT NULL,
    write_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    write_date TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX orest_identity_provider_subject_key ON orest_identity (provider, subject);
CREATE INDEX orest_identity_user_id_idx ON orest_identity (user_id);

CREATE TABLE orest_device (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id INTEGER NOT NULL REFERENCES res_users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    platform TEXT,
    browser TEXT,
    device_type TEXT NOT NULL DEFAULT 'computer' CHECK (device_type IN ('computer', 'mobile')),
    ip_address TEXT,
    -- SHA-256 of the cookie that tells it again; NULL: an entry made by hand
    cookie_hash TEXT,
    first_activity TIMESTAMP NOT NULL,
    last_activity TIMESTAMP NOT NULL,
    -- set: its refresh tokens are refused until the user signs in anew from it
    revoked_at TIMESTAMP,
    create_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    create_date TIMESTAMP NOT NULL,
    write_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    write_date TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX orest_device_user_id_cookie_hash_key ON orest_device (user_id, cookie_hash);

CREATE TABLE orest_model_scheme (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    active BOOLEAN NOT NULL DEFAULT 1,
    model_limit TEXT NOT NULL DEFAULT 'none' CHECK (model_limit IN ('none', 'blacklist', 'whitelist')),
    create_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    create_date TIMESTAMP NOT NULL,
    write_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    write_date TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX orest_model_scheme_name_key ON orest_model_scheme (name);

CREATE TABLE orest_model_configuration (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    scheme_id INTEGER NOT NULL REFERENCES orest_model_scheme (id) ON DELETE CASCADE,
    -- technical name of a model of the Odoo that is protected, such as 'res.partner'
    model TEXT NOT NULL,
    field_limit TEXT NOT NULL DEFAULT 'none' CHECK (field_limit IN ('none', 'blacklist', 'whitelist')),
    -- technical names, comma separated
    field_names TEXT,
    create_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    create_date TIMESTAMP NOT NULL,
    write_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    write_date TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX orest_model_configuration_scheme_id_model_key ON orest_model_configuration (scheme_id, model);

CREATE TABLE orest_application (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    active BOOLEAN NOT NULL DEFAULT 1,
    image BLOB,
    client_id TEXT NOT NULL,
    -- SHA-256; NULL: a public client (RFC 6749 section 2.1)
    client_secret_hash TEXT,
    -- all scopes that it may ask for, space separated and sorted
    scope TEXT NOT NULL DEFAULT '',
    -- whom client_credentials tokens act for; NULL: the application itself
    user_id INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    model_scheme_id INTEGER REFERENCES orest_model_scheme (id) ON DELETE RESTRICT,
    authorization_code_expiry INTEGER NOT NULL DEFAULT 600 CHECK (authorization_code_expiry BETWEEN 1 AND 3600),
    authorization_code_retain INTEGER NOT NULL DEFAULT 0 CHECK (authorization_code_retain >= 0),
    access_token_expiry INTEGER NOT NULL DEFAULT 3600 CHECK (access_token_expiry > 0),
    -- 0: never
    refresh_token_expiry INTEGER NOT NULL DEFAULT 0 CHECK (refresh_token_expiry >= 0),
    create_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    create_date TIMESTAMP NOT NULL,
    write_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    write_date TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX orest_application_name_key ON orest_application (name);
CREATE UNIQUE INDEX orest_application_client_id_key ON orest_application (client_id);

CREATE TABLE orest_application_uri (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    application_id INTEGER NOT NULL REFERENCES orest_application (id) ON DELETE CASCADE,
    uri TEXT NOT NULL,
    description TEXT,
    active BOOLEAN NOT NULL DEFAULT 1,
    create_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    create_date TIMESTAMP NOT NULL,
    write_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    write_date TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX orest_application_uri_uri_key ON orest_application_uri (uri);
CREATE INDEX orest_application_uri_application_id_idx ON orest_application_uri (application_id);

-- The record that is shown and revoked. It holds no token: tokens name it.
CREATE TABLE orest_authorization (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    -- false: thrown in the waste bin; it stays for the log
    active BOOLEAN NOT NULL DEFAULT 1,
    application_id INTEGER NOT NULL REFERENCES orest_application (id) ON DELETE RESTRICT,
    -- NULL: the application acts in its own name, or the user has been deleted since (then it is revoked)
    user_id INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    device_id INTEGER REFERENCES orest_device (id) ON DELETE SET NULL,
    grant_type TEXT NOT NULL CHECK (grant_type IN ('authorization_code', 'client_credentials', 'gateway')),
    scope TEXT NOT NULL DEFAULT '',
    redirect_uri TEXT,
    -- goes up by one with each refresh; a refresh token of another generation is refused
    generation INTEGER NOT NULL DEFAULT 0,
    last_refreshed_at TIMESTAMP,
    last_used_at TIMESTAMP,
    -- when the last token ends; NULL: never
    expires_at TIMESTAMP,
    -- filled in behind the revocation's row, by service::revoke alone
    revoked_at TIMESTAMP,
    revocation_id INTEGER REFERENCES orest_revocation (id) ON DELETE RESTRICT,
    create_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    create_date TIMESTAMP NOT NULL,
    write_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    write_date TIMESTAMP NOT NULL,
    -- ids are members of 32-bit bitmaps
    CHECK (id BETWEEN 1 AND 4294967295)
);
CREATE INDEX orest_authorization_application_id_idx ON orest_authorization (application_id);
CREATE INDEX orest_authorization_client_credentials_idx ON orest_authorization (application_id, scope)
    WHERE grant_type = 'client_credentials' AND revocation_id IS NULL;
CREATE INDEX orest_authorization_user_id_idx ON orest_authorization (user_id);
CREATE INDEX orest_authorization_device_id_idx ON orest_authorization (device_id) WHERE device_id IS NOT NULL;
CREATE INDEX orest_authorization_create_date_idx ON orest_authorization (create_date DESC, id DESC);
CREATE INDEX orest_authorization_revocation_id_idx ON orest_authorization (revocation_id) WHERE revocation_id IS NOT NULL;

CREATE TABLE orest_authorization_code (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    active BOOLEAN NOT NULL DEFAULT 1,
    authorization_id INTEGER NOT NULL REFERENCES orest_authorization (id) ON DELETE CASCADE,
    code_hash TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    -- whether the request named it; then the exchange must too (RFC 6749 section 4.1.3)
    redirect_uri_sent BOOLEAN NOT NULL DEFAULT 1,
    -- RFC 7636, S256
    code_challenge TEXT,
    expires_at TIMESTAMP NOT NULL,
    used_at TIMESTAMP,
    -- when the row itself goes
    purge_at TIMESTAMP NOT NULL,
    create_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    create_date TIMESTAMP NOT NULL,
    write_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    write_date TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX orest_authorization_code_code_hash_key ON orest_authorization_code (code_hash);
CREATE INDEX orest_authorization_code_authorization_id_idx ON orest_authorization_code (authorization_id);
CREATE INDEX orest_authorization_code_purge_at_idx ON orest_authorization_code (purge_at);

-- One act, one row, never updated. Committing it is the revocation (docs/adr/0005).
CREATE TABLE orest_revocation (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    -- the order in which acts were committed
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('revoke', 'undo')),
    -- the act that this one takes back
    undoes_id INTEGER REFERENCES orest_revocation (id),
    create_date TIMESTAMP NOT NULL,
    -- who; no foreign key: the log outlives the user
    user_id INTEGER,
    user_login TEXT NOT NULL,
    ip_address TEXT,
    channel TEXT NOT NULL,
    -- OpenID CAEP 1.0 session-revoked
    initiating_entity TEXT NOT NULL CHECK (initiating_entity IN ('admin', 'user', 'policy', 'system')),
    reason_admin TEXT,
    reason_user TEXT,
    -- what the act was aimed at, for people: 'ids', 'domain [...]', 'user 5'
    selection TEXT NOT NULL,
    requested INTEGER NOT NULL,
    revoked INTEGER NOT NULL,
    already_revoked INTEGER NOT NULL,
    -- whether the records went into the waste bin too
    hides BOOLEAN NOT NULL DEFAULT 0,
    -- Roaring bitmaps, portable format: what this act revoked (or, for undo, made live again); what it was aimed at but found revoked
    authorization_ids BLOB NOT NULL,
    already_ids BLOB
);
CREATE UNIQUE INDEX orest_revocation_sequence_key ON orest_revocation (sequence);
CREATE INDEX orest_revocation_create_date_idx ON orest_revocation (create_date);
CREATE UNIQUE INDEX orest_revocation_undoes_id_key ON orest_revocation (undoes_id);

-- How far the columns of orest_authorization have been filled in: all acts up to this sequence are.
CREATE TABLE orest_feed (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    sequence INTEGER NOT NULL,
    filled_sequence INTEGER NOT NULL
);
INSERT INTO orest_feed (id, sequence, filled_sequence) VALUES (1, 0, 0);

CREATE TABLE res_users_apikeys (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id INTEGER NOT NULL REFERENCES res_users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- NULL: every scope
    scope TEXT,
    -- SHA-256 of the key
    key_hash TEXT NOT NULL,
    expiration_date TIMESTAMP,
    create_date TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX res_users_apikeys_key_hash_key ON res_users_apikeys (key_hash);
CREATE INDEX res_users_apikeys_user_id_idx ON res_users_apikeys (user_id);

-- Signed-in browsers and session RPC clients.
CREATE TABLE web_session (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    sid_hash TEXT NOT NULL,
    user_id INTEGER NOT NULL REFERENCES res_users (id) ON DELETE CASCADE,
    device_id INTEGER REFERENCES orest_device (id) ON DELETE SET NULL,
    create_date TIMESTAMP NOT NULL,
    last_activity TIMESTAMP NOT NULL,
    -- when the user last proved who he is (@check_identity)
    identity_checked_at TIMESTAMP
);
CREATE UNIQUE INDEX web_session_sid_hash_key ON web_session (sid_hash);
CREATE INDEX web_session_user_id_idx ON web_session (user_id);

CREATE TABLE ir_act_server (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name TEXT NOT NULL,
    -- ir.model ids, fixed by orm::registry
    model_id INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'code',
    code TEXT,
    sequence INTEGER NOT NULL DEFAULT 5,
    binding_model_id INTEGER,
    binding_type TEXT NOT NULL DEFAULT 'action',
    binding_view_types TEXT NOT NULL DEFAULT 'list,form',
    -- external id of the ones that are shipped
    xml_id TEXT,
    create_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    create_date TIMESTAMP NOT NULL,
    write_uid INTEGER REFERENCES res_users (id) ON DELETE SET NULL,
    write_date TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX ir_act_server_xml_id_key ON ir_act_server (xml_id);

CREATE TABLE ir_act_server_group_rel (
    act_id INTEGER NOT NULL REFERENCES ir_act_server (id) ON DELETE CASCADE,
    gid INTEGER NOT NULL,
    PRIMARY KEY (act_id, gid)
) WITHOUT ROWID;
