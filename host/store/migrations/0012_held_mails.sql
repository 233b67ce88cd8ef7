-- Mails that came in and became no message, as they came: nothing is lost, and
-- somebody decides what becomes of them.
CREATE TABLE relata_held_mail (
    id TEXT PRIMARY KEY,              -- the beginning of the SHA-256 of the mail, hexadecimal
    reason TEXT NOT NULL,
    sender TEXT,
    subject TEXT,
    mail TEXT NOT NULL,               -- base64
    at BIGINT NOT NULL
);
CREATE INDEX relata_held_mail_by_time ON relata_held_mail (at);
