"""Asks: the requests that keys stand for (subscribe, read, unsubscribe), and how their answers are
taken.

Not here: when to ask (rtflow.client.registry). What one request can do for many keys it does: users
go in batches, a conversation brings its last message and that message's sender (`expand`, an
extension). A server that does not know it leaves the last message out; then it is read on its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from msgspec import UNSET, Struct, UnsetType

from rtflow.client.state.keys import (
    Key,
    LastKey,
    ListKey,
    MessagesKey,
    SideKey,
    TotalKey,
    UserKey,
)
from rtflow.client.state.state import State
from rtflow.errors import Forbidden, NotFound, RtflowError
from rtflow.model.entities import Conversation, Page
from rtflow.model.filters import ConversationFilter, Filter
from rtflow.model.params import ConversationPage, Empty, GetConversation, ListPage, UserIds
from rtflow.wire.endpoints import (
    GET_CONVERSATION,
    GET_CONVERSATIONS,
    GET_MESSAGES,
    GET_USERS,
    UNWATCH_CONVERSATION,
    UNWATCH_CONVERSATIONS,
    UNWATCH_MESSAGES,
    UNWATCH_USER,
    WATCH_CONVERSATION,
    WATCH_CONVERSATIONS,
    WATCH_MESSAGES,
    WATCH_USERS,
    AnyEndpoint,
)

__all__ = [
    "Ask",
    "Outcome",
    "Topic",
    "lacks_expand",
    "probe",
    "reads",
    "take",
    "topic_of",
    "unwatches",
    "watches",
]

MOST_USERS: Final = 1_000  # in one request
MOST_MESSAGES: Final = 100  # in one page, here and below (protocol.md 5.8)
MOST_CONVERSATIONS: Final = 30
MOST_UNREAD: Final = 100
WITH_LAST: Final = GetConversation(expand=("lastMessage",))
WITHOUT_LAST: Final = GetConversation()
NOTHING: Final = Empty()
UNREAD: Final = ConversationFilter(is_unread=True)

T = TypeVar("T")
Outcome: TypeAlias = Any  # Any: the result Struct of an endpoint, or an RtflowError


class Topic(Struct, frozen=True):
    """What one subscription is about; `watch` without ids is about users, which go in batches."""

    watch: AnyEndpoint
    unwatch: AnyEndpoint
    ids: tuple[str, ...]


class Ask(Struct, frozen=True, eq=False):
    """A request to send. Answered, `covers` are known; it subscribes to `topics`."""

    endpoint: AnyEndpoint
    ids: tuple[str, ...]
    params: Any  # Any: the endpoint's parameter Struct
    covers: tuple[Key, ...] = ()
    topics: tuple[Topic, ...] = ()


def topic_of(key: Key) -> Topic | None:
    """Return the subscription that a key needs; None: its parts have them."""
    match key:
        case UserKey(id):
            return Topic(WATCH_USERS, UNWATCH_USER, (id,))
        case SideKey(id):
            return Topic(WATCH_CONVERSATION, UNWATCH_CONVERSATION, (id,))
        case LastKey(id) | MessagesKey(id):
            return Topic(WATCH_MESSAGES, UNWATCH_MESSAGES, (id,))
        case ListKey() | TotalKey():
            return Topic(WATCH_CONVERSATIONS, UNWATCH_CONVERSATIONS, ())
        case _:
            return None


def watches(topics: Iterable[Topic]) -> Iterator[Ask]:
    """Subscribe to these."""
    users: list[Topic] = []
    for topic in topics:
        if topic.watch is WATCH_USERS:
            users.append(topic)
        else:
            yield Ask(topic.watch, topic.ids, NOTHING, topics=(topic,))
    for batch in _batches(users):
        ids = tuple(topic.ids[0] for topic in batch)
        yield Ask(WATCH_USERS, (), UserIds(ids=ids), topics=tuple(batch))


def unwatches(topics: Iterable[Topic]) -> Iterator[Ask]:
    """Unsubscribe from these."""
    for topic in topics:
        yield Ask(topic.unwatch, topic.ids, NOTHING)


def reads(state: State, keys: Mapping[Key, bool], *, expand: bool) -> Iterator[Ask]:
    """Read what these keys lack, or all of it where the value is true."""
    gaps = {key: gap for key, anew in keys.items() if (gap := state.gap(key, anew=anew))}
    users: list[UserKey] = []
    for key, gap in gaps.items():
        match key:
            case UserKey():
                users.append(key)
            case SideKey(id):
                if not (expand and LastKey(id) in gaps):  # or it comes with the last message
                    yield Ask(GET_CONVERSATION, (id,), WITHOUT_LAST, (key,))
            case LastKey(id):
                side, messages = SideKey(id), MessagesKey(id)
                if expand:
                    yield Ask(
                        GET_CONVERSATION, (id,), WITH_LAST, (key, side) if side in gaps else (key,)
                    )
                elif messages not in gaps:  # or it comes with the messages
                    yield Ask(GET_MESSAGES, (id,), ListPage(limit=1), (key,))
            case MessagesKey(id):
                last = LastKey(id)
                covers = (key, last) if last in gaps and not expand else (key,)
                params = ListPage(limit=min(gap.count, MOST_MESSAGES), cursor=gap.cursor)
                yield Ask(GET_MESSAGES, (id,), params, covers)
            case ListKey(filter):
                limit = min(gap.count, MOST_CONVERSATIONS)
                yield _page(key, limit, filter, gap.cursor, expand=expand)
            case _:  # the total; a conversation has no gap of its own, only its parts have
                yield _page(key, MOST_UNREAD, UNREAD, gap.cursor)
    for batch in _batches(users):
        yield Ask(GET_USERS, (), UserIds(ids=tuple(key.id for key in batch)), tuple(batch))


def probe(id: str) -> Ask:
    """Read a conversation that may have moved into a list."""
    return Ask(GET_CONVERSATION, (id,), WITH_LAST)


def lacks_expand(ask: Ask, outcome: Outcome) -> bool:
    """Whether the answer shows a server that does not know `expand`."""
    if isinstance(outcome, RtflowError) or not getattr(ask.params, "expand", ()):
        return False
    found: Sequence[Conversation] = getattr(outcome, "data", (outcome,))
    return any(it.last_message is UNSET for it in found)


def take(state: State, ask: Ask, outcome: Outcome) -> bool:
    """Take the answer to a read. False: it is an error that nothing but asking again can mend."""
    is_hidden = isinstance(outcome, NotFound | Forbidden)
    if isinstance(outcome, RtflowError) and not is_hidden:
        return False
    if ask.endpoint is GET_USERS:
        for id in ask.params.ids:
            state.load_user(id, None if is_hidden else outcome.get(id))
    elif ask.endpoint is GET_CONVERSATION:
        state.load_conversation(ask.ids[0], None if is_hidden else outcome)
    elif ask.endpoint is GET_MESSAGES:
        state.load_messages(ask.ids[0], None if is_hidden else outcome, ask.params.cursor)
    else:
        page: Page[Conversation] = Page(()) if is_hidden else outcome
        match ask.covers[0]:
            case ListKey() as key:
                state.load_list(key, page, ask.params.cursor)
            case _:
                state.load_total(page, ask.params.cursor)
    return True


def _page(
    key: Key,
    limit: int,
    filter: Filter,
    cursor: str | UnsetType,
    *,
    expand: bool = False,
) -> Ask:
    params = ConversationPage(
        limit=limit,
        filter=filter if cursor is UNSET else UNSET,  # a cursor carries it
        cursor=cursor,
        expand=WITH_LAST.expand if expand else (),
    )
    return Ask(GET_CONVERSATIONS, (), params, (key,))


def _batches(items: Sequence[T], size: int = MOST_USERS) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
