ALTER TABLE orest_node DROP COLUMN sealing_keys;
ALTER TABLE orest_node DROP COLUMN instance;
