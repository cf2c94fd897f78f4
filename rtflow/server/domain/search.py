"""Search: messages by what they say, conversations by their subject.

A search goes on in steps, each of which looks at a bounded piece, so that searches can take turns;
what its user may see is asked anew at each. Who is in few conversations has those searched and
nothing else. For others the index is gone through from its end, a span at a time.

Not here: words and the index (fulltext.py), keeping it (indexing.py), one step after the other
(server/http/search.py).
"""

from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

from msgspec import Struct, structs

from rtflow.errors import BadRequest
from rtflow.model.entities import Conversation, FoundMessage
from rtflow.model.filters import ALL, Filter, matches
from rtflow.server.domain.fulltext import (
    Hit,
    conversation_hits,
    last_position,
    message_hits,
    terms_of,
)
from rtflow.server.domain.messages import messages_by_ids
from rtflow.server.domain.paging import LATEST, Position, Time, resume
from rtflow.server.domain.sides import side_of
from rtflow.server.store.interface import Steps, rows
from rtflow.wire.codec import decoder

__all__ = ["Asked", "ConversationSearch", "Find", "MessageSearch", "Search"]

T = TypeVar("T")

MOST_TEXT: Final = 1_000  # characters
FEW: Final = 256  # conversations: so many can be named one by one
SPAN: Final = 65_536  # messages, found or not, that one step goes through
CANDIDATES: Final = 4_096  # things that a filter is asked about in one step


class Asked(Struct, frozen=True, kw_only=True):
    """What is searched for: a text, where a filter lets it. Or `cursor`: to go on from there."""

    text: str = ""
    filter: Filter = ALL
    cursor: str | None = None


class Find(Struct, Generic[T], frozen=True):
    """Something that was found. `place` is where to go on behind it."""

    item: T
    place: Position


class Search(Protocol[T]):
    """A search under way, for one user."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to be found."""
        ...

    @property
    def place(self) -> Position:
        """How far it has come."""
        ...

    def step(self, most: int) -> Steps[list[Find[T]]]:
        """Look at the next piece, for `most` items. May find none, and go on all the same."""
        ...


class BeforeMessage(Position, frozen=True, tag="found messages"):
    """What was found before a place in the index."""

    text: str
    filter: Filter
    before: Time


class AfterConversation(Position, frozen=True, tag="found conversations"):
    """What was found after a conversation."""

    text: str
    filter: Filter
    activity: Time
    id: str


_before = decoder(BeforeMessage)
_after = decoder(AfterConversation)


class MessageSearch:
    """Messages with all these words, the last sent first."""

    def __init__(self, actor: str, asked: Asked) -> None:
        start = resume(_before, asked.cursor) or BeforeMessage(asked.text, asked.filter, LATEST)
        self._terms = _terms(start.text)
        self.is_over = not self._terms
        self._actor, self._start, self._before = actor, start, start.before
        self._verdicts = dict[str, bool]()  # of the filter, by conversation

    @property
    def place(self) -> BeforeMessage:
        """How far it has come."""
        return structs.replace(self._start, before=self._before)

    def step(self, most: int) -> Steps[list[Find[FoundMessage]]]:
        """Look at the next piece: all that is left, for who is in few conversations."""
        rooms = yield from _few_conversations(self._actor)
        if rooms is None:
            before = min(self._before, 1 + (yield from last_position("message")))
            floor = max(0, before - SPAN)
            looked_at = most if self._start.filter == ALL else CANDIDATES
        else:
            before, floor, looked_at = self._before, 0, most
            rooms = yield from self._sifted(rooms)
        hits = yield from message_hits(
            self._actor, self._terms, rooms, before=before, floor=floor, most=looked_at
        )
        wanted: list[Hit] = []
        for hit in hits:
            if len(wanted) < most and (yield from self._is_wanted(hit.conversation_id)):
                wanted.append(hit)
        finds = yield from self._finds(wanted)
        if len(wanted) == most:
            self._before = wanted[-1].position
        elif len(hits) == looked_at:
            self._before = hits[-1].position
        else:
            self._before, self.is_over = floor, floor == 0
        return finds

    def _sifted(self, conversation_ids: Sequence[str]) -> Steps[list[str]]:
        for conversation_id in conversation_ids:
            yield from self._is_wanted(conversation_id)
        return [it for it in conversation_ids if self._verdicts.get(it, True)]

    def _is_wanted(self, conversation_id: str) -> Steps[bool]:
        if self._start.filter == ALL:
            return True
        if conversation_id not in self._verdicts:
            side = yield from side_of(self._actor, conversation_id)
            is_wanted = side is not None and matches(self._start.filter, side)
            self._verdicts[conversation_id] = is_wanted
        return self._verdicts[conversation_id]

    def _finds(self, hits: Sequence[Hit]) -> Steps[list[Find[FoundMessage]]]:
        messages = yield from messages_by_ids(self._actor, [hit.id for hit in hits])
        return [
            Find(
                FoundMessage(conversation_id=hit.conversation_id, **structs.asdict(message)),
                structs.replace(self._start, before=hit.position),
            )
            for hit in hits
            if (message := messages.get(hit.id)) is not None
        ]


class ConversationSearch:
    """Conversations with all these words in their subject, the most recently active first."""

    def __init__(self, actor: str, asked: Asked) -> None:
        self.place = resume(_after, asked.cursor) or AfterConversation(
            asked.text, asked.filter, LATEST, ""
        )
        self._terms = _terms(self.place.text)
        self.is_over = not self._terms
        self._actor = actor

    def step(self, most: int) -> Steps[list[Find[Conversation]]]:
        """Look at the next piece."""
        rooms = yield from _few_conversations(self._actor)
        looked_at = most if self.place.filter == ALL else CANDIDATES
        hits = yield from conversation_hits(
            self._actor,
            self._terms,
            rooms,
            activity=self.place.activity,
            after=self.place.id,
            most=looked_at,
        )
        finds: list[Find[Conversation]] = []
        for hit in hits:
            side = yield from side_of(self._actor, hit.id)
            assert side is not None, "it was found where he is"
            self.place = structs.replace(self.place, activity=side.last_message_at, id=side.id)
            if matches(self.place.filter, side):
                finds.append(Find(side, self.place))
            if len(finds) == most:
                return finds
        self.is_over = len(hits) < looked_at
        return finds


class _Room(Struct, frozen=True):
    id: str


def _few_conversations(user_id: str) -> Steps[list[str] | None]:
    """Return all conversations of a user; None when they are too many to name."""
    found = yield from rows(
        _Room,
        "SELECT conversation_id FROM participants WHERE user_id = ?1 LIMIT ?2",
        user_id,
        FEW + 1,
    )
    return [room.id for room in found] if len(found) <= FEW else None


def _terms(text: str) -> tuple[str, ...]:
    if len(text) > MOST_TEXT:
        raise BadRequest(
            "SEARCH_TOO_LONG", f"one can search for {MOST_TEXT} characters, not {len(text)}"
        )
    return terms_of(text)
