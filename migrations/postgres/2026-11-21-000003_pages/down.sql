DROP STATISTICS orest_authorization_year_stat;
DROP STATISTICS orest_authorization_quarter_stat;
DROP STATISTICS orest_authorization_month_stat;
DROP STATISTICS orest_authorization_week_stat;
DROP STATISTICS orest_authorization_day_stat;
DROP INDEX orest_authorization_application_id_idx;
CREATE INDEX orest_authorization_application_id_idx ON orest_authorization (application_id);
DROP INDEX orest_authorization_archived_idx;
DROP INDEX orest_authorization_state_idx;
DROP INDEX orest_authorization_last_used_at_idx;
DROP INDEX orest_authorization_user_id_idx;
CREATE INDEX orest_authorization_user_id_idx ON orest_authorization (user_id);
DROP INDEX orest_authorization_create_date_idx;
CREATE INDEX orest_authorization_create_date_idx ON orest_authorization (create_date DESC, id DESC);
CREATE INDEX orest_authorization_list_idx ON orest_authorization
    (active, create_date DESC, id DESC, user_id, application_id, device_id, revoked_at, expires_at);
