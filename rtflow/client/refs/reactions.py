"""Reactions: who reacted to a message with one emoji, and my own."""

from contextlib import suppress
from typing import Final

from rtflow.client.mirror import Mirror
from rtflow.client.refs.ref import LiveRef
from rtflow.client.refs.windows import LiveWindow, checked_count
from rtflow.client.state.views import ReactionsView
from rtflow.errors import NotFound
from rtflow.model.params import Empty
from rtflow.model.snapshots import ReactionSnapshot, Window
from rtflow.wire.endpoints import ADD_REACTION, REMOVE_REACTION

__all__ = ["ReactionsRef"]

DEFAULT_LENGTH: Final = 30


class ReactionsRef(LiveRef[Window[ReactionSnapshot] | None]):
    """Who reacted to a message with one emoji, earliest first.

    None when there is no such message, or I am not in the conversation; without reactions the
    window is empty. Watching it is watching the first 30; `window(n)` is for other lengths, and for
    more of them. How many there are is part of the message (`MessageSnapshot.reactions`).
    """

    def __init__(self, mirror: Mirror, conversation_id: str, message_id: str, emoji: str) -> None:
        view = ReactionsView.of(conversation_id, message_id, emoji, DEFAULT_LENGTH)
        super().__init__(mirror, view, conversation_id, message_id, emoji)

    @property
    def conversation_id(self) -> str:
        """The conversation's id."""
        return self._names[0]

    @property
    def message_id(self) -> str:
        """The message's id."""
        return self._names[1]

    @property
    def emoji(self) -> str:
        """The emoji, or the name of one of the application's own."""
        return self._names[2]

    def window(self, n: int = DEFAULT_LENGTH) -> LiveWindow[Window[ReactionSnapshot] | None]:
        """Make a window of the first `n`; fewer than 1 is a `ValueError`, no int a `TypeError`."""
        of = self.conversation_id, self.message_id, self.emoji
        return LiveWindow(self._mirror, ReactionsView.of(*of, checked_count(n)))

    async def add(self) -> None:
        """React with this emoji, if I have not yet.

        Raises a `RequestRefused`: `Forbidden` or `NotFound` when I am not in the conversation or
        there is no such message, `BadRequest` for what is no emoji.
        """
        await self._mirror.ask(ADD_REACTION, (*self._names, self._mirror.me), Empty())

    async def remove(self) -> None:
        """Take my reaction back, if there is one. Raises as `add`, but for `NotFound`."""
        with suppress(NotFound):  # it is not there: done
            await self._mirror.ask(REMOVE_REACTION, (*self._names, self._mirror.me), Empty())
