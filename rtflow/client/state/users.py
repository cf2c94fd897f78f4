"""Users: what is known of people, and of those whom nobody asked for yet.

Senders come with answers before anybody holds them. They wait as hints until they are held.
"""

from msgspec import UNSET, UnsetType

from rtflow.client.state.portraits import patched, user_snapshot
from rtflow.model.entities import User
from rtflow.model.events import UserDiff
from rtflow.model.snapshots import UserSnapshot

__all__ = ["Users"]


class Users:
    """Users by id. None: there is no such user. What changes something returns whether it did."""

    __slots__ = ("_held", "_hints", "_known")

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._known: dict[str, UserSnapshot | None] = {}
        self._hints: dict[str, UserSnapshot | None] = {}

    def get(self, id: str) -> UserSnapshot | UnsetType | None:
        """The user; `UNSET`: not known."""
        return self._known.get(id, UNSET)

    def hold(self, id: str) -> bool:
        """Keep a user from now on."""
        self._held.add(id)
        return id in self._hints and id not in self._known and self._set(id, self._hints[id])

    def drop(self, id: str) -> None:
        """Forget a user."""
        self._held.discard(id)
        self._known.pop(id, None)

    def forget(self) -> None:
        """Know nothing any more."""
        self._known.clear()

    def forget_hints(self) -> None:
        """Whoever was met and is not held by now is not wanted."""
        self._hints.clear()

    def load(self, id: str, user: User | None) -> bool:
        """Take what a user is now."""
        return id in self._held and self._set(id, user_snapshot(user) if user else None)

    def meet(self, id: str, user: User | None) -> bool:
        """Take what a user was in an answer about something else; what is known is fresher."""
        if id in self._known:
            return False
        if id in self._held:
            return self.load(id, user)
        self._hints[id] = user_snapshot(user) if user else None
        return False

    def created(self, id: str, user: User) -> bool:
        """A user came into being."""
        return self.get(id) is None and self.load(id, user)

    def edited(self, id: str, diff: UserDiff) -> bool:
        """A user changed."""
        user = self._known.get(id)
        return user is not None and self._set(id, patched(user, diff))

    def _set(self, id: str, user: UserSnapshot | None) -> bool:
        if self._known.get(id, UNSET) == user:
            return False
        self._known[id] = user
        return True
