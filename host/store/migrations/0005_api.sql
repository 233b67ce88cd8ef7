-- Who may use the API. Of a token's secret only its SHA-256 is here.
CREATE TABLE relata_token (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,      -- SHA-256 of the secret, hexadecimal
    scopes TEXT NOT NULL,             -- JSON list: events:write, …
    objects TEXT,                     -- JSON list of the objects it is for; none: all
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT               -- to the minute or so
);
-- A name is given again once its token is revoked.
CREATE UNIQUE INDEX relata_token_by_name ON relata_token (name) WHERE revoked_at IS NULL;

-- What requests with an Idempotency-Key came to, so that one that is repeated
-- does nothing more. Rows go after a day.
CREATE TABLE relata_request (
    token_id TEXT NOT NULL,
    request_key TEXT NOT NULL,
    digest TEXT NOT NULL,             -- SHA-256 of what was asked
    answer TEXT NOT NULL,             -- JSON
    at BIGINT NOT NULL,
    PRIMARY KEY (token_id, request_key)
);
CREATE INDEX relata_request_by_time ON relata_request (at);

-- What an event came to: the runs that it began, and those that did not begin.
ALTER TABLE relata_run ADD COLUMN event_id TEXT;
CREATE INDEX relata_run_by_event ON relata_run (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX relata_not_started_by_event ON relata_not_started (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX relata_queue_by_event ON relata_queue (event_id);
