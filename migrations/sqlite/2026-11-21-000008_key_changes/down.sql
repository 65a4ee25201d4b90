DROP TABLE orest_change;
CREATE TABLE orest_change (
    sequence INTEGER PRIMARY KEY NOT NULL,
    -- revocation: the row of orest_revocation with this sequence
    kind TEXT NOT NULL CHECK (kind IN ('revocation', 'user', 'users', 'applications', 'device', 'pairing')),
    -- which user or device
    subject INTEGER,
    tag TEXT NOT NULL,
    -- of the change before it
    previous_tag TEXT NOT NULL,
    create_date TIMESTAMP NOT NULL
);
CREATE INDEX orest_change_create_date_index ON orest_change (create_date);
