-- What /ready calls the process.
ALTER TABLE orest_node ADD COLUMN instance TEXT NOT NULL DEFAULT '';
-- The numbers of the sealing keys that it has and that are in force, separated by commas.
ALTER TABLE orest_node ADD COLUMN sealing_keys TEXT NOT NULL DEFAULT '';
