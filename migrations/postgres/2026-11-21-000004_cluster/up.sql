-- Several nodes on one database (docs/adr/0007).

-- The tag of the last change: a feed of the same length with another tag is another history, such as after a failover that
-- lost commits.
ALTER TABLE orest_feed ADD COLUMN tag TEXT COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text;

-- What has been changed of that which nodes keep in memory: each takes the next sequence of orest_feed. Kept for a day.
CREATE TABLE orest_change (
    sequence BIGINT PRIMARY KEY,
    -- revocation: the row of orest_revocation with this sequence
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('revocation', 'user', 'users', 'applications', 'device', 'pairing')),
    -- which user or device
    subject BIGINT,
    tag TEXT COLLATE "C" NOT NULL,
    -- of the change before it
    previous_tag TEXT COLLATE "C" NOT NULL,
    create_date TIMESTAMP(0) NOT NULL
);
CREATE INDEX orest_change_create_date_index ON orest_change (create_date);

-- The processes that serve, or have served a moment ago.
CREATE TABLE orest_node (
    -- random, another one after each start
    id TEXT COLLATE "C" PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    -- where it listens
    address TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    -- for people: no decision is made by these two
    started_at TIMESTAMP(0) NOT NULL,
    renewed_at TIMESTAMP(3) NOT NULL,
    -- goes up with each renewal of its lease
    renewals BIGINT NOT NULL,
    lease_ms BIGINT NOT NULL CHECK (lease_ms BETWEEN 500 AND 60000),
    -- up to which change it has applied them to its memory, as of its last renewal; the tag, since after a failover that lost
    -- commits the same number is another change
    applied_tag TEXT COLLATE "C" NOT NULL,
    applied_sequence BIGINT NOT NULL
);
