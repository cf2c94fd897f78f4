"""Requests: number, wait, settle, give up; and what becomes of them when the link drops.

Not here: when the link is ready (link.py), bytes (rtflow.wire).

A request is *waiting* (for the link), *sent* (its answer is expected on this connection),
*resting* (the server was too busy; it goes back to the waiting ones after a while) or settled.
Waiting ones leave in the order in which they were asked; a repeat takes its old place.

Two kinds of caller: one waits for its own answer and takes what comes of it (`future`); the
registry asks anew for everything whenever a connection is ready, so what it asked before that is
forgotten (`settle`). Writes keep their order when one of them rests, and so does what the registry
asks (held.py). Other reads hold nobody up, and wait for nobody.

Invariants: a slot lives exactly as long as its caller waits. A request that was sent is sent
again only if that cannot do it twice (guarantee 13). What means nothing later (typing) is given up
in silence instead: when the connection is lost, when none comes in time, when the server is busy.
"""

import asyncio
import copy
import itertools
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, Final, Protocol

from rtflow.client.deadlines import Deadlines
from rtflow.client.held import Held, rest_after
from rtflow.client.slot import Slot
from rtflow.client.stats import Counts
from rtflow.errors import (
    OutcomeUnknown,
    ProtocolError,
    RequestRefused,
    RequestTimedOut,
    RtflowError,
    SessionClosed,
    TooManyRequests,
)
from rtflow.model.params import UserIds
from rtflow.wire import codec
from rtflow.wire.client import Answer
from rtflow.wire.endpoints import GET_USERS, WATCH_USERS, AnyEndpoint, Kind

__all__ = ["Requests", "Wire"]

MOST_WAITING: Final = 10_000
MOST_IDS: Final = 1_000  # in one request for users (protocol.md 4)
MOST_FAILURES: Final = 3  # of a read, until the server's 500 is reported
MOST_LOGINS: Final = 2  # for one request that is refused with 401 again and again
BATCHED: Final[tuple[AnyEndpoint, ...]] = (WATCH_USERS, GET_USERS)  # in this order

logger = logging.getLogger(__name__)


class Wire(Protocol):
    """What requests go to: a connection that is ready."""

    @property
    def is_writable(self) -> bool:
        """Whether it takes a request now."""
        ...

    def call(self, endpoint: AnyEndpoint, ids: tuple[str, ...], params: Any) -> int:
        """Send a request; return the number that its answer will carry."""
        ...

    def forget(self, seq: int) -> None:
        """Ignore the answer."""
        ...


