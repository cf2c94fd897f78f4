"""Noun: the face that every kind of thing shows to the state. One file for each; this is what they
have in common.

Not here: which nouns there are (state.py), who wants to know (rtflow.client.registry).

To add a noun: name its keys (keys.py), write its file, add it to the table in state.py and give it
a view (views.py). What nests is said by `parts`, never by reaching into another noun's keys: the
registry then reads, follows and lets go of the parts on its own.

Invariant: a noun keeps only what is held; two keep hints besides, until `forget_hints` (state.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from rtflow.client.state.asks import Ask, Gap, Topic
from rtflow.client.state.keys import Key
from rtflow.wire.endpoints import AnyEndpoint

__all__ = ["Notes", "Noun"]

K = TypeVar("K", bound=Key)


class Notes:
    """What all nouns write down: which keys are held, of how many items, which have changed, and
    whether there are hints."""

    __slots__ = ("has_hints", "held", "touched")

    def __init__(self) -> None:
        self.held: dict[Key, int] = {}
        self.touched: dict[Key, None] = {}  # in order
        self.has_hints = False

    def touch(self, *keys: Key) -> None:
        """What these keys show, lack or are made of may have changed."""
        for key in keys:
            self.touched[key] = None


class Noun(ABC, Generic[K]):
    """One kind of thing that is known by its keys.

    `kinds` are the types of its keys, `answers` the reads whose answers it takes, `events` the
    types of event that it hears of.
    """

    kinds: ClassVar[tuple[type[Key], ...]]
    answers: ClassVar[tuple[AnyEndpoint, ...]]
    events: ClassVar[tuple[type, ...]]

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    # Keys

    @abstractmethod
    def topic(self, key: K) -> Topic | None:
        """Return the subscription that a key needs; None: its parts have them."""

    def hold(self, key: K) -> None:
        """Keep a key from now on; called again when it has another number of items."""

    @abstractmethod
    def drop(self, key: K) -> None:
        """Forget a key; it is not held any more."""

    @abstractmethod
    def forget(self) -> None:
        """Know nothing any more, of what is held too."""

    def parts(self, key: K) -> tuple[Key, ...] | None:
        """Return the keys that are needed to show this one; None: not known, so as before."""
        return ()

    @abstractmethod
    def gap(self, key: K) -> Gap | None:
        """Return what has to be read of a held key, if anything."""

    # Reading

    def restart(self, key: K) -> None:
        """Its cursor has become wrong: what lacks has to be read from the start."""

    @abstractmethod
    def reads(self, keys: Sequence[K], gaps: Mapping[Key, Gap], *, expand: bool) -> Iterator[Ask]:
        """Read what these keys lack, by `gaps`, which has those of the other nouns too."""

    @abstractmethod
    def take(self, ask: Ask, result: Any) -> None:  # Any: the result of the ask's endpoint
        """Take an answer; None: there is no such thing, or I may not see it."""

    @abstractmethod
    def apply(self, event: Any) -> None:  # Any: one of `events`
        """Take what happened."""

    @abstractmethod
    def show(self, key: K, n: int) -> Any:  # Any: what the view of the key is of
        """Return what is seen of a key, `n` items of a list; `UNSET`: it is not known."""
