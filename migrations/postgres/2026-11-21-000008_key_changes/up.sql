-- Which sealing keys are in force is in every node's memory too: what changes it, all of them hear of.
ALTER TABLE orest_change DROP CONSTRAINT orest_change_kind_check;
ALTER TABLE orest_change ADD CONSTRAINT orest_change_kind_check CHECK (kind IN ('revocation', 'user', 'users', 'applications', 'device', 'pairing', 'keys'));
