"""Presence: the noun of who has a connection."""

from typing import TypeAlias

from msgspec import UNSET, UnsetType

from rtflow.client.state.keyed import Single
from rtflow.client.state.keys import Key, OnlineKey, UserKey
from rtflow.client.state.noun import Notes
from rtflow.client.state.users import Users
from rtflow.model.entities import Online
from rtflow.model.events import UserCreated, UserOnlineChanged
from rtflow.model.snapshots import UserOnlineSnapshot
from rtflow.wire.endpoints import GET_ONLINE, UNWATCH_ONLINE, WATCH_ONLINE

__all__ = ["Presence"]

AboutPresence: TypeAlias = UserCreated | UserOnlineChanged


class Presence(Single[OnlineKey, Online]):
    """Who is connected. None: there is no such user."""

    kinds = (OnlineKey,)
    topics = (WATCH_ONLINE, UNWATCH_ONLINE)
    answers = (GET_ONLINE,)
    events = (UserCreated, UserOnlineChanged)

    def __init__(self, notes: Notes, users: Users) -> None:
        super().__init__(notes)
        self._users = users

    def parts(self, key: OnlineKey) -> tuple[Key, ...]:
        """See `Noun`: the user, who may come into being."""
        return (UserKey(key.user),)

    def change(self, event: AboutPresence) -> None:
        """See `Keyed`."""
        key = OnlineKey(event.user_id)
        if isinstance(event, UserCreated):
            self.lose(key)
        elif self.get(key):
            self.put(key, Online(is_connected=event.diff.is_connected))

    def show(self, key: OnlineKey, n: int = 1) -> UserOnlineSnapshot | UnsetType | None:
        """See `Noun`."""
        online, user = self.get(key), self._users.get(key.user)
        if online is None or user is None:
            return None
        if online is UNSET or user is UNSET:
            return UNSET
        return UserOnlineSnapshot(user=user, is_connected=online.is_connected)
