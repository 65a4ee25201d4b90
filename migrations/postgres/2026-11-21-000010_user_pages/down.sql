DROP INDEX res_users_login_date_idx;
DROP INDEX res_users_create_date_idx;
