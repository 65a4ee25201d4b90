DROP TABLE orest_sign_in_ticket;
ALTER TABLE res_users DROP COLUMN synced_as_of;
ALTER TABLE res_users DROP COLUMN odoo_create_date;
ALTER TABLE res_users DROP COLUMN password_version;
DROP TABLE orest_pairing;
