"""Presence: who is connected, and who is about to say something, as far as this node has heard.

None of it is stored. Signals and changes come in, in the order in which they were heard, and turn
into notices: events for connections.

A mark of typing lasts some seconds, and a repeat prolongs it in silence. It ends before that when
its user says what he was writing, leaves the conversation, or has no connection any more: who is
not there writes nothing, and nobody will prolong it. What a participant sees of it depends on who
he is: never himself, the others by name, and of more than `MOST` others only that they are many.

Whether somebody may write has to be read, and meanwhile he may send the message, or be removed: an
*intent* is a mark for which that is being read. A message or a removal ends it before it is one.

Not here: the bus and timers (gateway/signals.py), whom a notice reaches (gateway/audience.py).
Invariants: who writes is connected. To apply the notices for somebody to what he saw before gives
what he would see now. Nothing is kept of users who are away and of conversations in which nobody
writes, and each step costs by what it changes.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from rtflow.model.entities import Message, Online, Typing
from rtflow.model.events import (
    MessageCreated,
    OnlineDiff,
    ParticipantDeleted,
    SideCreated,
    TypingAvailable,
    TypingChanged,
    TypingDiff,
    UserOnlineChanged,
)
from rtflow.server.bus.interface import Came, Left, Signal, Wrote
from rtflow.server.domain.conversations import standing_of
from rtflow.server.domain.deadlines import Deadlines
from rtflow.server.domain.permissions import may_see_conversation, may_send_message, require
from rtflow.server.store.interface import Entry, Steps

__all__ = ["MOST", "Intent", "Notice", "Presence", "must_see", "must_write"]

MOST: Final = 5  # others who are told by name

NOBODY: Final[dict[str, int]] = {}


class Notice(Struct, frozen=True, kw_only=True, gc=False):
    """An event for those who watch what it is about: for `only` one of them, or all `but` some."""

    event: UserOnlineChanged | TypingChanged | TypingAvailable
    only: str | None = None
    but: frozenset[str] = frozenset()


class Intent:
    """A mark that is not yet one. `is_over`: it will not become one."""

    __slots__ = ("is_over",)

    def __init__(self) -> None:
        self.is_over = False


class Presence:
    """Who is there. `typing` is how many seconds a mark lasts."""

    def __init__(self, typing: float) -> None:
        self._nodes: dict[str, set[str]] = {}  # by user: where he has connections
        self._typists: dict[str, dict[str, int]] = {}  # by conversation: users, and since when
        self._places: dict[str, set[str]] = {}  # by user: the conversations in which he writes
        self._marks = Deadlines[tuple[str, str]](typing)  # conversation and user
        self._intents: dict[tuple[str, str], set[Intent]] = {}

    # What there is to see

    def online(self, user_id: str) -> Online:
        """Tell whether a user is connected."""
        return Online(is_connected=user_id in self._nodes)

    def typing(self, conversation_id: str, receiver: str) -> Typing:
        """Tell who writes in a conversation, as somebody sees it."""
        return _seen_by(receiver, self._typists.get(conversation_id, NOBODY))

    @property
    def next_end(self) -> float | None:
        """When the next mark may end by itself; None: there is none."""
        return self._marks.next

    # What happens

    def hear(self, signal: Signal, now: float) -> list[Notice]:
        """Take a signal."""
        match signal:
            case Came():
                return self._came(signal)
            case Left():
                return self._left(signal)
            case Wrote():
                return self._wrote(signal, now)

    def follow(self, entry: Entry) -> list[Notice]:
        """Take an entry of a committed change."""
        match entry.event:
            case MessageCreated(conversation_id=of, state=Message(sender_id=str() as user_id)):
                self._forestall(of, user_id)
                return self._stop(of, user_id)
            case ParticipantDeleted(conversation_id=of, user_id=user_id):
                self._forestall(of, user_id)
                return self._stop(of, user_id)
            case SideCreated(conversation_id=conversation_id) if isinstance(entry.to, str):
                seen = self.typing(conversation_id, entry.to)
                available = TypingAvailable(conversation_id=conversation_id, state=seen)
                return [Notice(event=available, only=entry.to)]
            case _:
                return []

    def lapse(self, now: float) -> list[Notice]:
        """End the marks whose time is over."""
        return [n for mark in self._marks.due(now) for n in self._stop(*mark)]

    @contextmanager
    def intending(self, conversation_id: str, user_id: str) -> Generator[Intent]:
        """Know of an intent while the body runs."""
        mark, intent = (conversation_id, user_id), Intent()
        self._intents.setdefault(mark, set()).add(intent)
        try:
            yield intent
        finally:
            intents = self._intents[mark]
            intents.discard(intent)
            if not intents:
                del self._intents[mark]

    def _came(self, signal: Came) -> list[Notice]:
        if (nodes := self._nodes.get(signal.user_id)) is not None:
            nodes.add(signal.node)
            return []
        self._nodes[signal.user_id] = {signal.node}
        return [_online_changed(signal.user_id, is_connected=True)]

    def _left(self, signal: Left) -> list[Notice]:
        user_id = signal.user_id
        nodes = self._nodes.get(user_id, set())
        nodes.discard(signal.node)
        if nodes or user_id not in self._nodes:
            return []
        del self._nodes[user_id]
        notices = [_online_changed(user_id, is_connected=False)]
        for conversation_id in tuple(self._places.get(user_id, ())):
            notices += self._stop(conversation_id, user_id)
        return notices

    def _wrote(self, signal: Wrote, now: float) -> list[Notice]:
        conversation_id, user_id = signal.conversation_id, signal.user_id
        if user_id not in self._nodes:
            return []
        self._marks.put((conversation_id, user_id), now)
        typists = self._typists.setdefault(conversation_id, {})
        if user_id in typists:
            return []
        typists[user_id] = signal.at
        self._places.setdefault(user_id, set()).add(conversation_id)
        return _typing_changed(conversation_id, user_id, signal.at, typists)

    def _forestall(self, conversation_id: str, user_id: str) -> None:
        for intent in self._intents.get((conversation_id, user_id), ()):
            intent.is_over = True

    def _stop(self, conversation_id: str, user_id: str) -> list[Notice]:
        typists = self._typists.get(conversation_id, NOBODY)
        if user_id not in typists:
            return []
        del typists[user_id]
        if not typists:
            del self._typists[conversation_id]
        self._marks.drop((conversation_id, user_id))
        places = self._places[user_id]
        places.discard(conversation_id)
        if not places:
            del self._places[user_id]
        return _typing_changed(conversation_id, user_id, None, typists)

    def __repr__(self) -> str:
        return (
            f"<Presence: {len(self._nodes)} users connected, {len(self._places)} of them write in"
            f" {len(self._typists)} conversations, {len(self._marks)} marks,"
            f" {len(self._intents)} intents>"
        )


def must_see(actor: str, conversation_id: str) -> Steps[None]:
    """Refuse if the actor may not know what goes on in a conversation."""
    require(may_see_conversation((yield from standing_of(actor, conversation_id))))


def must_write(actor: str, conversation_id: str) -> Steps[None]:
    """Refuse if the actor may not say anything in a conversation."""
    require(may_send_message((yield from standing_of(actor, conversation_id))))


def _online_changed(user_id: str, *, is_connected: bool) -> Notice:
    diff = OnlineDiff(is_connected=is_connected)
    return Notice(event=UserOnlineChanged(user_id=user_id, diff=diff))


def _seen_by(receiver: str, typists: dict[str, int]) -> Typing:
    if len(typists) - (receiver in typists) > MOST:
        return Typing(many=True, users_typing=None)
    others = {user_id: since for user_id, since in typists.items() if user_id != receiver}
    return Typing(many=False, users_typing=others)


def _typing_changed(
    conversation_id: str, user_id: str, since: int | None, typists: dict[str, int]
) -> list[Notice]:
    """Say to everybody but the user that he has begun, or stopped. `typists` is how it is now.

    Who writes himself sees one fewer than who does not, so near the limit each is told his own.
    """
    now = len(typists)
    before = now + (1 if since is None else -1)
    if max(now, before) <= MOST:  # few for everybody
        diff = TypingDiff(users_typing={user_id: since})
        return [_notice(conversation_id, diff, but=frozenset((user_id,)))]
    if min(now, before) > MOST + 1:  # many for everybody
        return []
    notices: list[Notice] = []
    if now > MOST >= before:
        diff = TypingDiff(many=True)
        notices.append(_notice(conversation_id, diff, but=frozenset(typists)))
    elif before > MOST >= now:
        diff = TypingDiff(many=False, users_typing={**typists})
        notices.append(_notice(conversation_id, diff, but=frozenset((user_id, *typists))))
    for receiver in typists.keys() - {user_id}:
        if now - 1 > MOST:
            diff = TypingDiff(many=True)
        elif before - 1 > MOST:
            others = {other: at for other, at in typists.items() if other != receiver}
            diff = TypingDiff(many=False, users_typing={**others})
        else:
            diff = TypingDiff(users_typing={user_id: since})
        notices.append(_notice(conversation_id, diff, only=receiver))
    return notices


def _notice(
    conversation_id: str,
    diff: TypingDiff,
    *,
    only: str | None = None,
    but: frozenset[str] = frozenset(),
) -> Notice:
    event = TypingChanged(conversation_id=conversation_id, diff=diff)
    return Notice(event=event, only=only, but=but)
