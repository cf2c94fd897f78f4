"""Asks: requests as values (subscribe, read, unsubscribe), before they are sent.

Not here: which keys ask for what (the nouns), and when (rtflow.client.registry).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from msgspec import UNSET, Struct, UnsetType

from rtflow.client.state.keys import Key
from rtflow.errors import RtflowError
from rtflow.model.params import Empty, GetConversation, UserIds
from rtflow.wire.endpoints import GET_CONVERSATION, WATCH_USERS, AnyEndpoint

if TYPE_CHECKING:
    from rtflow.model.entities import Conversation

__all__ = [
    "FROM_START",
    "NOTHING",
    "WITHOUT_LAST",
    "WITH_LAST",
    "Ask",
    "Gap",
    "Outcome",
    "Topic",
    "batches",
    "lacks_expand",
    "probe",
    "unwatches",
    "watches",
]

MOST_USERS: Final = 1_000  # in one request (protocol.md 4)
WITH_LAST: Final = GetConversation(expand=("lastMessage",))
WITHOUT_LAST: Final = GetConversation()
NOTHING: Final = Empty()

T = TypeVar("T")
Outcome: TypeAlias = Any  # Any: the result Struct of an endpoint, or an RtflowError


class Topic(Struct, frozen=True, gc=False):
    """What one subscription is about; `watch` without ids is about users, which go in batches."""

    watch: AnyEndpoint
    unwatch: AnyEndpoint
    ids: tuple[str, ...]


class Gap(Struct, frozen=True, gc=False):
    """What lacks of a key: `count` items from the start (`UNSET`) or from a cursor."""

    cursor: str | UnsetType
    count: int


FROM_START: Final = Gap(UNSET, 1)


class Ask(Struct, frozen=True, eq=False):
    """A request to send. Answered, `covers` are known; it subscribes to `topics`."""

    endpoint: AnyEndpoint
    ids: tuple[str, ...]
    params: Any  # Any: the endpoint's parameter Struct
    covers: tuple[Key, ...] = ()
    topics: tuple[Topic, ...] = ()

    @property
    def cursor(self) -> str | UnsetType:
        """Where in a list it reads on; `UNSET`: from the start, or it is not about a list."""
        cursor: str | UnsetType = getattr(self.params, "cursor", UNSET)
        return cursor

    def is_like(self, other: "Ask") -> bool:
        """Whether the answer to one would be the answer to the other."""
        return (self.endpoint, self.ids, self.params) == (other.endpoint, other.ids, other.params)


def watches(topics: Iterable[Topic]) -> Iterator[Ask]:
    """Subscribe to these."""
    users: list[Topic] = []
    for topic in topics:
        if topic.watch is WATCH_USERS:
            users.append(topic)
        else:
            yield Ask(topic.watch, topic.ids, NOTHING, topics=(topic,))
    for batch in batches(users):
        ids = tuple(topic.ids[0] for topic in batch)
        yield Ask(WATCH_USERS, (), UserIds(ids=ids), topics=tuple(batch))


def unwatches(topics: Iterable[Topic]) -> Iterator[Ask]:
    """Unsubscribe from these."""
    for topic in topics:
        yield Ask(topic.unwatch, topic.ids, NOTHING)


def probe(id: str) -> Ask:
    """Read a conversation that may have moved into a list."""
    return Ask(GET_CONVERSATION, (id,), WITH_LAST)


def lacks_expand(ask: Ask, outcome: Outcome) -> bool:
    """Whether the answer shows a server that does not know `expand`."""
    if isinstance(outcome, RtflowError) or not getattr(ask.params, "expand", ()):
        return False
    found: Sequence[Conversation] = getattr(outcome, "data", (outcome,))
    return any(it.last_message is UNSET for it in found)


def batches(items: Sequence[T], size: int = MOST_USERS) -> Iterator[Sequence[T]]:
    """Cut into groups of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
