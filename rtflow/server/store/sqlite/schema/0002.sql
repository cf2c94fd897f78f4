CREATE INDEX participants_by_joining ON participants (conversation_id, joined_at DESC, user_id);
