DROP TABLE orest_node;
DROP TABLE orest_change;
ALTER TABLE orest_feed DROP COLUMN tag;
