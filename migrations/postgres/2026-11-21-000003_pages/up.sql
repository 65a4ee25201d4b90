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
-- The conditions of the field `state`. PostgreSQL counts by an index alone only if the column itself is in it too.
CREATE INDEX orest_authorization_state_idx ON orest_authorization
    (revoked_at, COALESCE(expires_at, '9999-12-31 23:59:59'), active) INCLUDE (expires_at);
-- How many are in the waste bin: the others are the rest.
CREATE INDEX orest_authorization_archived_idx ON orest_authorization (active) WHERE active IS NOT TRUE;
DROP INDEX orest_authorization_application_id_idx;
CREATE INDEX orest_authorization_application_id_idx ON orest_authorization (application_id, id, active);

-- How few months a million moments are in, and the like. Without it PostgreSQL expects a group for each and sorts them all.
CREATE STATISTICS orest_authorization_day_stat ON (date_trunc('day', create_date)) FROM orest_authorization;
CREATE STATISTICS orest_authorization_week_stat ON (date_trunc('week', INTERVAL '1 day' + create_date) - INTERVAL '1 day')
    FROM orest_authorization;
CREATE STATISTICS orest_authorization_month_stat ON (date_trunc('month', create_date)) FROM orest_authorization;
CREATE STATISTICS orest_authorization_quarter_stat ON (date_trunc('quarter', create_date)) FROM orest_authorization;
CREATE STATISTICS orest_authorization_year_stat ON (date_trunc('year', create_date)) FROM orest_authorization;
