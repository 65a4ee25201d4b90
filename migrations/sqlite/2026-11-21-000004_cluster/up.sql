-- The twin of what several nodes on one PostgreSQL need (docs/adr/0007). On SQLite there is one node, and nothing is written here.

-- The tag of the last change: a feed of the same length with another tag is another history, such as after a failover that
-- lost commits.
ALTER TABLE orest_feed ADD COLUMN tag TEXT NOT NULL DEFAULT '';

-- What has been changed of that which nodes keep in memory: each takes the next sequence of orest_feed. Kept for a day.
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

-- The processes that serve, or have served a moment ago.
CREATE TABLE orest_node (
    -- random, another one after each start
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    -- where it listens
    address TEXT NOT NULL,
    version TEXT NOT NULL,
    -- for people: no decision is made by these two
    started_at TIMESTAMP NOT NULL,
    renewed_at TIMESTAMP NOT NULL,
    -- goes up with each renewal of its lease
    renewals INTEGER NOT NULL,
    lease_ms INTEGER NOT NULL CHECK (lease_ms BETWEEN 500 AND 60000),
    -- up to which change it has applied them to its memory, as of its last renewal; the tag, since after a failover that lost
    -- commits the same number is another change
    applied_tag TEXT NOT NULL,
    applied_sequence INTEGER NOT NULL
);
