"""From committed changes to connections. The only way an event reaches a socket.

Changes come in number order and leave in number order. Who is in a conversation is read from the
store when its events are delivered, never remembered, so nobody hears anything of a conversation
he is not in. The same query brings what each of them is told in his own way (personal.py). Who
joins within a batch hears of the conversation from there on: his `side.created` includes what was
before.

Notices are events that are in no log (rtflow.server.domain.presence). They queue up with the
changes, so their order is that in which they were handed in; they have no number.

A batch is what was committed together, or as much of it as fits one frame. All of a batch reaches
a connection in one call, so that the events of a command never part. `watermark` is the number of
the last change whose events have been handed on; answers wait for it (`when`), and so come after
the events that they must not overtake.

The store's reads are coroutines that need not wait (eager.py). There is one deliverer, whatever
store: changes that arrive while it waits queue up behind it.

Not here: who may see which event (audience.py), who watches what (watchers.py), frames and outboxes
(peer.py), the log (store).
Invariant: every event is encoded at most once, and reaches a connection at most once.
"""

import heapq
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Sequence
from itertools import count
from time import perf_counter
from typing import TypeAlias

from msgspec import Struct, field

from rtflow.model.events import SideCreated, SideDiff
from rtflow.server.domain.presence import Notice
from rtflow.server.domain.tallies import Reacted
from rtflow.server.figures import Figures
from rtflow.server.gateway.audience import Audience, Topic, audience, of_messages
from rtflow.server.gateway.eager import Eager
from rtflow.server.gateway.personal import MessageKey, Seen, Touches, personal
from rtflow.server.gateway.watchers import Listener, Watchers
from rtflow.server.store.interface import (
    Change,
    Entry,
    ReactionsTouched,
    SideTouched,
    Steps,
    Store,
)
from rtflow.wire import codec

__all__ = ["Fanout", "Listener"]

logger = logging.getLogger(__name__)

FULL_BATCH = 128 * 1024  # bytes of events; a frame holds eight times that
WIDE = 32  # receivers; beyond it the first of them does not wait until the last one is told
MOST_BEHIND = 100_000  # changes and notices that wait; beyond it everybody has to read anew

Sides: TypeAlias = Callable[[str, Sequence[str]], Steps[dict[str, SideDiff]]]
"""A conversation and users to those of them who are in it, each with his whole side of it."""

Reactions: TypeAlias = Callable[[str, Collection[str], Sequence[str]], Steps[Reacted | None]]
"""A message, emoji and readers to how these stand on it; None: it is gone."""


class Crowd(Struct):
    """Who may have to hear of a conversation; with `lists` also whoever watches his list."""

    users: set[str] = field(default_factory=set[str])
    lists: bool = False
    topics: set[Topic] = field(default_factory=set[Topic])  # whose watchers are in it already


class Batch(Struct):
    """Changes that are delivered together."""

    number: int
    parcels: list[tuple[Audience, bytes]] = field(default_factory=list[tuple[Audience, bytes]])
    crowds: dict[str, Crowd] = field(default_factory=dict[str, Crowd])
    """By conversation: whose membership matters."""
    touches: Touches = field(default_factory=Touches)
    joined: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """By user and conversation: the parcel that tells him so."""


