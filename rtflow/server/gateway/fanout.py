"""From committed changes to connections. The only way an event reaches a socket.

Changes come in number order and leave in number order. Who is in a conversation is read from the
store when its events are delivered, never remembered, so nobody hears anything of a conversation
he is not in. The same query brings what changed for each participant alone (`SideTouched`): one
`side.edited` with absolute values for each who is connected and watches, so a message costs by
those, not by all participants. Who joins within a batch hears of the conversation from there on:
his `side.created` includes what was before.

A batch is what was committed together, or as much of it as fits one frame. All of a batch reaches
a connection in one call, so that the events of a command never part. `watermark` is the number of
the last change whose events have been handed on; answers wait for it (`when`), and so come after
the events that they must not overtake.

The store's reads are coroutines that need not wait (eager.py). There is one deliverer, whatever
store: changes that arrive while it waits queue up behind it.

Not here: who may see which event (audience.py), frames and outboxes (peer.py), the log (store).
Invariant: every event is encoded at most once, and reaches a connection at most once.
"""

import heapq
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import count
from typing import Protocol

from msgspec import Struct, field

from rtflow.model.events import SideCreated, SideDiff, SideEdited
from rtflow.server.gateway.audience import Audience, Kind, Topic, TopicId, audience
from rtflow.server.gateway.eager import Eager
from rtflow.server.store.interface import Change, SideTouched, Steps, Store
from rtflow.wire import codec

__all__ = ["Fanout", "Listener"]

logger = logging.getLogger(__name__)

FULL_BATCH = 128 * 1024  # bytes of events; a frame holds eight times that


class Listener(Protocol):
    """One connection, as seen from here."""

    @property
    def user_id(self) -> str:
        """Whose connection it is."""
        ...

    def publish(self, number: int, events: list[bytes]) -> None:
        """Tell of events that happened together; `number` is the last change among them."""
        ...

    def leave(self, code: int, reason: str) -> None:
        """Close the connection."""
        ...


Sides = Callable[[str, Sequence[str]], Steps[dict[str, SideDiff]]]
"""A conversation and users to those of them who are in it, each with his whole side of it."""


class Crowd(Struct):
    """Who may have to hear of a conversation; with `lists` also whoever watches his list."""

    users: set[str] = field(default_factory=set[str])
    lists: bool = False
    topics: set[Topic] = field(default_factory=set[Topic])  # whose watchers are in it already


class Batch(Struct):
    """Changes that are delivered together."""

    number: int
    parcels: list[tuple[Audience, bytes]]
    crowds: dict[str, Crowd]  # by conversation: whose membership matters
    touched: dict[str, set[str | None]]  # by conversation: whose side changed; None: everybody's
    joined: dict[tuple[str, str], int]  # by user and conversation: the parcel that tells him so


