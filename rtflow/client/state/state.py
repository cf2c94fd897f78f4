"""State: what is known of the server's data, changed by events and by answers. No I/O, no clock.

Not here: who wants to know what (rtflow.client.registry), and what each kind of thing does: that is
in one file for each (noun.py says what they have in common). This is their table.

Only what is held is kept. `UNSET` means "not known", None "it does not exist, or I may not see it".
An event about something that is not known is ignored: the answer that makes it known includes it
(protocol.md 2.2). An event applied twice changes nothing the second time.

A sender, or a list's last messages, come with answers before anybody holds them. They wait as
*hints* until the registry has asked for `parts`, and are forgotten with `forget_hints`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, Final, TypeAlias, get_args

from msgspec import UNSET

from rtflow.client.state.asks import Ask, Gap, Outcome, Topic
from rtflow.client.state.keys import Key
from rtflow.client.state.messages import Messages
from rtflow.client.state.noun import Notes, Noun
from rtflow.client.state.participants import Participants, SingleParticipants
from rtflow.client.state.presence import Presence
from rtflow.client.state.reactions import Reactions
from rtflow.client.state.sides import Sides
from rtflow.client.state.typists import Typists
from rtflow.client.state.users import Users
from rtflow.errors import Forbidden, NotFound, RtflowError
from rtflow.model.events import Event

__all__ = ["State"]

AnyNoun: TypeAlias = Noun[Any]  # Any: the table mixes the keys of all

NOUNS: Final[tuple[type[AnyNoun], ...]] = (  # reads leave in this order
    Sides,
    Messages,
    SingleParticipants,
    Participants,
    Reactions,
    Typists,
    Presence,
    Users,
)
# Where the noun of something is in `nouns`: one table for all sessions, so that each event finds it
# in the processor's cache.
BY_KIND: Final = {kind: place for place, noun in enumerate(NOUNS) for kind in noun.kinds}
BY_ANSWER: Final = {it: place for place, noun in enumerate(NOUNS) for it in noun.answers}
BY_EVENT: Final[dict[type, tuple[int, ...]]] = {
    event: tuple(place for place, noun in enumerate(NOUNS) if event in noun.events)
    for event in get_args(Event)
}


class State:
    """What one user's session knows. `me` is the user's id."""

    __slots__ = (
        "_notes",
        "_with_hints",
        "messages",
        "nouns",
        "sides",
        "users",
        "writing",
    )

    def __init__(self, me: str) -> None:
        self._notes = Notes()
        self.users = Users(self._notes)
        self.messages = Messages(self._notes, self.users)
        self.sides = Sides(self._notes, me, self.messages)
        self.writing = self.sides.known.writing
        """Conversations that this session is writing to: lists wait for what comes of it."""
        self.nouns: tuple[AnyNoun, ...] = (  # as in NOUNS
            self.sides,
            self.messages,
            SingleParticipants(self._notes, self.users),
            Participants(self._notes, self.users),
            Reactions(self._notes, self.users),
            Typists(self._notes, self.users),
            Presence(self._notes, self.users),
            self.users,
        )
        self._with_hints = (self.messages, self.users)

    def _noun(self, key: Key) -> AnyNoun:
        return self.nouns[BY_KIND[type(key)]]

    # What is held

    def hold(self, key: Key, size: int = 1) -> None:
        """Keep a key from now on; of a list, `size` items."""
        self._notes.held[key] = size
        self._noun(key).hold(key)

    def drop(self, key: Key) -> None:
        """Forget a key."""
        del self._notes.held[key]
        self._noun(key).drop(key)

    def forget(self) -> None:
        """Know nothing any more, of what is held too: the connection was lost."""
        for noun in self.nouns:
            noun.forget()

    def forget_hints(self) -> None:
        """Whatever came with the last answers and is not held by now is not wanted."""
        if self._notes.has_hints:
            self._notes.has_hints = False
            for noun in self._with_hints:
                noun.forget_hints()

    def take_touched(self) -> Iterable[Key]:
        """Return the keys that have changed since the last call, in order."""
        touched, self._notes.touched = self._notes.touched, {}
        return touched

    @property
    def strangers(self) -> Set[str]:
        """Conversations that may have moved into a list and are not known: to be read."""
        return self.sides.known.strangers.keys()

    # What it is made of, and what lacks

    def topic(self, key: Key) -> Topic | None:
        """Return the subscription that a key needs; None: its parts have them."""
        return self._noun(key).topic(key)

    def parts(self, key: Key) -> tuple[Key, ...] | None:
        """Return the keys that are needed to show this one; None: not known, so as before."""
        return self._noun(key).parts(key)

    def gap(self, key: Key, *, anew: bool = False) -> Gap | None:
        """Return what has to be read of a held key, if anything; `anew`: as if none were known."""
        noun = self._noun(key)
        if not anew:
            return noun.gap(key)
        return None if noun.topic(key) is None else Gap(UNSET, self._notes.held[key])

    def reads(self, keys: Mapping[Key, bool], *, expand: bool) -> Iterator[Ask]:
        """Read what these keys lack, or all of it where the value is true."""
        gaps = {key: gap for key, anew in keys.items() if (gap := self.gap(key, anew=anew))}
        wanted = defaultdict[AnyNoun, list[Key]](list)
        for key in gaps:
            wanted[self._noun(key)].append(key)
        for noun in self.nouns:
            if noun in wanted:
                yield from noun.reads(wanted[noun], gaps, expand=expand)

    # What happens to it

    def take(self, ask: Ask, outcome: Outcome) -> bool:
        """Take the answer to a read. False: it is an error that only asking again can mend."""
        is_hidden = isinstance(outcome, NotFound | Forbidden)
        if isinstance(outcome, RtflowError) and not is_hidden:
            return False
        self.nouns[BY_ANSWER[ask.endpoint]].take(ask, None if is_hidden else outcome)
        return True

    def restart(self, key: Key) -> None:
        """The cursor of a list has become wrong: what lacks has to be read from the start."""
        self._noun(key).restart(key)

    def apply(self, event: Event) -> None:
        """Take what happened."""
        for place in BY_EVENT[type(event)]:
            self.nouns[place].apply(event)

    def show(self, key: Key, n: int = 1) -> Any:  # Any: what the view of the key is of
        """Return what is seen of a key, `n` items of a list; `UNSET`: it is not known."""
        return self._noun(key).show(key, n)
