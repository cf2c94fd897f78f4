"""Read a conversation once: what a script or a cron job does.

    rtflow serve                                # in another terminal
    rtflow send lunch "Hungry?" --user alice    # so that there is something to read
    python examples/read_once.py lunch

`get()` returns a snapshot, an immutable value, or None for what does not exist or is not yours to
see. The session connects when the first question is asked and is closed at the end of the block.
"""

import asyncio
import os
import sys

import rtflow

SERVER = os.environ.get("RTFLOW_SERVER", "http://localhost:8080")
USER = os.environ.get("RTFLOW_USER", "alice")


async def main(conversation_id: str) -> None:
    async with rtflow.Session(SERVER, app_id="demo", user_id=USER) as session:
        conversation = await session.conversation(conversation_id).get()
        unread = await session.conversations.unread.get()

    if conversation is None:
        print(f"{USER} sees no conversation {conversation_id!r}")
    else:
        print(conversation.subject or conversation.id)
        print(f"  unread: {conversation.unread_message_count} (in all conversations: {unread})")
        if (message := conversation.last_message) is not None:
            sender = message.sender.name if message.sender else "system"
            print(f"  last:   {sender}: {message.plaintext}")


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "lunch"))
    except rtflow.RtflowError as error:
        sys.exit(f"read_once: {error}")
