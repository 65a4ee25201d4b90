-- What one node knows and another must know too.

-- Half-filled forms, such as that of a new API key: they are gone after an hour. No password is among the values.
CREATE TABLE orest_form (
    -- random
    id INTEGER PRIMARY KEY NOT NULL,
    model TEXT NOT NULL,
    user_id INTEGER NOT NULL REFERENCES res_users (id) ON DELETE CASCADE,
    -- a JSON object
    form_values TEXT NOT NULL,
    -- what is done, in this session, once the user has proved who he is: a method, and ids as a JSON list
    session_id INTEGER REFERENCES web_session (id) ON DELETE CASCADE,
    pending_method TEXT,
    pending_ids TEXT,
    -- SHA-256 of the stored password hash that the password which was written into it is right for
    password_proof TEXT,
    create_date TIMESTAMP NOT NULL
);
CREATE INDEX orest_form_user_id_idx ON orest_form (user_id);
CREATE INDEX orest_form_session_id_idx ON orest_form (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX orest_form_create_date_idx ON orest_form (create_date);

-- Wrong passwords, counted for all nodes together.
CREATE TABLE orest_password_failure (
    -- of whom and from where: a keyed hash
    key_hash TEXT PRIMARY KEY NOT NULL,
    failures INTEGER NOT NULL,
    failed_at TIMESTAMP NOT NULL
) WITHOUT ROWID;
CREATE INDEX orest_password_failure_failed_at_idx ON orest_password_failure (failed_at);

-- Which sealing keys open and seal the tokens of this database. The keys themselves are in each node's file.
CREATE TABLE orest_sealing_key (
    -- the key's number
    id INTEGER PRIMARY KEY NOT NULL CHECK (id BETWEEN 0 AND 65535),
    -- an HMAC of a fixed text under the key: tells whether a node holds the same one, and nothing else
    check_value TEXT NOT NULL,
    -- whether it may seal; of those that may, the one of the highest number does
    seals BOOLEAN NOT NULL DEFAULT 0,
    create_date TIMESTAMP NOT NULL,
    -- set: what it sealed opens no more, anywhere
    retired_at TIMESTAMP
);

-- A transfer into this database that has begun and has not ended: then nothing may be served from it.
CREATE TABLE orest_transfer (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    -- the database that it comes from, without a password
    source TEXT NOT NULL,
    create_date TIMESTAMP NOT NULL
);
