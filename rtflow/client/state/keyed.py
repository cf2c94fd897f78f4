"""Keyed: the bases of nouns that know one value for each key, by the ids that the key is made of.

Not here: what the values are, and which events change them (the nouns built on this). Users,
conversations and messages are not built on it: what is known of one of their keys is known of
others, too.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

from msgspec import UNSET, UnsetType, structs

from rtflow.client.state.asks import FROM_START, NOTHING, Ask, Gap, Topic
from rtflow.client.state.keys import Key
from rtflow.client.state.noun import Notes, Noun
from rtflow.model.events import SideCreated, SideDeleted
from rtflow.wire.endpoints import AnyEndpoint

__all__ = ["Keyed", "Single"]

K = TypeVar("K", bound=Key)
V = TypeVar("V")


class Keyed(Noun[K], Generic[K, V]):
    """One value for each key. None: there is no such thing, or I may not see it.

    `topics` is how a key is subscribed to and unsubscribed from; its ids are those of the key.
    """

    topics: ClassVar[tuple[AnyEndpoint, AnyEndpoint]]

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self._known: dict[K, V | None] = {}
        self._held: dict[tuple[str, ...], dict[K, None]] = {}  # by each of their first ids

    def get(self, key: K) -> V | UnsetType | None:
        """The value; `UNSET`: not known."""
        return self._known.get(key, UNSET)

    def put(self, key: K, value: V | None) -> None:
        """Take what a key is now."""
        self._known[key] = value
        self._notes.touch(key)

    def lose(self, key: K) -> None:
        """If a key was nothing, it may be something now: it has to be read."""
        if self._known.get(key, UNSET) is None:
            del self._known[key]
            self._notes.touch(key)

    def below(self, *ids: str) -> Sequence[K]:
        """Return the held keys that begin with these ids."""
        return tuple(self._held.get(ids, ()))

    def end(self, *ids: str) -> None:
        """What begins with these ids is not there any more, or not for me."""
        for key in self.below(*ids):
            if self._known.get(key, UNSET) is not None:
                self.put(key, None)

    # What a noun does

    def topic(self, key: K) -> Topic:
        """See `Noun`."""
        return Topic(*self.topics, _ids(key))

    def hold(self, key: K) -> None:
        """See `Noun`."""
        for group in _groups(key):
            self._held.setdefault(group, {})[key] = None

    def drop(self, key: K) -> None:
        """See `Noun`."""
        self._known.pop(key, None)
        for group in _groups(key):
            del self._held[group][key]
            if not self._held[group]:
                del self._held[group]

    def forget(self) -> None:
        """See `Noun`."""
        self._known.clear()

    def apply(self, event: Any) -> None:  # Any: as in `Noun`
        """See `Noun`: what is nothing without me, and so begins and ends with my membership."""
        match event:
            case SideCreated(conversation_id=id):
                for key in self.below(id):
                    self.lose(key)
            case SideDeleted(conversation_id=id):
                self.end(id)
            case _:
                self.change(event)

    @abstractmethod
    def change(self, event: Any) -> None:  # Any: one of `events`
        """Take what happened, unless I joined or left."""


class Single(Keyed[K, V]):
    """Things that come whole, each in an answer of its own."""

    def gap(self, key: K) -> Gap | None:
        """See `Noun`."""
        return None if key in self._known else FROM_START

    def reads(self, keys: Sequence[K], gaps: Mapping[Key, Gap], *, expand: bool) -> Iterator[Ask]:
        """See `Noun`."""
        for key in keys:
            yield Ask(self.answers[0], _ids(key), NOTHING, (key,))

    def take(self, ask: Ask, result: V | None) -> None:
        """See `Noun`."""
        key = cast("K", ask.covers[0])  # `reads` put it there
        if key in self._notes.held:
            self.put(key, result)


def _ids(key: Key) -> tuple[str, ...]:
    return structs.astuple(key)


def _groups(key: Key) -> Iterator[tuple[str, ...]]:
    ids = _ids(key)
    return (ids[: n + 1] for n in range(len(ids)))
