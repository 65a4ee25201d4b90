-- Each index serves one question of the lists by itself, so that the rows, much wider, needn't be read:
-- the list as it opens, one user's, the latest used, and how many there are in a state.
DROP INDEX orest_authorization_list_idx;
DROP INDEX orest_authorization_create_date_idx;
CREATE INDEX orest_authorization_create_date_idx ON orest_authorization
    (create_date DESC, id DESC, active, user_id, application_id, device_id, revoked_at, expires_at);
DROP INDEX orest_authorization_user_id_idx;
CREATE INDEX orest_authorization_user_id_idx ON orest_authorization
    (user_id, create_date DESC, id DESC, active, revoked_at, expires_at);
CREATE INDEX orest_authorization_last_used_at_idx ON orest_authorization (last_used_at DESC, id, active);
-- The conditions of the field `state`.
CREATE INDEX orest_authorization_state_idx ON orest_authorization
    (revoked_at, COALESCE(expires_at, '9999-12-31 23:59:59'), active);
-- How many are in the waste bin: the others are the rest.
CREATE INDEX orest_authorization_archived_idx ON orest_authorization (active) WHERE active IS NOT TRUE;
DROP INDEX orest_authorization_application_id_idx;
CREATE INDEX orest_authorization_application_id_idx ON orest_authorization (application_id, id, active);

-- What a large list is like. Without it SQLite takes every index for one that finds ten rows, sorts a million of them and
-- takes a second for a page. The figures are of the kind that matters, not of any one database; ANALYZE writes others over them.
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('orest_authorization', 'orest_authorization_create_date_idx', '1000000 10 1 1 1 1 1 1 1'),
    ('orest_authorization', 'orest_authorization_user_id_idx', '1000000 1000 10 1 1 1 1'),
    ('orest_authorization', 'orest_authorization_last_used_at_idx', '1000000 10 1 1'),
    ('orest_authorization', 'orest_authorization_state_idx', '1000000 800000 50 50'),
    ('orest_authorization', 'orest_authorization_archived_idx', '10000 10000'),
    ('orest_authorization', 'orest_authorization_application_id_idx', '1000000 50000 1 1'),
    ('orest_authorization', 'orest_authorization_device_id_idx', '900000 100'),
    ('orest_authorization', 'orest_authorization_client_credentials_idx', '30000 3000 100'),
    ('orest_authorization', 'orest_authorization_revocation_id_idx', '200000 1000');
ANALYZE sqlite_schema;
