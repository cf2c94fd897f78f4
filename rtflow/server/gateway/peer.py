"""One client: takes its requests, carries them out, answers, and tells it of events.

Requests begin in the order in which they arrive and are answered as they are done.
Writes enter the store's queue without waiting for each other: group commit lives on that. A read
or an errand begins when this connection's earlier writes have settled. What a connection watches is
remembered; what its user may see is not, fanout.py asks at each delivery.

Not here: bytes (rtflow.wire.server), what a request means (commands.py), in which order answers
and events leave (ordering.py), what is told to whoever comes back (returning.py), tokens and time
(session.py), sockets (endpoint.py).
Invariants: every request is answered once, unless the connection ends first. Whatever one client
sends, others do not notice.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from time import perf_counter
from typing import Any, Final

from rtflow.errors import BadRequest, RequestRefused, ServerFailed, TooManyRequests
from rtflow.server.domain.points import Client
from rtflow.server.gateway import audience, commands
from rtflow.server.gateway.audience import Topic
from rtflow.server.gateway.node import Node
from rtflow.server.gateway.ordering import Ordering
from rtflow.server.gateway.outlet import Outlet
from rtflow.server.gateway.returning import Returning
from rtflow.server.gateway.session import Session
from rtflow.server.store.interface import Reading
from rtflow.wire.endpoints import GET_USERS, PING, RENEW, AnyEndpoint, Done, Kind, Renewed
from rtflow.wire.server import UNREADABLE_SEQ, Call, ServerProtocol, State

__all__ = ["Peer"]

logger = logging.getLogger(__name__)
wire = logging.getLogger("rtflow.wire.server")

MOST_SEEN: Final = 10_000  # users that a connection watches without having asked for it
DONE: Final = Done()
TOO_FAST: Final = TooManyRequests(
    "TOO_MANY_REQUESTS", "you ask more often than you may; ask again in a moment"
)


class Peer:
    """One connection of `user_id`. Made when the handshake is done; `end` must follow."""

    __slots__ = (
        "_asked",
        "_delayed",
        "_figures",
        "_is_over",
        "_node",
        "_open",
        "_ordering",
        "_outlet",
        "_pace",
        "_protocol",
        "_returning",
        "_seen",
        "_self",
        "_session",
        "_tell_room",
        "_topics",
        "_unsettled",
        "_written",
        "user_id",
    )

    def __init__(
        self,
        node: Node,
        user_id: str,
        protocol: ServerProtocol,
        outlet: Outlet,
        client_id: str | None = None,
    ) -> None:
        self.user_id = user_id
        self._node, self._protocol, self._outlet = node, protocol, outlet
        self._figures = node.figures
        self._session = Session(node, user_id, protocol, outlet)
        self._pace = node.pace(user_id)
        self._ordering = Ordering()
        self._returning: Returning | None = None
        if client_id is not None:
            client = Client(client_id, user_id)
            self._returning = Returning(
                node, client, protocol, self._ordering, self._publish, self.leave
            )
        self._self = Topic(audience.Kind.SELF, user_id)
        self._topics = set[Topic]()
        self._seen = dict[Topic, None]()  # those of them that were only read, the oldest first
        self._asked = 0  # how many of the others are counted for the user
        self._is_over = False
        self._open = 0  # requests under way
        self._tell_room: Callable[[], None] | None = None
        self._written = 0  # writes so far
        self._unsettled = dict[int, None]()  # those that are under way, in order
        self._delayed: deque[tuple[int, Call]] | None = None  # reads, each behind a write

    def __repr__(self) -> str:
        return (
            f"<Peer of {self.user_id!r}, {self._protocol.state.value}, {self._open} requests open>"
        )

    # What the endpoint calls

    def receive(self, message: str | None) -> None:
        """Take a message of the client; None is one that is not text."""
        self._figures.frames_in += 1
        if message is None:
            error = BadRequest("INVALID_FRAME", "a frame is a text message, not a binary one")
            self._protocol.refuse(UNREADABLE_SEQ, error)
            self._figures.unreadable[400] += 1
        elif (call := self._protocol.receive(message, perf_counter())) is not None:
            # The official client cannot bear 429 to what is about the session (protocol.md 2.5, 3).
            if call.endpoint.kind is Kind.SESSION or not self._pace.is_too_fast():
                self._begin(call)
            else:
                self._answer_with_refusal(call, TOO_FAST)
        elif self._protocol.refused is not None:
            self._count_refused(*self._protocol.refused)
        elif self._returning is not None:
            self._returning.heard()
        self._outlet.wake()

    @property
    def is_full(self) -> bool:
        """Whether as many requests are under way, or answers on their way, as there may be."""
        return self._open >= self._node.limits.requests_in_flight or self._outlet.is_full

    @property
    def subscriptions(self) -> int:
        """How many things it watches."""
        return len(self._topics)

    @property
    def under_way(self) -> int:
        """How many of its requests are not answered yet."""
        return self._open

    @property
    def unsent(self) -> int:
        """Bytes that wait for it: what it has not taken, and what waits for a read."""
        return self._outlet.waiting + self._ordering.held_bytes

    async def room(self) -> None:
        """Wait until fewer requests are under way and the client has taken its answers."""
        while self.is_full:
            is_room = asyncio.Event()
            self.when_room(is_room.set)
            await is_room.wait()

    def when_room(self, tell: Callable[[], None]) -> None:
        """Call `tell` when it may be that it is not full any more. It must be full now."""
        self._tell_room = tell
        if self._outlet.is_full:
            self._outlet.when_drained(self._make_room)

    def _make_room(self) -> None:
        tell, self._tell_room = self._tell_room, None
        if tell is not None:
            tell()

    def end(self) -> None:
        """The connection is over: let go of everything. Idempotent."""
        if self._returning is not None and not self._is_over:
            self._returning.end()
        self._is_over = True
        self._session.end()
        self._outlet.end()
        for topic in (self._self, *self._topics):
            self._node.fanout.unwatch(topic, self)
        self._topics.clear()
        self._seen.clear()
        self._count_asked()

    # What fanout calls

    def publish(self, number: int, events: list[bytes], *, at_once: bool = False) -> None:
        """Tell the client of events that happened together, in their turn."""
        if self._ordering.may_pass(number):
            self._publish(events, at_once)
            return
        self._ordering.hold(number, sum(map(len, events)), partial(self._publish, events))
        if self._ordering.held_bytes > self._node.limits.outbox:
            self.leave(1013, "too much was left unread")

    def leave(self, code: int, reason: str) -> None:
        """Close the connection."""
        self._outlet.close(code, reason)

    def _publish(self, events: list[bytes], at_once: bool = False) -> None:
        if self._protocol.state is not State.READY:
            return  # who has to show a token again learns nothing
        if at_once:
            self._outlet.send(self._protocol.publish_now(events))
        else:
            self._protocol.publish(events)
            self._outlet.wake()

    # Requests

    def _begin(self, call: Call) -> None:
        try:
            match call.endpoint.kind:
                case Kind.READ | Kind.SIGNAL:
                    self._read(call)
                case Kind.WRITE:
                    self._write(call)
                case Kind.WATCH:
                    self._watch(call)
                case Kind.SESSION:
                    self._show(call)
        except Exception as exc:
            self._refuse(call, exc)

    def _show(self, call: Call) -> None:
        if call.endpoint is PING:
            self._answer(call, DONE)
        elif (renewed := self._session.renew(call.params.token)) is not None:
            self._node.fanout.watch(self._self, self)
            if self._returning is not None:
                self._returning.admit(partial(self._welcome, call, renewed))
            else:
                self._welcome(call, renewed)

    def _welcome(self, call: Call, renewed: Renewed) -> None:
        logger.debug("%r has shown a good token", self.user_id)
        self._answer(call, renewed)
        self._outlet.wake()

    def _watch(self, call: Call) -> None:
        topics = commands.watched(call, self.user_id)
        if call.endpoint.method == "SUBSCRIBE":
            limit = self._node.limits.subscriptions
            wanted = set(topics)
            new = len(wanted.difference(self._topics))
            more = new + len(wanted.intersection(self._seen))
            self._check_room(more)
            for topic in topics:
                self._seen.pop(topic, None)
            while len(self._topics) + new > limit:
                self._remove(next(iter(self._seen)))
            self._add(topics)
        else:
            for topic in topics:
                self._remove(topic)
        self._count_asked()
        self._answer(call, DONE)
        if self._returning is not None and call.endpoint.method == "SUBSCRIBE":
            self._returning.subscribed(topics)

    def _check_room(self, more: int) -> None:
        """Raise `BadRequest` unless so many more things may be watched."""
        limits = self._node.limits
        whose, limit = "a connection", limits.subscriptions
        if self._asked + more <= limit:
            whose, limit = "a user", limits.subscriptions_per_user
            if self._node.watched(self.user_id) + more <= limit:
                return
        raise BadRequest("TOO_MANY_SUBSCRIPTIONS", f"{whose} may watch {limit} things at a time")

    def _count_asked(self) -> None:
        before, self._asked = self._asked, len(self._topics) - len(self._seen)
        self._node.count_watched(self.user_id, self._asked - before)

    def _add(self, topics: Iterable[Topic]) -> None:
        for topic in topics:
            self._topics.add(topic)
            self._node.fanout.watch(topic, self)

    def _remove(self, topic: Topic) -> None:
        self._seen.pop(topic, None)
        self._topics.discard(topic)
        self._node.fanout.unwatch(topic, self)

    def _write(self, call: Call) -> None:
        command = commands.command(call, self.user_id, self._node.clock(), self._node.rules)
        self._open += 1
        self._written += 1
        self._unsettled[self._written] = None
        self._node.store.submit(command, partial(self._settled, call, self._written))

    def _settled(self, call: Call, write: int, outcome: Reading[Any] | Exception) -> None:
        # Any: the result of the call's endpoint, here and below
        del self._unsettled[write]
        if isinstance(outcome, Exception):
            self._finish(call, outcome)
        else:
            self._node.fanout.when(outcome.number, partial(self._has_written, call, outcome))
        self._begin_delayed()

    def _begin_delayed(self) -> None:
        while self._delayed and not self._is_over:
            if self._outlet.is_full:
                self._outlet.when_drained(self._begin_delayed)
                break
            behind, read = self._delayed[0]
            if next(iter(self._unsettled), behind + 1) <= behind:
                break
            self._delayed.popleft()
            self._begin_read(read)

    def _has_written(self, call: Call, outcome: Reading[Any]) -> None:
        self._ordering.written(outcome.number, partial(self._finish, call, outcome.value))

    def _read(self, call: Call) -> None:
        self._open += 1
        if call.endpoint is GET_USERS:
            self._add_users(call)
        if self._unsettled or self._delayed:
            if self._delayed is None:
                self._delayed = deque()
            self._delayed.append((self._written, call))
        else:
            self._begin_read(call)

    def _add_users(self, call: Call) -> None:
        """Who reads users watches them: the official client loses SUBSCRIBEs (protocol.md 10.2).

        That is a courtesy: as many as there is room for, the newest, and they make room for what
        is asked for. Else who reads many users over the days could not watch anything any more.
        """
        topics = [t for t in commands.user_topics(call.params.ids) if t not in self._topics]
        room = min(MOST_SEEN, self._node.limits.subscriptions - self._asked)
        topics = topics[:room]
        while len(self._seen) + len(topics) > room:
            self._remove(next(iter(self._seen)))
        self._seen.update(dict.fromkeys(topics))
        self._add(topics)

    def _begin_read(self, call: Call) -> None:
        if call.endpoint in commands.ERRANDS:
            self._node.eager.start(self._run(call))
        else:
            self._ordering.begin_read()
            self._node.eager.start(self._ask(call))

    async def _run(self, call: Call) -> None:
        try:
            done = await commands.errand(call, self.user_id, self._node)
        except Exception as exc:
            self._finish(call, exc)
        else:
            self._finish(call, done)

    async def _ask(self, call: Call) -> None:
        try:
            query = commands.query(call, self.user_id, self._node.rules)
            reading = await self._node.store.read(query)
        except Exception as exc:
            self._ordering.give_up_read()
            self._finish(call, exc)
        else:
            self._node.fanout.when(reading.number, partial(self._has_read, call, reading))

    def _has_read(self, call: Call, reading: Reading[Any]) -> None:
        answer = partial(self._finish_read, call, reading.value)
        if not self._ordering.end_read(reading.number, answer):
            self._node.eager.start(self._ask(call))

    def _finish_read(self, call: Call, found: Any) -> None:
        self._finish(call, commands.value_now(call, self.user_id, self._node, found))

    # Answers

    def _finish(self, call: Call, outcome: Any) -> None:
        """Answer a request that was under way, with its result or the exception."""
        self._open -= 1
        self._make_room()
        if self._is_over:
            return
        if isinstance(outcome, Exception):
            self._refuse(call, outcome)
        else:
            self._answer(call, outcome)
            if self._returning is not None:
                self._returning.answered(call, outcome)
        self._outlet.wake()

    def _refuse(self, call: Call, error: Exception) -> None:
        if not isinstance(error, RequestRefused):
            logger.error("%s of %r failed", call.endpoint.name, self.user_id, exc_info=error)
            if call.endpoint is RENEW:  # 500 would leave its client logged out for good
                self.leave(1011, "the server failed")
                return
            error = ServerFailed("INTERNAL", "the server failed on this request; its log says why")
        self._answer_with_refusal(call, error)

    def _answer(self, call: Call, result: Any) -> None:
        self._protocol.answer(call.seq, result)
        self._count(call, 200)

    def _answer_with_refusal(self, call: Call, error: RequestRefused) -> None:
        self._protocol.refuse(call.seq, error)
        self._count(call, error.status)

    def _count(self, call: Call, status: int) -> None:
        seconds = perf_counter() - call.since
        self._figures.requests[call.endpoint.name].add(status, seconds)
        if wire.isEnabledFor(logging.DEBUG):
            name, ms = call.endpoint.name, seconds * 1000
            wire.debug("%r: %d %s: %d in %.1f ms", self.user_id, call.seq, name, status, ms)

    def _count_refused(self, endpoint: AnyEndpoint | None, status: int) -> None:
        """Count what was refused before it could be carried out."""
        if endpoint is None:
            self._figures.unreadable[status] += 1
        else:
            self._figures.requests[endpoint.name].add(status, 0.0)
        wire.debug("%r: %s: %d", self.user_id, endpoint.name if endpoint else "?", status)
