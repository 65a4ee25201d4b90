-- The pages of an application's users by when they were made, or signed in last (who never has, before all others): each
-- begins where the one before has ended, without sorting all users anew.
CREATE INDEX res_users_create_date_idx ON res_users (create_date, id);
CREATE INDEX res_users_login_date_idx ON res_users (COALESCE(login_date, '1970-01-01 00:00:00'), id);
