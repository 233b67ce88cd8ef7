-- What the call that an entry answers used, beside its time: the most memory
-- at any time, calls of the host, requests to web services.
ALTER TABLE relata_step_log ADD COLUMN memory_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE relata_step_log ADD COLUMN host_calls BIGINT NOT NULL DEFAULT 0;
ALTER TABLE relata_step_log ADD COLUMN http_calls BIGINT NOT NULL DEFAULT 0;
