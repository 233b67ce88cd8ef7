-- What somebody has stopped for a while. Everybody reads it; nothing is lost
-- meanwhile.
CREATE TABLE relata_pause (
    kind TEXT NOT NULL,               -- all, workflow, action, run
    name TEXT NOT NULL,               -- of the workflow, action or run; empty for all
    why TEXT NOT NULL,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (kind, name)
);

-- What was due and is paused: since when it is due, and by which pause
-- (`workflow/NAME`). It has no `due_at` until that pause is gone, so nobody
-- looks at it in vain.
ALTER TABLE relata_run ADD COLUMN parked_at BIGINT;
ALTER TABLE relata_run ADD COLUMN parked_by TEXT;
CREATE INDEX relata_run_parked ON relata_run (parked_by) WHERE parked_by IS NOT NULL;
ALTER TABLE relata_outbox ADD COLUMN parked_at BIGINT;
ALTER TABLE relata_outbox ADD COLUMN parked_by TEXT;
CREATE INDEX relata_outbox_parked ON relata_outbox (parked_by) WHERE parked_by IS NOT NULL;

-- What becomes of an effect of which nobody knows whether it was carried out:
-- retry, hold (also where nothing is said) or skip.
ALTER TABLE relata_outbox ADD COLUMN if_unknown TEXT;

-- Destinations that failed several times in a row. While one is open, nothing
-- is sent there until `probe_at`, and then one effect to see.
CREATE TABLE relata_breaker (
    destination TEXT PRIMARY KEY,     -- the name of a mail server, or of a host
    failures BIGINT NOT NULL,         -- in a row
    opened_at BIGINT,                 -- none while it is closed
    probe_at BIGINT,
    why TEXT
);

-- For the clean-up, which goes through what has ended from its oldest end.
CREATE INDEX relata_run_by_end ON relata_run (ended_at, id) WHERE ended_at IS NOT NULL;
CREATE INDEX relata_outbox_with_text ON relata_outbox (sent_at) WHERE sent_at IS NOT NULL AND body <> '{}';
CREATE INDEX relata_webhook_call_by_time ON relata_webhook_call (at);
