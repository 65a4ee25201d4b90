DROP TABLE orest_transfer;
DROP TABLE orest_sealing_key;
DROP TABLE orest_password_failure;
DROP TABLE orest_form;
