"""Typists: the noun of who is writing in a conversation at this moment.

When somebody stops is said by the server, too: there is no clock here.
"""

from typing import TypeAlias

from msgspec import UNSET, UnsetType

from rtflow.client.state.keyed import Single
from rtflow.client.state.keys import Key, TypingKey, UserKey
from rtflow.client.state.noun import Notes
from rtflow.client.state.users import Users
from rtflow.model.entities import Typing
from rtflow.model.events import (
    SideCreated,
    SideDeleted,
    TypingAvailable,
    TypingChanged,
    TypingDiff,
)
from rtflow.model.snapshots import TypingSnapshot, UserSnapshot
from rtflow.wire.endpoints import GET_TYPING, UNWATCH_TYPING, WATCH_TYPING

__all__ = ["Typists"]

AboutTyping: TypeAlias = TypingAvailable | TypingChanged


class Typists(Single[TypingKey, Typing]):
    """Who is writing, since when. None: I am not in the conversation."""

    kinds = (TypingKey,)
    topics = (WATCH_TYPING, UNWATCH_TYPING)
    answers = (GET_TYPING,)
    events = (TypingAvailable, TypingChanged, SideCreated, SideDeleted)

    def __init__(self, notes: Notes, users: Users) -> None:
        super().__init__(notes)
        self._users = users

    def parts(self, key: TypingKey) -> tuple[Key, ...] | None:
        """See `Noun`: the users."""
        typing = self.get(key)
        return None if typing is UNSET else tuple(map(UserKey, _in_order(typing)))

    def change(self, event: AboutTyping) -> None:
        """See `Keyed`."""
        key = TypingKey(event.conversation_id)
        if isinstance(event, TypingAvailable):  # whatever was known: it comes whole
            if key in self._notes.held:
                self.put(key, event.state)
        elif known := self.get(key):
            self.put(key, _merged(known, event.diff))

    def show(self, key: TypingKey, n: int = 1) -> TypingSnapshot | UnsetType | None:
        """See `Noun`; users that are gone do not write."""
        typing = self.get(key)
        if typing is None or typing is UNSET:
            return typing
        users: list[UserSnapshot] = []
        for id in _in_order(typing):
            user = self._users.get(id)
            if user is UNSET:
                return UNSET
            if user is not None:
                users.append(user)
        return TypingSnapshot(many=typing.many, users=tuple(users))


def _in_order(typing: Typing | None) -> list[str]:
    """Whoever began first, first; those of the same millisecond by id."""
    since = typing.users_typing if typing else None
    return sorted(since, key=lambda id: (since[id], id)) if since else []


def _merged(known: Typing, diff: TypingDiff) -> Typing:
    if diff.many is True:
        return Typing(many=True, users_typing=None)
    before = {} if diff.many is False else known.users_typing
    if before is None:
        return known  # too many to name, and so it stays
    changes = diff.users_typing or {}
    since = {id: at for id, at in {**before, **changes}.items() if at is not None}
    return Typing(users_typing=since)
