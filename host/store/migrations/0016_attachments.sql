-- The files that came with records, the messages above all.
CREATE TABLE relata_attachment (
    record TEXT NOT NULL,             -- the reference: message/01k9…
    place BIGINT NOT NULL,            -- which of the record's files it is, from 1
    name TEXT,                        -- none where it has none
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,             -- bytes
    sha256 TEXT,                      -- of its contents, hexadecimal; none where they are not kept
    PRIMARY KEY (record, place)
);
CREATE INDEX relata_attachment_by_content ON relata_attachment (sha256);
-- The contents of files, each once, however many files have them.
CREATE TABLE relata_content (
    sha256 TEXT PRIMARY KEY,
    size BIGINT NOT NULL
);
-- In pieces, so that nobody has to hold a whole file: not who reads it, and
-- not who copies the database.
CREATE TABLE relata_content_piece (
    sha256 TEXT NOT NULL,
    place BIGINT NOT NULL,            -- from 0
    bytes BYTES NOT NULL,
    PRIMARY KEY (sha256, place)
);
