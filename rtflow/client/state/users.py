"""Users: what is known of people, and of those whom nobody asked for yet.

Senders come with answers before anybody holds them. They wait as hints until they are held.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import UNSET, UnsetType

from rtflow.client.state.asks import FROM_START, Ask, Gap, Topic, batches
from rtflow.client.state.keys import Key, UserKey
from rtflow.client.state.noun import Notes, Noun
from rtflow.client.state.portraits import patched, user_snapshot
from rtflow.model.entities import Message, User
from rtflow.model.events import UserCreated, UserEdited
from rtflow.model.params import UserIds
from rtflow.model.snapshots import UserSnapshot
from rtflow.wire.endpoints import GET_USERS, UNWATCH_USER, WATCH_USERS

__all__ = ["Users"]


class Users(Noun[UserKey]):
    """Users by id. None: there is no such user."""

    kinds = (UserKey,)
    answers = (GET_USERS,)
    events = (UserCreated, UserEdited)

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self._held: set[str] = set()
        self._known: dict[str, UserSnapshot | None] = {}
        self._hints: dict[str, UserSnapshot | None] = {}

    def get(self, id: str) -> UserSnapshot | UnsetType | None:
        """The user; `UNSET`: not known."""
        return self._known.get(id, UNSET)

    def sender(self, message: Message) -> UserSnapshot | UnsetType | None:
        """Who has sent a message; None: the system, or somebody who is gone."""
        return None if message.sender_id is None else self._known.get(message.sender_id, UNSET)

    def load(self, id: str, user: User | None) -> None:
        """Take what a user is now."""
        if id in self._held:
            self._set(id, user_snapshot(user) if user else None)

    def meet(self, id: str, user: User | None) -> None:
        """Take what a user was in an answer about something else; what is known is fresher."""
        if id in self._known:
            return
        if id in self._held:
            self.load(id, user)
        else:
            self._hints[id] = user_snapshot(user) if user else None
            self._notes.has_hints = True

    # What a noun does

    def topic(self, key: UserKey) -> Topic:
        """See `Noun`."""
        return Topic(WATCH_USERS, UNWATCH_USER, (key.id,))

    def hold(self, key: UserKey) -> None:
        """See `Noun`."""
        id = key.id
        self._held.add(id)
        if id in self._hints and id not in self._known:
            self._set(id, self._hints[id])

    def drop(self, key: UserKey) -> None:
        """See `Noun`."""
        self._held.discard(key.id)
        self._known.pop(key.id, None)

    def forget(self) -> None:
        """See `Noun`."""
        self._known.clear()

    def forget_hints(self) -> None:
        """What came along and is not held by now is not wanted."""
        self._hints.clear()

    def gap(self, key: UserKey) -> Gap | None:
        """See `Noun`."""
        return None if key.id in self._known else FROM_START

    def reads(
        self, keys: Sequence[UserKey], gaps: Mapping[Key, Gap], *, expand: bool
    ) -> Iterator[Ask]:
        """See `Noun`: many in one request."""
        for batch in batches(keys):
            yield Ask(GET_USERS, (), UserIds(ids=tuple(key.id for key in batch)), tuple(batch))

    def take(self, ask: Ask, result: dict[str, User] | None) -> None:
        """See `Noun`."""
        found = result or {}
        for id in ask.params.ids:
            self.load(id, found.get(id))

    def apply(self, event: UserCreated | UserEdited) -> None:
        """See `Noun`."""
        known = self._known.get(event.user_id, UNSET)
        if isinstance(event, UserCreated):
            if known is None:
                self.load(event.user_id, event.state)
        elif known:
            self._set(event.user_id, patched(known, event.diff))

    def show(self, key: UserKey, n: int = 1) -> UserSnapshot | UnsetType | None:
        """See `Noun`."""
        return self.get(key.id)

    def _set(self, id: str, user: UserSnapshot | None) -> None:
        if self._known.get(id, UNSET) != user:
            self._known[id] = user
            self._notes.touch(UserKey(id))
