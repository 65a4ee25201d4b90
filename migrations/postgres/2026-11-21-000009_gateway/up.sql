-- A name of the service that goes along when its data move to another database: a UUID of version 8 (RFC 9562) that ends in
-- twelve zeros. With a user's number in their place it is that user's.
ALTER TABLE orest_feed ADD COLUMN service_uuid TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE orest_feed SET service_uuid =
    substr(random.digits, 1, 8) || '-' || substr(random.digits, 9, 4) || '-8' || substr(random.digits, 14, 3)
    || '-8' || substr(random.digits, 18, 3) || '-000000000000'
    FROM (SELECT replace(gen_random_uuid()::text, '-', '') AS digits) AS random;
-- Who has an e-mail address, or a login, however it is capitalised.
CREATE INDEX res_users_lower_email_idx ON res_users (lower(email)) WHERE email IS NOT NULL;
CREATE INDEX res_users_lower_login_idx ON res_users (lower(login));
