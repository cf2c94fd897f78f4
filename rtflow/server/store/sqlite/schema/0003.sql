-- Search. What is searched for has a place in the order of search; its words are in a full-text index,
-- which takes them back only when it is told them again: so they are kept. Rows come with the thing
-- itself; those of a database that is older than search get their words bit by bit, after the start.
CREATE TABLE searchable_messages (
    position        INTEGER PRIMARY KEY,  -- in the order of sending
    id              TEXT NOT NULL UNIQUE,
    conversation_id TEXT NOT NULL,
    words           TEXT                  -- null: not in the index yet
);

CREATE TABLE searchable_conversations (
    position        INTEGER PRIMARY KEY,
    id              TEXT NOT NULL UNIQUE,
    conversation_id TEXT NOT NULL,        -- the same, so that both are asked in the same way
    words           TEXT
);

CREATE INDEX searchable_messages_missing ON searchable_messages (position) WHERE words IS NULL;
CREATE INDEX searchable_conversations_missing ON searchable_conversations (position) WHERE words IS NULL;

INSERT INTO searchable_messages (id, conversation_id)
    SELECT id, conversation_id FROM messages ORDER BY created_at, conversation_id;
INSERT INTO searchable_conversations (id, conversation_id)
    SELECT id, id FROM conversations ORDER BY created_at, id;

-- `room` names the conversation, so that one can be searched without looking at all the others.
CREATE VIRTUAL TABLE message_words USING fts5 (
    words, room, content = '', columnsize = 0,
    tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co M*'"
);
CREATE VIRTUAL TABLE conversation_words USING fts5 (
    words, room, content = '', columnsize = 0,
    tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co M*'"
);

-- Uploads. What a file holds is in the folder of files, under its sha256.
CREATE TABLE files (
    token        TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL,
    sha256       TEXT NOT NULL,
    filename     TEXT NOT NULL,
    size         INTEGER NOT NULL,
    media_type   TEXT NOT NULL,  -- what it is served as; not what its sender said
    subtype      TEXT,
    width        INTEGER,
    height       INTEGER,
    duration     REAL,           -- seconds
    url          TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    unused_since INTEGER         -- null while a message holds it
);

CREATE INDEX files_by_content ON files (sha256);
CREATE INDEX files_unused ON files (unused_since) WHERE unused_since IS NOT NULL;

CREATE TABLE message_files (
    message_id TEXT NOT NULL,
    token      TEXT NOT NULL,
    PRIMARY KEY (message_id, token)
) WITHOUT ROWID;

CREATE INDEX message_files_by_token ON message_files (token);
