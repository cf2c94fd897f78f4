"""Watchers: which connections watch what.

Not here: what concerns whom (audience.py), who is in a conversation (read by fanout.py).
Invariant: nothing is kept of what nobody watches.
"""

from collections.abc import Collection
from typing import Protocol

from rtflow.server.gateway.audience import Audience, Kind, Topic, TopicId

__all__ = ["Listener", "Watchers"]


class Listener(Protocol):
    """One connection, as seen from here."""

    @property
    def user_id(self) -> str:
        """Whose connection it is."""
        ...

    def publish(self, number: int, events: list[bytes], *, at_once: bool = False) -> None:
        """Tell of events that happened together; `number` is the last change among them.

        `at_once`: now rather than at the end of the turn.
        """
        ...

    def leave(self, code: int, reason: str) -> None:
        """Close the connection."""
        ...


class Watchers:
    """Connections, found by what they watch."""

    def __init__(self) -> None:
        self._watching: dict[Kind, dict[TopicId, set[Listener]]] = {kind: {} for kind in Kind}
        self._emoji: dict[TopicId, set[TopicId]] = {}  # by message: the REACTIONS watched of it
        self._list_users: tuple[str, ...] | None = None  # made when needed

    def add(self, topic: Topic, listener: Listener) -> None:
        """This connection watches that. Idempotent."""
        by_id = self._watching[topic.kind]
        listeners = by_id.get(topic.id)
        if listeners is not None:
            listeners.add(listener)
            return
        by_id[topic.id] = {listener}
        if topic.kind is Kind.CONVERSATIONS:
            self._list_users = None
        elif topic.kind is Kind.REACTIONS:
            self._emoji.setdefault(topic.id[:-1], set()).add(topic.id)

    def discard(self, topic: Topic, listener: Listener) -> None:
        """It does not watch that any more. Idempotent."""
        by_id = self._watching[topic.kind]
        listeners = by_id.get(topic.id)
        if listeners is None:
            return
        listeners.discard(listener)
        if listeners:
            return
        del by_id[topic.id]
        if topic.kind is Kind.CONVERSATIONS:
            self._list_users = None
        elif topic.kind is Kind.REACTIONS:
            emoji = self._emoji[topic.id[:-1]]
            emoji.discard(topic.id)
            if not emoji:
                del self._emoji[topic.id[:-1]]

    def count(self) -> int:
        """Return how many pairs of a connection and a thing it watches there are."""
        kinds = self._watching.values()
        return sum(len(listeners) for by_id in kinds for listeners in by_id.values())

    def of(self, topic: Topic) -> set[Listener]:
        """Return who watches something. Not to be changed."""
        if topic.kind is Kind.ANY_REACTION:
            by_id = self._watching[Kind.REACTIONS]
            return set[Listener]().union(*(by_id[it] for it in self._emoji.get(topic.id, ())))
        return self._watching[topic.kind].get(topic.id) or set()

    def may_concern(self, to: Audience) -> bool:
        """Whether any connection may be in this audience."""
        if to.lists:
            lists = self._watching[Kind.CONVERSATIONS]
            if lists if to.only is None else to.only in lists:
                return True
        return any(self.of(topic) for topic in to.topics)

    def reached(self, to: Audience, members: Collection[str]) -> set[Listener]:
        """Return the connections in this audience; `members` are in the conversation it names."""
        if len(to.topics) == 1:
            found = self.of(to.topics[0])
        else:
            found = set[Listener]().union(*map(self.of, to.topics))
        if to.members_of is not None:
            found = {listener for listener in found if listener.user_id in members}
            if to.lists:
                lists = self._watching[Kind.CONVERSATIONS]
                found.update(*(lists[user_id] for user_id in members if user_id in lists))
        if to.only is not None:
            found = {listener for listener in found if listener.user_id == to.only}
        if to.but:
            found = {listener for listener in found if listener.user_id not in to.but}
        return found

    def has_list(self, user_id: str) -> bool:
        """Whether somebody watches the list of his conversations."""
        return user_id in self._watching[Kind.CONVERSATIONS]

    def list_users(self) -> tuple[str, ...]:
        """Return who watches the list of his conversations."""
        if self._list_users is None:
            lists = self._watching[Kind.CONVERSATIONS]
            self._list_users = tuple(user for user in lists if isinstance(user, str))
        return self._list_users

    def everybody(self) -> set[Listener]:
        """Return all connections that have asked to watch anything."""
        asked = [by_id for kind, by_id in self._watching.items() if kind is not Kind.SELF]
        return {one for by_id in asked for some in by_id.values() for one in some}
