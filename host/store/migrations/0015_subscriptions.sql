-- Up to where in the event log each webhook was told what happened: the
-- webhooks that other programs wish to be called by.
CREATE TABLE relata_subscription (
    webhook TEXT PRIMARY KEY,         -- the record's id
    place BIGINT NOT NULL             -- everything up to it is in the outbox
);
