"""A dashboard that mypy and pyright check in strict mode: nothing in it is `Any`.

    rtflow serve                                # in another terminal
    python examples/typed_dashboard.py lunch
    rtflow send lunch "Hungry?" --user alice    # in a third: see it arrive

Everything that can be watched is a `Live[T]`: `get()`, `observe()` and `async for` with one type.
Lambdas go into `.map(...)`, where both checkers see through them; inside `.pipe(...)` named
functions do.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from reactivex import operators as ops
from reactivex.abc import DisposableBase

import rtflow

SERVER = os.environ.get("RTFLOW_SERVER", "http://localhost:8080")
USER = os.environ.get("RTFLOW_USER", "alice")

T = TypeVar("T")


class Tile(Generic[T]):
    """One field of a dashboard: watches something, and shows it as text whenever that changes."""

    def __init__(self, label: str, source: rtflow.Live[T], text: Callable[[T], str]) -> None:
        self.label, self._source, self._text = label, source, text

    def show(self) -> DisposableBase:
        texts = self._source.observe().map(self._text).pipe(ops.distinct_until_changed())
        return texts.subscribe(lambda text: print(f"{self.label}: {text}", flush=True))


def last_words(conversation: rtflow.ConversationSnapshot | None) -> str:
    if conversation is None:
        return "(not there yet)"
    if conversation.last_message is None:
        return "(silence)"
    return conversation.last_message.plaintext


async def main(conversation_id: str) -> None:
    async with rtflow.Session(SERVER, app_id="demo", user_id=USER) as session:
        conversation = session.conversation(conversation_id)
        Tile("link", session.connection, lambda state: state.status).show()
        Tile("unread", conversation.unread, str).show()
        Tile("unread everywhere", session.conversations.unread, str).show()
        Tile("last words", conversation, last_words).show()
        async for window in session.conversations:  # the same contract, without Rx
            print("conversations:", ", ".join(c.subject or c.id for c in window.items), flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "lunch"))