class Requests:
    """All requests of a session that are not settled.

    `chance` spreads the repeats; `obstacle` says why nothing can be sent now, None: it can.
    """

    def __init__(
        self,
        chance: Callable[[], float],
        obstacle: Callable[[], str | None] = lambda: None,
        counts: Counts | None = None,
    ) -> None:
        self._chance, self._obstacle = chance, obstacle
        self._counts = Counts() if counts is None else counts
        self._numbers = itertools.count()
        self._waiting: OrderedDict[int, Slot] = OrderedDict()
        self._sent: dict[int, tuple[Slot, ...]] = {}
        self._resting = dict[int, Slot]()
        self._writes = Held(self._let_go, chance)
        self._watches = Held(self._let_go, chance)  # what the registry asks
        self._deadlines = Deadlines(_time_out)
        self._wire: Wire | None = None
        self._is_open = False
        self._flush: asyncio.Handle | None = None

    def __len__(self) -> int:
        sent = sum(map(len, self._sent.values()))
        return len(self._waiting) + sent + self._at_rest

    @property
    def _at_rest(self) -> int:
        return len(self._resting) + len(self._writes) + len(self._watches)

    # Asking

    async def ask(
        self, endpoint: AnyEndpoint, ids: tuple[str, ...], params: Any, seconds: float
    ) -> Any:  # Any: the endpoint's parameter Struct and result
        """Send a request, now or when the link is ready, and return its result.

        Raises what became of it, `RequestTimedOut` after `seconds`, `TooManyRequests` when too many
        wait for the link already.
        """
        future = asyncio.get_running_loop().create_future()
        slot = Slot(next(self._numbers), endpoint, ids, params, future)
        self._submit(slot)
        self._deadlines.enter(future, seconds)
        try:
            return await future
        except _TimedOut:
            if slot.is_fleeting and not slot.was_sent:
                return endpoint.decode_result(codec.EMPTY)
            self._counts.requests_failed += 1
            obstacle = None if slot.was_sent else self._obstacle()
            raise RequestTimedOut(slot.request, seconds, obstacle) from None
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                future.exception()  # seen: it came in the turn in which the caller left
            raise
        finally:
            self._deadlines.leave(future, seconds)
            self._drop(slot)

    def ask_soon(
        self,
        endpoint: AnyEndpoint,
        ids: tuple[str, ...],
        params: Any,
        settle: Callable[[Any], None],
    ) -> None:  # Any: as in `ask`
        """Send a request, now or when the link is ready; forget it when the connection is lost."""
        self._submit(Slot(next(self._numbers), endpoint, ids, params, None, settle))

    def _submit(self, slot: Slot) -> None:
        wire, is_batched = self._wire, slot.endpoint in BATCHED
        if (lane := self._lane(slot)) is not None and lane.is_on:
            self._check_room(slot)
            lane.keep(slot)
            return
        if self._is_open and not self._waiting and not is_batched:
            assert wire is not None
            if wire.is_writable:
                self._send(wire, (slot,))
                return
        self._check_room(slot)
        self._waiting[slot.number] = slot
        if not self._is_open:
            return
        if not is_batched:
            self.flush()
        elif self._flush is None:  # at the end of this turn: others may join
            self._flush = asyncio.get_running_loop().call_soon(self.flush)

    def _check_room(self, slot: Slot) -> None:
        """Raise when too many wait already."""
        if len(self._waiting) + len(self._writes) >= MOST_WAITING and slot.future is not None:
            why = f"{MOST_WAITING} requests wait for the connection already"
            raise TooManyRequests("TOO_MANY_WAITING", why, request=slot.request)

    def _lane(self, slot: Slot) -> Held | None:
        """Return with which others it keeps its order when the server is too busy; None: none."""
        if slot.future is None:
            return self._watches
        return self._writes if slot.endpoint.kind is Kind.WRITE else None

    def _drop(self, slot: Slot) -> None:
        """The caller has left: free the slot. Without effect when it is settled."""
        if (lane := self._lane(slot)) is not None:
            lane.done(slot)
        self._waiting.pop(slot.number, None)
        self._resting.pop(slot.number, None)
        self._wake(slot)
        if slot.seq is None or slot.seq not in self._sent:
            return
        others = tuple(other for other in self._sent[slot.seq] if other is not slot)
        if others:
            self._sent[slot.seq] = others
        else:
            del self._sent[slot.seq]
            if self._wire is not None:
                self._wire.forget(slot.seq)

    # What the link says

    def open(self, wire: Wire, first: Callable[[], None]) -> None:
        """The link is ready. What `first` asks leaves before what waits already."""
        waiting, self._waiting = self._waiting, OrderedDict[int, Slot]()
        self._wire, self._is_open = wire, True
        first()
        self._waiting.update(waiting)
        self.flush()

    def hold(self) -> None:
        """Send nothing until `open` is called again; answers may come yet.

        What the registry asked is forgotten: an old UNSUBSCRIBE must not come after a new
        SUBSCRIBE.
        """
        self._is_open = False
        self._watches.end()
        for slot in [
            *self._waiting.values(),
            *self._resting.values(),
            *itertools.chain.from_iterable(self._sent.values()),
        ]:
            if slot.future is None:
                self._drop(slot)

    def lost(self) -> None:
        """The connection is gone: what was sent waits to be sent again, or is given up."""
        was_ready = self._wire is not None
        self._is_open, self._wire = False, None
        sent, self._sent = self._sent, {}
        kept = list[Slot]()
        self._watches.end()
        for slot in (*self._writes.end(), *self._waiting.values()):
            if slot.is_fleeting:
                slot.give_up()
            elif slot.future is not None or not was_ready:
                kept.append(slot)
        for slot in list(self._resting.values()):
            if slot.future is None:
                self._drop(slot)
        for slot in itertools.chain.from_iterable(sent.values()):
            slot.seq = None
            if slot.future is None:
                continue
            if slot.is_fleeting:
                slot.give_up()
            elif slot.may_repeat:
                slot.was_lost = True
                kept.append(slot)
            else:
                self._finish(slot, OutcomeUnknown(slot.request))
        self._wait(kept)

    def flush(self) -> None:
        """Send what waits, as far as the link takes it now."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        while self._waiting and self._is_open and self._wire is not None and self._wire.is_writable:
            for slots in self._next():
                self._send(self._wire, slots)

    def settle(self, answer: Answer) -> None:
        """Take an answer. One that nobody waits for is ignored."""
        slots = self._sent.pop(answer.seq, ())
        error = answer.error
        if slots:
            self._counts.round_trip = perf_counter() - slots[0].sent_at
        for slot in slots:
            slot.seq = None
            if error is None:
                result = answer.result
                if slot.endpoint is GET_USERS:  # which may have been joined to others
                    result = {i: result[i] for i in slot.params.ids if i in result}
                self._finish(slot, result)
            else:
                self._settle_error(slot, error if len(slots) == 1 else copy.copy(error))
            lane = self._lane(slot)
            if lane is not None and (error is None or error_status(error) != 429):
                lane.done(slot)

    def close(self, error: SessionClosed) -> None:
        """Fail everybody who waits, forget the rest."""
        self.hold()
        self._deadlines.end()
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        slots = [
            *itertools.chain.from_iterable(self._sent.values()),
            *self._waiting.values(),
            *self._resting.values(),
            *self._writes.end(),
        ]
        self._sent.clear()
        self._waiting.clear()
        self._resting.clear()
        for slot in slots:
            self._wake(slot)
            if slot.future is not None:
                self._finish(slot, type(error)(error.reason))

    # Inside

    def _next(self) -> Iterable[tuple[Slot, ...]]:
        """Take what leaves next: one request, or all for users up to the next other one, joined.

        Among the latter SUBSCRIBE goes first, whatever the order: so nothing is read before it is
        watched.
        """
        _, first = self._waiting.popitem(last=False)
        if first.endpoint not in BATCHED:
            return [(first,)]
        run = [first]
        for slot in self._waiting.values():
            if slot.endpoint not in BATCHED:
                break
            run.append(slot)
        for slot in run[1:]:
            del self._waiting[slot.number]
        return [
            batch
            for endpoint in BATCHED
            for batch in batches([slot for slot in run if slot.endpoint is endpoint])
        ]

    def _send(self, wire: Wire, slots: tuple[Slot, ...]) -> None:
        first = slots[0]
        params = first.params
        if len(slots) > 1:
            params = UserIds(ids=tuple(dict.fromkeys(i for slot in slots for i in slot.params.ids)))
        try:
            seq = wire.call(first.endpoint, first.ids, params)
        except RtflowError as exc:
            for slot in slots:
                self._finish(slot, copy.copy(exc))
            return
        except Exception as exc:  # a mistake of ours: the asker learns of it, the others go on
            for slot in slots:
                if slot.future is None:
                    logger.exception("%s cannot be sent", slot.request)
                self._finish(
                    slot, ProtocolError(f"{slot.request} cannot be sent: {type(exc).__name__}")
                )
            return
        now = perf_counter()
        for slot in slots:
            self._counts.requests_retried += slot.was_sent
            slot.seq, slot.was_sent, slot.sent_at = seq, True, now
        self._counts.requests_sent += len(slots)
        self._sent[seq] = slots

    def _finish(self, slot: Slot, outcome: Any) -> None:  # Any: the result, or an exception
        if isinstance(outcome, BaseException):
            self._counts.requests_failed += 1
        else:
            self._counts.requests_answered += 1
        slot.finish(outcome)

    def _settle_error(self, slot: Slot, error: RtflowError) -> None:
        if not isinstance(error, RequestRefused):
            self._finish(slot, error)
            return
        endpoint = slot.endpoint
        if slot.was_lost and error.status == endpoint.done_if_repeated:
            slot.give_up()
        elif error.status == 401 and slot.future is None:
            pass  # forgotten: it is asked anew after the login
        elif error.status == 401 and slot.logins < MOST_LOGINS:
            slot.logins += 1
            self._wait([*self._waiting.values(), slot])
        elif error.status == 429 and slot.is_fleeting:
            slot.give_up()
        elif error.status == 429 and (lane := self._lane(slot)) is not None:
            self._hold_back(slot, lane)
        elif error.status == 429 or (
            error.status >= 500 and endpoint.kind in READS and slot.failures < MOST_FAILURES
        ):
            self._rest(slot)
        else:
            self._finish(slot, error)

    def _rest(self, slot: Slot) -> None:
        """Try again in a while; the caller's own time goes on."""
        pause = rest_after(slot.failures, self._chance())
        slot.failures = min(slot.failures + 1, 100)
        self._resting[slot.number] = slot
        slot.rest = asyncio.get_running_loop().call_later(pause, self._rested, slot)

    def _rested(self, slot: Slot) -> None:
        slot.rest = None
        del self._resting[slot.number]
        self._wait([*self._waiting.values(), slot])
        self.flush()

    def _hold_back(self, slot: Slot, lane: Held) -> None:
        """Try it again in a while, and none before that was asked after it."""
        lane.refused(slot)
        for other in list(self._waiting.values()):
            if self._lane(other) is lane:
                lane.keep(self._waiting.pop(other.number))

    def _let_go(self, slots: list[Slot]) -> None:
        self._wait([*self._waiting.values(), *slots])
        self.flush()

    @staticmethod
    def _wake(slot: Slot) -> None:
        if slot.rest is not None:
            slot.rest.cancel()
            slot.rest = None

    def _wait(self, slots: list[Slot]) -> None:
        """Let these wait, in the order in which they were asked."""
        slots.sort(key=lambda slot: slot.number)
        self._waiting = OrderedDict((slot.number, slot) for slot in slots)

    def __repr__(self) -> str:
        return (
            f"<Requests: {len(self._waiting)} waiting, {len(self._sent)} sent, "
            f"{self._at_rest} resting>"
        )


def error_status(error: RtflowError) -> int:
    return error.status if isinstance(error, RequestRefused) else 0


READS: Final = frozenset({Kind.READ, Kind.WATCH})


def batches(slots: list[Slot]) -> list[tuple[Slot, ...]]:
    """Cut requests for users into groups of at most `MOST_IDS` ids."""
    found: list[tuple[Slot, ...]] = []
    group: list[Slot] = []
    size = 0
    for slot in slots:
        if group and size + len(slot.params.ids) > MOST_IDS:
            found.append(tuple(group))
            group, size = [], 0
        group.append(slot)
        size += len(slot.params.ids)
    if group:
        found.append(tuple(group))
    return found


class _TimedOut(Exception):
    """The time of one request is up."""


def _time_out(future: asyncio.Future[Any]) -> None:  # Any: the endpoint's result
    if not future.done():
        future.set_exception(_TimedOut())
