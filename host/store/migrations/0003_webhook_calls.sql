-- The calls of webhooks that carried an id: each is taken in once, however
-- often its sender repeats it.
CREATE TABLE relata_webhook_call (
    webhook TEXT NOT NULL,            -- the last part of its address
    call_id TEXT NOT NULL,            -- the sender's `webhook-id`
    event_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (webhook, call_id)
);