class Fanout:
    """What this node tells its connections."""

    def __init__(self, store: Store, eager: Eager, sides: Sides) -> None:
        self.watermark = store.number
        self._store, self._eager, self._sides = store, eager, sides
        self._watchers: dict[Kind, dict[TopicId, set[Listener]]] = {kind: {} for kind in Kind}
        self._list_users: tuple[str, ...] | None = None  # who watches his list; made when needed
        self._changes = deque[Change]()
        self._is_delivering = False
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._arrivals = count()

    def watch(self, topic: Topic, listener: Listener) -> None:
        """Tell this connection of what happens there, as far as its user may see it. Idempotent."""
        by_id = self._watchers[topic.kind]
        listeners = by_id.get(topic.id)
        if listeners is not None:
            listeners.add(listener)
        else:
            by_id[topic.id] = {listener}
            if topic.kind is Kind.CONVERSATIONS:
                self._list_users = None

    def unwatch(self, topic: Topic, listener: Listener) -> None:
        """Stop telling it. Idempotent."""
        by_id = self._watchers[topic.kind]
        listeners = by_id.get(topic.id)
        if listeners is not None:
            listeners.discard(listener)
            if not listeners:
                del by_id[topic.id]
                if topic.kind is Kind.CONVERSATIONS:
                    self._list_users = None

    def when(self, number: int, act: Callable[[], None]) -> None:
        """Call `act` once the events of changes up to `number` have been handed on; maybe now."""
        if number <= self.watermark:
            act()
        else:
            heapq.heappush(self._waiting, (number, next(self._arrivals), act))

    def deliver(self, changes: Sequence[Change]) -> None:
        """Hand on committed changes, in number order. Never raises, never waits."""
        self._changes.extend(changes)
        if not self._is_delivering:
            self._is_delivering = True
            self._eager.start(self._deliver())

    async def _deliver(self) -> None:
        try:
            while self._changes:
                number = self._changes[-1].number
                try:
                    batch = self._next_batch()
                    number = batch.number
                    self._hand_out(batch, await self._participants(batch.crowds))
                except Exception:
                    number = self._changes[-1].number if self._changes else number
                    logger.exception("changes up to %d could not be delivered", number)
                    self._send_away()
                self._reach(number)
        finally:
            self._is_delivering = False

    def _next_batch(self) -> Batch:
        batch, size = Batch(0, [], {}, {}, {}), 0
        while self._changes and size < FULL_BATCH:
            change = self._changes.popleft()
            batch.number = change.number
            for entry in change.entries:
                to = audience(entry)
                if not self._is_watched(to):
                    continue
                if to.members_of is not None:
                    self._note(to, to.members_of, batch.crowds)
                if isinstance(entry.event, SideTouched):
                    touched = batch.touched.setdefault(entry.event.conversation_id, set())
                    touched.add(entry.event.user_id)
                else:
                    if isinstance(entry.event, SideCreated) and isinstance(entry.to, str):
                        seat = (entry.to, entry.event.conversation_id)
                        batch.joined[seat] = len(batch.parcels)
                    event = codec.encode(entry.event)
                    batch.parcels.append((to, event))
                    size += len(event)
        return batch

    def _is_watched(self, to: Audience) -> bool:
        if to.lists:
            lists = self._watchers[Kind.CONVERSATIONS]
            if lists if to.only is None else to.only in lists:
                return True
        return any(topic.id in self._watchers[topic.kind] for topic in to.topics)

    def _note(self, to: Audience, conversation_id: str, crowds: dict[str, Crowd]) -> None:
        """Note whose membership of the conversation matters."""
        crowd = crowds.get(conversation_id)
        if crowd is None:
            crowd = crowds[conversation_id] = Crowd()
        if to.only is not None:
            crowd.users.add(to.only)
            return
        crowd.lists |= to.lists
        for topic in to.topics:
            if topic not in crowd.topics:
                crowd.topics.add(topic)
                crowd.users.update(listener.user_id for listener in self._watching(topic))

    async def _participants(self, crowds: Mapping[str, Crowd]) -> Mapping[str, dict[str, SideDiff]]:
        """Read who of each crowd is in the conversation, and how he sees it."""
        if not crowds:
            return {}

        def query() -> Steps[dict[str, dict[str, SideDiff]]]:
            found: dict[str, dict[str, SideDiff]] = {}
            for conversation_id, crowd in crowds.items():
                found[conversation_id] = yield from self._sides(
                    conversation_id, self._all_of(crowd)
                )
            return found

        return (await self._store.read(query)).value

    def _all_of(self, crowd: Crowd) -> tuple[str, ...]:
        if not crowd.lists:
            return tuple(crowd.users)
        lists = self._watchers[Kind.CONVERSATIONS]
        if self._list_users is None:
            self._list_users = tuple(user for user in lists if isinstance(user, str))
        return (*self._list_users, *(user for user in crowd.users if user not in lists))

    def _hand_out(self, batch: Batch, sides: Mapping[str, Mapping[str, SideDiff]]) -> None:
        events: defaultdict[Listener, list[bytes]] = defaultdict(list)
        recipients: dict[Audience, set[Listener]] = {}
        joined = batch.joined
        for position, (to, event) in enumerate(batch.parcels):
            found = recipients.get(to)
            if found is None:
                found = recipients[to] = self._recipients(to, sides)
            if joined and (of := to.members_of) is not None:  # what was before he came is not his
                found = {it for it in found if joined.get((it.user_id, of), -1) < position}
            for listener in found:
                events[listener].append(event)
        for conversation_id, users in batch.touched.items():
            by_user = _side_edited(conversation_id, users, sides[conversation_id])
            topic = Topic(Kind.CONVERSATION, conversation_id)
            to = Audience(topics=(topic,), members_of=conversation_id, lists=True)
            for listener in self._recipients(to, {conversation_id: by_user}):
                events[listener].append(by_user[listener.user_id])
        for listener, what in events.items():
            listener.publish(batch.number, what)

    def _recipients(self, to: Audience, sides: Mapping[str, Mapping[str, object]]) -> set[Listener]:
        if len(to.topics) == 1:
            found = self._watching(to.topics[0])
        else:
            found = set[Listener]().union(*map(self._watching, to.topics))
        if to.members_of is not None:
            members = sides[to.members_of]
            found = {listener for listener in found if listener.user_id in members}
            if to.lists:
                lists = self._watchers[Kind.CONVERSATIONS]
                found.update(*(lists[user_id] for user_id in members if user_id in lists))
        return found

    def _watching(self, topic: Topic) -> set[Listener]:
        return self._watchers[topic.kind].get(topic.id) or set()

    def _reach(self, number: int) -> None:
        """The events up to here are handed on: wake who waited for that."""
        self.watermark = number
        while self._waiting and self._waiting[0][0] <= number:
            _, _, act = heapq.heappop(self._waiting)
            try:
                act()
            except Exception:
                logger.exception("an answer that waited for change %d failed", number)

    def _send_away(self) -> None:
        """Who missed an event must know: a new connection reads everything again."""
        self._changes.clear()
        everybody = {
            one for by_id in self._watchers.values() for some in by_id.values() for one in some
        }
        for listener in everybody:
            listener.leave(1011, "the server could not deliver an event")


def _side_edited(
    conversation_id: str, users: Set[str | None], sides: Mapping[str, SideDiff]
) -> dict[str, bytes]:
    """Encode the `side.edited` of each user whose side was touched; equal ones once."""
    encoded: dict[SideDiff, bytes] = {}
    by_user: dict[str, bytes] = {}
    for user_id, diff in sides.items():
        if None in users or user_id in users:
            event = encoded.get(diff)
            if event is None:
                event = codec.encode(SideEdited(conversation_id=conversation_id, diff=diff))
                encoded[diff] = event
            by_user[user_id] = event
    return by_user
