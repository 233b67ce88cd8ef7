-- The words of what records are called, in the order of the words: whoever
-- looks for somebody knows how a word of the name begins.
CREATE TABLE relata_word (
    field TEXT NOT NULL,              -- `contact.name`
    word TEXT NOT NULL,
    id TEXT NOT NULL,                 -- the record's
    words TEXT NOT NULL,              -- all words of the field, a space before each
    PRIMARY KEY (field, word, id)
) WITHOUT ROWID;

-- The fields whose words are kept.
CREATE TABLE relata_word_field (
    field TEXT PRIMARY KEY
);

-- A longer one replaces these.
DROP INDEX IF EXISTS ticket_by_queue_owner;
DROP INDEX IF EXISTS ticket_list_queue_owner;
