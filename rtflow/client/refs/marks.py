"""Marks: saying that I am writing, no more often than others need to hear it.

A mark lasts ten seconds (protocol.md 7.6), and programs mark at every keystroke. So one request in
five seconds is enough to stay marked, and the calls in between do nothing. Sending a message takes
the mark away, on the server too: the next keystroke is told at once.
"""

from typing import Final
from weakref import WeakKeyDictionary

from rtflow.client.mirror import Mirror
from rtflow.model.params import Empty
from rtflow.wire.endpoints import MARK_TYPING

__all__ = ["mark_as_typing", "unmarked"]

EVERY: Final = 5.0  # seconds

_marked: WeakKeyDictionary[Mirror, dict[str, float]] = WeakKeyDictionary()  # when, oldest first


async def mark_as_typing(mirror: Mirror, conversation_id: str) -> None:
    """Tell that I am writing here, unless that was told a moment ago."""
    mirror.check()
    now = mirror.home.loop.time()
    marked = _marked.setdefault(mirror, {})
    while marked and next(iter(marked.values())) <= now - EVERY:
        del marked[next(iter(marked))]
    if conversation_id in marked:
        return
    marked[conversation_id] = now
    try:
        await mirror.ask(MARK_TYPING, (conversation_id,), Empty())
    except BaseException:
        unmarked(mirror, conversation_id)
        raise


def unmarked(mirror: Mirror, conversation_id: str) -> None:
    """I am not marked any more."""
    _marked.get(mirror, {}).pop(conversation_id, None)
