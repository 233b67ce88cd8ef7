-- How users prove who they are. A password is here only as its Argon2id hash,
-- a session's secret only as its SHA-256.
CREATE TABLE relata_login (
    user_id TEXT PRIMARY KEY,         -- the id of the user's record
    password TEXT,                    -- PHC string; none: nobody logs in by a password
    must_change BIGINT NOT NULL,      -- 1: it was given by somebody else
    totp TEXT,                        -- the key of one-time codes, base32; none: no code is asked
    totp_step BIGINT,                 -- the step of the last code: each is good once
    failures BIGINT NOT NULL,         -- since the last success
    locked_until BIGINT,
    changed_at BIGINT NOT NULL,       -- sessions that are older are over
    logged_in_at BIGINT
);

CREATE TABLE relata_session (
    digest TEXT PRIMARY KEY,          -- SHA-256 of the secret, hexadecimal
    user_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,          -- to the minute or so
    expires_at BIGINT NOT NULL        -- whatever happens
);
CREATE INDEX relata_session_by_user ON relata_session (user_id);
CREATE INDEX relata_session_by_end ON relata_session (expires_at);

-- What no record tells: what was refused, and who logged in. The writes of
-- records are in relata_record_event. The same again within a minute counts.
CREATE TABLE relata_audit (
    id TEXT PRIMARY KEY,
    minute BIGINT NOT NULL,           -- minutes since 1970 UTC
    at BIGINT NOT NULL,               -- the first time in that minute
    actor TEXT NOT NULL,
    act TEXT NOT NULL,                -- see, change, log_in, …
    target TEXT NOT NULL,
    outcome TEXT NOT NULL,            -- done, refused
    why TEXT NOT NULL,
    times BIGINT NOT NULL
);
CREATE UNIQUE INDEX relata_audit_once ON relata_audit (minute, actor, act, target, outcome);
CREATE INDEX relata_audit_by_actor ON relata_audit (actor, id);

-- A token may be a user's: it can do no more than the user.
ALTER TABLE relata_token ADD COLUMN user_id TEXT;
