-- Lists of conversations and of participants cost by their length, not by what there is.

ALTER TABLE conversations ADD COLUMN is_crowded INTEGER NOT NULL DEFAULT 0; -- has had more participants than ten
ALTER TABLE conversations ADD COLUMN last_joined_at INTEGER NOT NULL DEFAULT 0; -- the latest joining ever; he may have left

-- Kept while the conversation is not crowded (domain/activity.py); then null and 0.
ALTER TABLE participants ADD COLUMN activity INTEGER; -- coalesce(last_message_at, joined_at)
ALTER TABLE participants ADD COLUMN is_unread INTEGER NOT NULL DEFAULT 0;

UPDATE conversations SET is_crowded = 1 WHERE id IN
    (SELECT conversation_id FROM participants GROUP BY conversation_id HAVING count(*) > 10);

UPDATE participants AS p SET
    activity = coalesce(c.last_message_at, p.joined_at),
    is_unread = c.last_number - p.read_number - p.deleted_unread > 0 OR p.marked_unread > 0
FROM conversations c WHERE c.id = p.conversation_id AND c.is_crowded = 0;

UPDATE conversations AS c SET last_joined_at =
    (SELECT coalesce(max(p.joined_at), 0) FROM participants p WHERE p.conversation_id = c.id);

DROP INDEX participants_by_user;
CREATE INDEX participants_by_activity ON participants (user_id, is_unread, activity DESC, conversation_id);
CREATE INDEX participants_by_joining ON participants (conversation_id, joined_at DESC, user_id);

-- Up to which change a client has been told everything, so that it can be told the rest when it comes back.
CREATE TABLE resume_points (
    client_id TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    number    INTEGER NOT NULL,
    is_open   INTEGER NOT NULL,  -- 1: it is connected, or was when the server died
    at        INTEGER NOT NULL,
    PRIMARY KEY (client_id, user_id)
) WITHOUT ROWID;

CREATE INDEX resume_points_by_age ON resume_points (at) WHERE is_open = 0;