class Fanout:
    """What this node tells its connections."""

    def __init__(
        self,
        store: Store,
        eager: Eager,
        sides: Sides,
        reactions: Reactions,
        figures: Figures | None = None,
    ) -> None:
        self.watermark = store.number
        self._figures = Figures() if figures is None else figures
        self._store, self._eager, self._sides, self._reactions = store, eager, sides, reactions
        self._watchers = Watchers()
        self._newest = self.watermark  # the last change that came
        self._changes = deque[Change | Sequence[Notice]]()  # and what came between them
        self._committed = deque[tuple[int, float]]()  # the last number of a group, and when
        self._is_delivering = False
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._arrivals = count()

    @property
    def subscriptions(self) -> int:
        """How many things are watched, each counted for each connection that does."""
        return self._watchers.count()

    def watch(self, topic: Topic, listener: Listener) -> None:
        """Tell this connection of what happens there, as far as its user may see it. Idempotent."""
        self._watchers.add(topic, listener)

    def unwatch(self, topic: Topic, listener: Listener) -> None:
        """Stop telling it. Idempotent."""
        self._watchers.discard(topic, listener)

    def when(self, number: int, act: Callable[[], None]) -> None:
        """Call `act` once the events of changes up to `number` have been handed on; maybe now."""
        if number <= self.watermark:
            act()
        else:
            heapq.heappush(self._waiting, (number, next(self._arrivals), act))

    def deliver(self, changes: Sequence[Change]) -> None:
        """Hand on committed changes, in number order. Never raises, never waits."""
        self._newest = changes[-1].number
        self._committed.append((self._newest, self._store.figures.committed_at or perf_counter()))
        self._changes.extend(changes)
        self._begin()

    def hand_on(self, notices: Sequence[Notice]) -> None:
        """Hand on what is in no log, after the changes that came before. Never raises or waits."""
        if notices:
            self._changes.append(notices)
            self._begin()

    @property
    def behind(self) -> int:
        """How many changes and notices wait to be handed on."""
        return len(self._changes)

    def _begin(self) -> None:
        if len(self._changes) > MOST_BEHIND:
            self._figures.fallen_behind += 1
            logger.error("%d changes wait to be told: everybody is sent away", len(self._changes))
            self._send_away()
            self._changes.append(Change(self._newest, ()))  # so that answers wait for no other
        if not self._is_delivering:
            self._is_delivering = True
            self._eager.start(self._deliver())

    async def _deliver(self) -> None:
        try:
            while self._changes:
                try:
                    batch = self._next_batch()
                    number = batch.number
                    self._hand_out(batch, await self._look(batch))
                except Exception:
                    number = self._newest
                    logger.exception("changes up to %d could not be delivered", number)
                    self._send_away()
                self._reach(number)
        finally:
            self._is_delivering = False

    def _next_batch(self) -> Batch:
        batch, size = Batch(self.watermark), 0
        while self._changes and size < FULL_BATCH:
            change = self._changes.popleft()
            if isinstance(change, Change):
                batch.number = change.number
            for entry in change.entries if isinstance(change, Change) else change:
                to = audience(entry)
                if not self._watchers.may_concern(to):
                    continue
                if to.members_of is not None:
                    self._note(to, to.members_of, batch.crowds)
                if isinstance(entry.event, SideTouched | ReactionsTouched):
                    self._figures.conflated += not batch.touches.note(entry.event)
                else:
                    match entry:
                        case Entry(event=SideCreated(conversation_id=of), to=str(user_id)):
                            batch.joined[user_id, of] = len(batch.parcels)
                        case _:
                            pass
                    event = codec.encode(entry.event)
                    batch.parcels.append((to, event))
                    size += len(event)
        return batch

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
                crowd.users.update(listener.user_id for listener in self._watchers.of(topic))

    async def _look(self, batch: Batch) -> Seen:
        """Read who of each crowd is in the conversation, and how each sees it."""
        if not batch.crowds:
            return Seen({}, {})

        def query() -> Steps[Seen]:
            sides: dict[str, dict[str, SideDiff]] = {}
            for conversation_id, crowd in batch.crowds.items():
                sides[conversation_id] = yield from self._sides(
                    conversation_id, self._all_of(crowd)
                )
            reactions: dict[MessageKey, Reacted] = {}
            for message, emoji in batch.touches.reactions.items():
                conversation_id, message_id = message
                to = self._watchers.reached(of_messages(conversation_id), sides[conversation_id])
                readers = tuple({listener.user_id for listener in to})
                found = yield from self._reactions(message_id, emoji, readers)
                if found is not None:
                    reactions[message] = found
            return Seen(sides, reactions)

        return (await self._store.read(query)).value

    def _all_of(self, crowd: Crowd) -> tuple[str, ...]:
        if not crowd.lists:
            return tuple(crowd.users)
        lists = self._watchers.list_users()
        if not lists:
            return tuple(crowd.users)
        return (*lists, *(user for user in crowd.users if not self._watchers.has_list(user)))

    def _hand_out(self, batch: Batch, seen: Seen) -> None:
        events: defaultdict[Listener, list[bytes]] = defaultdict(list)
        reached: dict[Audience, set[Listener]] = {}
        joined = batch.joined
        for position, (to, event) in enumerate(batch.parcels):
            found = reached.get(to)
            if found is None:
                members = seen.sides[to.members_of] if to.members_of is not None else ()
                found = reached[to] = self._watchers.reached(to, members)
            if joined and (of := to.members_of) is not None:  # what was before he came is not his
                found = {it for it in found if joined.get((it.user_id, of), -1) < position}
            for listener in found:
                events[listener].append(event)
        for to, by_user in personal(batch.touches, seen):
            for listener in self._watchers.reached(to, by_user):
                events[listener].append(by_user[listener.user_id])
        is_wide = len(events) > WIDE
        for listener, what in events.items():
            listener.publish(batch.number, what, at_once=is_wide)
        self._figures.events += sum(map(len, events.values()))

    def _reach(self, number: int) -> None:
        """The events up to here are handed on: wake who waited for that."""
        self.watermark = number
        while self._committed and self._committed[0][0] <= number:
            self._figures.lag.add(perf_counter() - self._committed.popleft()[1])
        while self._waiting and self._waiting[0][0] <= number:
            _, _, act = heapq.heappop(self._waiting)
            try:
                act()
            except Exception:
                logger.exception("an answer that waited for change %d failed", number)

    def _send_away(self) -> None:
        """Who missed an event must know: a new connection reads everything again."""
        self._changes.clear()
        for listener in self._watchers.everybody():
            listener.leave(1011, "the server could not deliver an event")
