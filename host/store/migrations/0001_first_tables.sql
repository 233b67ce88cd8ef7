-- The host's own tables. Times are milliseconds since 1970 UTC, yes is 1 and
-- no is 0, ids are texts that sort by age, what ends in JSON is kept as text.

-- The event log: every change of a record with its images, and every named
-- event. `pending` until triggers and waiting runs have seen it.
CREATE TABLE relata_event (
    seq NUMBERED PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,               -- created, changed, deleted, named
    name TEXT,                        -- of a named event
    object TEXT,
    record TEXT,                      -- object/id; the main one of a named event
    event_key TEXT,                   -- what correlates a named event
    about TEXT,                       -- JSON list of references
    before_image TEXT,                -- JSON
    after_image TEXT,                 -- JSON
    data TEXT,                        -- JSON
    actor TEXT NOT NULL,
    run_id TEXT,
    workflow TEXT,
    depth BIGINT NOT NULL,
    pending BIGINT NOT NULL
);
CREATE INDEX relata_event_pending ON relata_event (seq) WHERE pending = 1;
CREATE INDEX relata_event_by_record ON relata_event (record, seq);
CREATE INDEX relata_event_by_run ON relata_event (run_id) WHERE run_id IS NOT NULL;

-- The further records that a named event is about.
CREATE TABLE relata_event_about (
    record TEXT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (record, seq)
);

-- Every version of every workflow that was ever active. Rows never change.
CREATE TABLE relata_workflow_version (
    digest TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    source TEXT NOT NULL,             -- the YAML
    compiled TEXT NOT NULL,           -- JSON
    at BIGINT NOT NULL
);
CREATE INDEX relata_workflow_version_by_name ON relata_workflow_version (name, at);

-- The workflows, and which version of each is active, if any.
CREATE TABLE relata_workflow (
    name TEXT PRIMARY KEY,
    active_digest TEXT REFERENCES relata_workflow_version (digest),
    activated_at BIGINT,
    activated_by TEXT,
    deactivated_at BIGINT,
    changes BIGINT NOT NULL           -- counts activations and deactivations
);

