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

__all__ = ["Marks", "mark_as_typing", "unmarked"]

EVERY: Final = 5.0  # seconds


class Marks:
    """Where I have said that I am writing, not long ago. The time is handed in."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}  # oldest first

    def set(self, conversation_id: str, now: float) -> bool:
        """Mark me as writing there. False: that was told a moment ago."""
        while self._at and next(iter(self._at.values())) <= now - EVERY:
            del self._at[next(iter(self._at))]
        if conversation_id in self._at:
            return False
        self._at[conversation_id] = now
        return True

    def clear(self, conversation_id: str) -> None:
        """I am not marked any more."""
        self._at.pop(conversation_id, None)


_marks: WeakKeyDictionary[Mirror, Marks] = WeakKeyDictionary()  # of each session


async def mark_as_typing(mirror: Mirror, conversation_id: str) -> None:
    """Tell that I am writing here, unless that was told a moment ago."""
    mirror.check()
    if not _marks.setdefault(mirror, Marks()).set(conversation_id, mirror.home.loop.time()):
        return
    try:
        await mirror.ask(MARK_TYPING, (conversation_id,), Empty())
    except BaseException:
        unmarked(mirror, conversation_id)
        raise


def unmarked(mirror: Mirror, conversation_id: str) -> None:
    """What I was writing is sent, or nobody was told of it."""
    if mirror in _marks:
        _marks[mirror].clear(conversation_id)
