"""Messages of a conversation: their windows, and a ref to one of them.

Not here yet: reading, editing and deleting a single message.
"""

import random
import time
from typing import Final

from rtflow.client.mirror import Mirror
from rtflow.client.refs.ref import LiveRef, Ref
from rtflow.client.refs.windows import LiveWindow, checked_count
from rtflow.client.state.views import MessagesView
from rtflow.model.snapshots import MessageSnapshot, Window

__all__ = ["MessageRef", "Messages", "idempotency_key"]

DEFAULT_LENGTH: Final = 30
ALPHABET: Final = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"  # sorted


class MessageRef(Ref):
    """One message."""

    def __init__(self, mirror: Mirror, conversation_id: str, id: str) -> None:
        self._mirror, self._names = mirror, (conversation_id, id)

    @property
    def conversation_id(self) -> str:
        """The conversation's id."""
        return self._names[0]

    @property
    def id(self) -> str:
        """The message's id."""
        return self._names[1]


class Messages(LiveRef[Window[MessageSnapshot] | None]):
    """The messages of a conversation, newest first; None when I am not in it.

    Watching it is watching its newest 30; `window(n)` is for other lengths, and for more of them.
    """

    def __init__(self, mirror: Mirror, conversation_id: str) -> None:
        view = MessagesView.of(conversation_id, DEFAULT_LENGTH)
        super().__init__(mirror, view, conversation_id)

    def window(self, n: int = DEFAULT_LENGTH) -> LiveWindow[Window[MessageSnapshot] | None]:
        """Make a window of the newest `n`; fewer than 1 is a `ValueError`, no int a `TypeError`."""
        return LiveWindow(self._mirror, MessagesView.of(self._names[0], checked_count(n)))


def idempotency_key() -> str:
    """Make a key of 20 characters (protocol.md 5.5): 8 for the time in ms, 12 of chance."""
    now = time.time_ns() // 1_000_000
    stamp = (ALPHABET[now >> shift & 63] for shift in range(42, -1, -6))
    return "".join((*stamp, *random.choices(ALPHABET, k=12)))
