-- Limits on how much is at work at once and on how fast it begins. Whoever
-- enters or leaves one locks its row first, in the order of the keys.
CREATE TABLE relata_limit (
    limit_key TEXT PRIMARY KEY,
    next_at BIGINT NOT NULL           -- from when the next one may begin
);

-- Who is at work under a limit, and who waits for a place. A place that was
-- not given back is free again when its time has passed; one that its run has
-- while it waits for another limit has no time.
CREATE TABLE relata_limit_place (
    limit_key TEXT NOT NULL,
    run_id TEXT NOT NULL,
    works BIGINT NOT NULL,
    since BIGINT NOT NULL,            -- in the order of which places are given
    until BIGINT,
    most BIGINT NOT NULL,             -- how many places there are, as it was told last
    PRIMARY KEY (limit_key, run_id)
);
CREATE INDEX relata_limit_place_by_key ON relata_limit_place (limit_key, works, since, run_id);
CREATE INDEX relata_limit_place_by_run ON relata_limit_place (run_id);

-- From when runs may begin, one after another.
CREATE TABLE relata_limit_turn (
    limit_key TEXT NOT NULL,
    run_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    once BIGINT NOT NULL,             -- it holds for the whole run, not for one call
    PRIMARY KEY (limit_key, run_id)
);
CREATE INDEX relata_limit_turn_by_run ON relata_limit_turn (run_id);
