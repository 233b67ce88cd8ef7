-- Until when a host may be sending an effect. After that it counts as lost on
-- the way, however alive its host is.
ALTER TABLE relata_outbox ADD COLUMN lease_until BIGINT;
CREATE INDEX relata_outbox_sending ON relata_outbox (lease_until) WHERE status = 'sending';

-- What one host does for all: matching events, firing schedules. It has it
-- until a time; whoever comes after that takes it over.
CREATE TABLE relata_duty (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until BIGINT NOT NULL
);

-- Exclusive lanes: a step is in a lane from before its call until its commit,
-- which gives the lane up in the same transaction. `turn` goes up with each
-- entry, so that a host that was held up cannot commit what somebody else's
-- turn has overtaken.
CREATE TABLE relata_lane (
    lane TEXT PRIMARY KEY,
    turn BIGINT NOT NULL,
    holder TEXT,
    until BIGINT
);
