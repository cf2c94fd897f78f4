"""Export a conversation, or what a search finds, as JSON lines, the newest message first.

    rtflow serve                                                # in another terminal
    rtflow send lunch "Pizza?" --user alice                     # so that there is something
    python examples/export_conversation.py lunch > lunch.jsonl
    python examples/export_conversation.py --search pizza

It reads a page at a time, by a window that grows with `load_more`, and prints each as it comes. A
search hands out what it finds as it is found; who stops iterating stops the search.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing

import rtflow

SERVER = os.environ.get("RTFLOW_SERVER", "http://localhost:8080")
USER = os.environ.get("RTFLOW_USER", "alice")
PAGE = 100


def as_line(conversation_id: str, message: rtflow.MessageSnapshot) -> str:
    return json.dumps(
        {
            "id": message.id,
            "conversation": conversation_id,
            "at": message.created_at,
            "sender": message.sender.name if message.sender else None,
            "text": message.plaintext,
            "edited": message.edited_at is not None,
            "replies_to": message.referenced_message.id if message.referenced_message else None,
            "reactions": {reaction.emoji: reaction.count for reaction in message.reactions},
        },
        ensure_ascii=False,
    )


async def all_of(conversation: rtflow.ConversationRef) -> AsyncGenerator[rtflow.MessageSnapshot]:
    """Yield what has been said by now, the newest first."""
    window, oldest = conversation.messages.window(PAGE), None
    async for said in window:  # while it is watched, a further page costs no more than that page
        if said is None:
            sys.exit(f"{USER} sees no conversation {conversation.id!r}")
        for message in said.items:
            if oldest is None or message.created_at < oldest:
                oldest = message.created_at
                yield message
        if said.loaded_all:
            return
        await window.load_more(PAGE)


async def main(conversation_id: str | None, words: str | None) -> None:
    async with rtflow.Session(SERVER, app_id="demo", user_id=USER) as session:
        if words is not None:
            async for hit in session.search_messages(words):
                print(as_line(hit.conversation.id, hit.message))
        elif conversation_id is not None:
            async with aclosing(all_of(session.conversation(conversation_id))) as messages:
                async for message in messages:
                    print(as_line(conversation_id, message))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="Export messages as JSON lines.")
    what = options.add_mutually_exclusive_group(required=True)
    what.add_argument("conversation", nargs="?", help="the id of a conversation")
    what.add_argument("--search", metavar="WORDS", help="what to look for instead")
    args = options.parse_args()
    try:
        asyncio.run(main(args.conversation, args.search))
    except rtflow.RtflowError as error:
        sys.exit(f"export_conversation: {error}")
