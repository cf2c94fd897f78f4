-- Times are unix milliseconds, JSON is text, truth is 0 or 1.

CREATE TABLE users (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    role            TEXT NOT NULL,
    custom          TEXT NOT NULL,  -- JSON: {key: text}
    locale          TEXT,
    photo_url       TEXT,
    welcome_message TEXT,
    email           TEXT NOT NULL,  -- JSON: [address]. From here on private: never sent to clients
    phone           TEXT NOT NULL,  -- JSON: [number]
    push_tokens     TEXT NOT NULL,  -- JSON: {token: true}
    created_at      INTEGER NOT NULL
);

CREATE TABLE conversations (
    id               TEXT PRIMARY KEY,
    subject          TEXT,
    photo_url        TEXT,
    welcome_messages TEXT NOT NULL,  -- JSON: [text]
    custom           TEXT NOT NULL,  -- JSON: {key: text}
    created_at       INTEGER NOT NULL,
    created_by       TEXT NOT NULL REFERENCES users (id),
    last_number      INTEGER NOT NULL DEFAULT 0,  -- of the newest message ever; its messages count from 1
    last_message_at  INTEGER                      -- created_at of the newest message that is there
);

-- unread = conversations.last_number - read_number - deleted_unread: a message writes no row per participant.
CREATE TABLE participants (
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    user_id         TEXT NOT NULL REFERENCES users (id),
    access          TEXT NOT NULL,
    notify          TEXT NOT NULL,  -- JSON: true, false or "MentionsOnly"
    joined_at       INTEGER NOT NULL,
    read_number     INTEGER NOT NULL,  -- the newest message that was read, or there at the joining
    read_until      INTEGER NOT NULL,
    deleted_unread  INTEGER NOT NULL DEFAULT 0,  -- messages above read_number that were deleted
    marked_unread   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation_id, user_id)
) WITHOUT ROWID;

CREATE INDEX participants_by_user ON participants (user_id, conversation_id, joined_at);
CREATE INDEX participants_by_joined_at ON participants (user_id, joined_at);
CREATE INDEX participants_by_read_until ON participants (conversation_id, read_until);

-- Within a conversation created_at strictly increases with number, so one index serves order and time.
CREATE TABLE messages (
    id                    TEXT PRIMARY KEY,
    conversation_id       TEXT NOT NULL REFERENCES conversations (id),
    number                INTEGER NOT NULL,
    created_at            INTEGER NOT NULL,
    edited_at             INTEGER,
    sender_id             TEXT,  -- null: a system message
    origin                TEXT NOT NULL,
    referenced_message_id TEXT,
    content               TEXT NOT NULL,  -- JSON: [block]
    custom                TEXT NOT NULL   -- JSON: {key: text}
);

CREATE UNIQUE INDEX messages_by_time ON messages (conversation_id, created_at);

-- What was sent with an idempotency key, for a day. The oldest rows come first.
CREATE TABLE sent_keys (
    position        INTEGER PRIMARY KEY,
    conversation_id TEXT NOT NULL,
    user_id         TEXT NOT NULL,
    key             TEXT NOT NULL,
    message_id      TEXT NOT NULL,
    at              INTEGER NOT NULL
);

CREATE UNIQUE INDEX sent_keys_by_key ON sent_keys (conversation_id, user_id, key);

-- Every change, numbered without holes. The newest row is never trimmed: numbers go on from it.
CREATE TABLE log (
    number  INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    entries BLOB NOT NULL  -- JSON: [Entry]
);
