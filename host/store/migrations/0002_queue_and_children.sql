-- Which items of loops and which branches a step's entry, and what it sent,
-- belongs to: `3.1`; empty outside of all.
ALTER TABLE relata_step_log ADD COLUMN rounds TEXT NOT NULL DEFAULT '';
ALTER TABLE relata_outbox ADD COLUMN rounds TEXT NOT NULL DEFAULT '';

-- The run whose step began this one.
ALTER TABLE relata_run ADD COLUMN parent TEXT;
CREATE INDEX relata_run_by_parent ON relata_run (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX relata_run_by_key ON relata_run (run_key, id) WHERE run_key IS NOT NULL;

-- When somebody first asked for the run's end. `cancel_requested` is cleared
-- once the run has taken the wish in; this stays.
ALTER TABLE relata_run ADD COLUMN cancel_asked_at BIGINT;

-- Starts that wait for a run for the same value of `one_per` to end
-- (`while_running: queue`), in their order. A row goes in the transaction in
-- which its run begins, or in which its reason is written to
-- relata_not_started.
CREATE TABLE relata_queue (
    seq NUMBERED PRIMARY KEY,
    workflow TEXT NOT NULL,
    enrolment_key TEXT NOT NULL,
    event_id TEXT NOT NULL,           -- what wanted it
    happening TEXT NOT NULL,          -- JSON, of the event
    record TEXT,                      -- what the event was mainly about
    subject TEXT,                     -- what the run will be about
    at BIGINT NOT NULL
);
CREATE INDEX relata_queue_by_key ON relata_queue (workflow, enrolment_key, seq);
CREATE INDEX relata_queue_by_subject ON relata_queue (subject, seq);
CREATE INDEX relata_queue_by_record ON relata_queue (record, seq);

-- Every activation and deactivation, so that it can be told later whether a
-- workflow was active when something happened.
CREATE TABLE relata_activation (
    seq NUMBERED PRIMARY KEY,
    workflow TEXT NOT NULL,
    digest TEXT,                      -- none: it was deactivated
    at BIGINT NOT NULL,
    actor TEXT
);
CREATE INDEX relata_activation_by_workflow ON relata_activation (workflow, seq);
INSERT INTO relata_activation (workflow, digest, at, actor)
    SELECT name, active_digest, activated_at, activated_by FROM relata_workflow
    WHERE active_digest IS NOT NULL AND activated_at IS NOT NULL ORDER BY activated_at, name;
