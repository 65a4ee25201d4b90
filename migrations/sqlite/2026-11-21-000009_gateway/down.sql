DROP INDEX res_users_lower_login_idx;
DROP INDEX res_users_lower_email_idx;
ALTER TABLE orest_feed DROP COLUMN service_uuid;
