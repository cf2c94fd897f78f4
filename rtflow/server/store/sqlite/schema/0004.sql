-- How often each emoji was added to a message is kept with it: a page of messages counts nothing.
ALTER TABLE messages ADD COLUMN reactions TEXT NOT NULL DEFAULT '{}';  -- JSON: {emoji: [since when, count]}

CREATE TABLE reactions (
    message_id TEXT NOT NULL REFERENCES messages (id),
    user_id    TEXT NOT NULL,
    emoji      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (message_id, user_id, emoji)
) WITHOUT ROWID;

CREATE INDEX reactions_by_time ON reactions (message_id, emoji, created_at, user_id);
