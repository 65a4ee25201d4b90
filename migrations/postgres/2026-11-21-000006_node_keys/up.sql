-- What /ready calls the process.
ALTER TABLE orest_node ADD COLUMN instance TEXT COLLATE "C" NOT NULL DEFAULT '';
-- The numbers of the sealing keys that it has and that are in force, separated by commas.
ALTER TABLE orest_node ADD COLUMN sealing_keys TEXT COLLATE "C" NOT NULL DEFAULT '';