-- Runs. `due_at` is when a worker should look at it: the end of the lease
-- while one does, nothing while only a happening can wake it.
CREATE TABLE relata_run (
    id TEXT PRIMARY KEY,
    workflow TEXT NOT NULL,
    version TEXT NOT NULL,
    subject TEXT,
    run_key TEXT,
    status TEXT NOT NULL,             -- active, ended
    outcome TEXT,                     -- done, stopped, failed, cancelled
    why TEXT,
    due_at BIGINT,
    was_due_at BIGINT,                -- before the claim
    priority BIGINT NOT NULL,         -- 0 first
    seq BIGINT NOT NULL,
    lease_owner TEXT,
    epoch BIGINT NOT NULL,
    lease_until BIGINT,
    crash_count BIGINT NOT NULL,
    cancel_requested TEXT,            -- why
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    snapshot TEXT NOT NULL            -- JSON of the engine's run
);
CREATE INDEX relata_run_due ON relata_run (priority, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX relata_run_due_at ON relata_run (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX relata_run_by_workflow ON relata_run (workflow, id);
CREATE INDEX relata_run_by_subject ON relata_run (subject, id);

-- What each run did, step by step, with what it saw.
CREATE TABLE relata_step_log (
    run_id TEXT NOT NULL REFERENCES relata_run (id),
    seq BIGINT NOT NULL,
    step TEXT NOT NULL,               -- path
    label TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    kind TEXT NOT NULL,
    input TEXT,                       -- JSON
    output TEXT,                      -- JSON
    explanation TEXT,                 -- JSON
    error TEXT,
    at BIGINT NOT NULL,
    cpu_us BIGINT NOT NULL,
    wait_ms BIGINT NOT NULL,
    PRIMARY KEY (run_id, seq)
);

-- What runs listen for.
CREATE TABLE relata_waiter (
    topic TEXT NOT NULL,
    topic_key TEXT NOT NULL,
    run_id TEXT NOT NULL REFERENCES relata_run (id),
    PRIMARY KEY (topic, topic_key, run_id)
);
CREATE INDEX relata_waiter_by_run ON relata_waiter (run_id);

-- What runs were told. A row stays until its run ends, so that the same
-- happening is not told twice.
CREATE TABLE relata_inbox (
    run_id TEXT NOT NULL REFERENCES relata_run (id),
    event_id TEXT NOT NULL,
    seq BIGINT NOT NULL,              -- of the event, for the order
    happening TEXT NOT NULL,          -- JSON
    consumed BIGINT NOT NULL,
    PRIMARY KEY (run_id, event_id)
);

-- Effects on the outside world.
CREATE TABLE relata_outbox (
    effect_id TEXT PRIMARY KEY,
    run_id TEXT,
    workflow TEXT,
    step TEXT,
    kind TEXT NOT NULL,               -- mail, notice
    template TEXT,
    recipient TEXT,                   -- object/id
    body TEXT NOT NULL,               -- JSON
    status TEXT NOT NULL,             -- due, sending, sent, held, unknown, suppressed, failed
    reason TEXT,
    due_at BIGINT,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    sent_at BIGINT,
    receipt TEXT
);
CREATE INDEX relata_outbox_due ON relata_outbox (due_at, effect_id) WHERE status = 'due';
CREATE INDEX relata_outbox_by_workflow ON relata_outbox (workflow, status, sent_at);
CREATE INDEX relata_outbox_by_run ON relata_outbox (run_id);
CREATE INDEX relata_outbox_by_recipient ON relata_outbox (recipient, created_at);

-- The clocks of active workflows.
CREATE TABLE relata_schedule (
    workflow TEXT NOT NULL,
    trigger_no BIGINT NOT NULL,
    cron TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    if_missed TEXT NOT NULL,          -- once, all, skip
    last_nominal BIGINT,
    next_at BIGINT,
    PRIMARY KEY (workflow, trigger_no)
);
CREATE INDEX relata_schedule_due ON relata_schedule (next_at) WHERE next_at IS NOT NULL;

-- Every fire that happened or was missed, once.
CREATE TABLE relata_schedule_fire (
    workflow TEXT NOT NULL,
    trigger_no BIGINT NOT NULL,
    nominal_at BIGINT NOT NULL,
    at BIGINT NOT NULL,
    outcome TEXT NOT NULL,            -- fired, missed
    run_id TEXT,
    reason TEXT,
    PRIMARY KEY (workflow, trigger_no, nominal_at)
);

-- For whom a workflow runs or has run, by the value of `one_per`.
CREATE TABLE relata_enrolment (
    workflow TEXT NOT NULL,
    enrolment_key TEXT NOT NULL,
    run_id TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    counted_at BIGINT,                -- from when `again_after` counts
    running BIGINT NOT NULL,
    PRIMARY KEY (workflow, enrolment_key)
);
CREATE INDEX relata_enrolment_by_run ON relata_enrolment (run_id);

-- Runs that did not start, each with its reason.
CREATE TABLE relata_not_started (
    seq NUMBERED PRIMARY KEY,
    workflow TEXT NOT NULL,
    event_id TEXT,
    record TEXT,
    enrolment_key TEXT,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX relata_not_started_by_workflow ON relata_not_started (workflow, record, seq);
CREATE INDEX relata_not_started_by_record ON relata_not_started (record, seq);

-- What plugins remember between calls.
CREATE TABLE relata_plugin_state (
    plugin TEXT NOT NULL,
    state_key TEXT NOT NULL,
    value TEXT NOT NULL,              -- JSON
    revision BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (plugin, state_key)
);

-- What the host remembers between starts: the rehearsal clock and the like.
CREATE TABLE relata_setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL               -- JSON
);
