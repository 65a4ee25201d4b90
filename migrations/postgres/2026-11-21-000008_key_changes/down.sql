-- Nodes that have not applied these load everything anew.
DELETE FROM orest_change WHERE kind = 'keys';
ALTER TABLE orest_change DROP CONSTRAINT orest_change_kind_check;
ALTER TABLE orest_change ADD CONSTRAINT orest_change_kind_check CHECK (kind IN ('revocation', 'user', 'users', 'applications', 'device', 'pairing'));
