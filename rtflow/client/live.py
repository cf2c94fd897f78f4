"""Live: what can be watched. `await it.get()`, `it.observe()`, `async for value in it`,
`it.on(callback)`.

Not here: where values come from (`Source`, mirror.py), pipelines and threads (stream.py), the calls
of `on` (watching.py).

A cell keeps the latest value and calls its observers itself: no `Subject` (one observer that raises
starves the later ones, and values that observers cause arrive out of order), no `share` (latecomers
get nothing), no `replay` (returners get a stale value, at 20 times the cost).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, Protocol, TypeAlias, TypeVar

from msgspec import UNSET, UnsetType

from rtflow.client.few import Few, adding, removing
from rtflow.client.stats import Counts
from rtflow.client.stream import Guarded, Home, Stream
from rtflow.client.watching import Watching, watch

__all__ = ["Cell", "Detach", "Live", "Newest", "Observer", "Place", "Source"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)
Detach: TypeAlias = Callable[[], None]
log = logging.getLogger(__name__)


class Observer(Protocol[T_contra]):
    """Whom a cell calls."""

    def on_next(self, value: T_contra, /) -> None:
        """There is a new value."""

    def on_error(self, error: Exception, /) -> None:
        """It has failed; nothing follows."""

    def on_completed(self) -> None:
        """It has ended; nothing follows."""


class Place(Generic[T]):
    """An observer's place in a cell."""

    __slots__ = ("is_taken", "observer")

    def __init__(self, observer: Observer[T]) -> None:
        self.observer = observer
        self.is_taken = True


Call: TypeAlias = Callable[[Place[T]], None]


class Cell(Generic[T]):
    """The latest value, and who wants to see it.

    Invariants: every observer sees values in the order in which they were shown, never two equal
    ones in a row; after its place is given up, or after the end, it is not called again. The latest
    value was meant for everybody but those who are `_waiting`: so nobody is looked at when another
    one joins.
    """

    __slots__ = ("_calls", "_is_calling", "_latest", "_places", "_waiting")

    def __init__(self) -> None:
        self._latest: T | UnsetType = UNSET
        self._places: Few[Place[T]] = ()
        self._waiting: Few[Place[T]] = ()  # those who joined without a value
        self._calls: list[tuple[Call[T], Sequence[Place[T]]]] | None = None  # while there are any
        self._is_calling = False

    @property
    def is_watched(self) -> bool:
        """Somebody has a place."""
        return bool(self._places)

    @property
    def observers(self) -> int:
        """How many have a place."""
        return len(self._places)

    def join(self, observer: Observer[T], current: T | UnsetType) -> Place[T]:
        """Give an observer a place, and the `current` value at once; `UNSET`: it waits for one.

        `current` is not older than what was shown before; if it is newer, the others see it too.
        """
        place = Place(observer)
        if current is UNSET:
            self._places = adding(self._places, place)
            self._waiting = adding(self._waiting, place)
            return place
        others = self._keep(current)
        self._places = adding(self._places, place)
        value = self._latest
        assert value is not UNSET
        if others:  # noted before he is called: he may cause a newer one, which comes after it
            self._note(_next(value), others)
        self._call(_next(value), place)
        if others:
            self._tell()
        return place

    def leave(self, place: Place[T]) -> None:
        """Give a place up."""
        place.is_taken = False
        self._places = removing(self._places, place)
        self._waiting = removing(self._waiting, place)

    def show(self, value: T) -> None:
        """Tell everybody who has not seen an equal value last."""
        if others := self._keep(value):
            self._note(_next(value), others)
            self._tell()

    def end(self, error: Exception | None = None) -> None:
        """Tell everybody that nothing follows."""
        places, self._places, self._waiting = tuple(self._places), (), ()
        if error is None:
            self._note(lambda it: it.observer.on_completed(), places)
        else:
            self._note(lambda it: it.observer.on_error(error), places)
        self._tell()

    def _keep(self, value: T) -> Sequence[Place[T]]:
        """Take the latest value; return who has to be told."""
        latest = self._latest
        waiting, self._waiting = tuple(self._waiting), ()
        if latest is not UNSET and (latest is value or latest == value):
            return waiting
        self._latest = value
        return tuple(self._places)

    def _note(self, call: Call[T], places: Sequence[Place[T]]) -> None:
        if self._calls is None:
            self._calls = []
        self._calls.append((call, places))

    def _tell(self) -> None:
        """Make the calls that are noted, unless that is going on: an observer has caused them."""
        if self._is_calling:
            return
        self._is_calling = True
        try:
            while self._calls:
                call, places = self._calls.pop(0)
                for place in places:
                    self._call(call, place)
            self._calls = None
        finally:
            self._is_calling = False

    def _call(self, call: Call[T], place: Place[T]) -> None:
        if not place.is_taken:
            return
        try:
            call(place)
        except (Exception, asyncio.CancelledError):  # it is not we who are cancelled
            log.exception("an observer raised and was detached: %r", place.observer)
            self.leave(place)


def _next(value: T) -> Call[T]:
    return lambda place: place.observer.on_next(value)


class Source(Protocol[T_co]):
    """Where a `Live` gets its values."""

    def attach(self, observer: Observer[T_co]) -> Detach:
        """Call an observer from now on, with the current value first; return how to stop that."""
        ...

    async def read(self) -> T_co:
        """Return the current value: from memory where that is kept fresh, else by asking."""
        ...


class Live(Generic[T]):
    """Something that can be read, and watched. Making one, and `observe()`, send nothing."""

    def __init__(self, home: Home, source: Source[T]) -> None:
        self._home, self._source = home, source

    async def get(self) -> T:
        """Return the current snapshot: from memory while it is watched, else in one round trip.

        Includes whatever this session wrote before. Raises `RequestTimedOut`, `SessionClosed`, or a
        `RequestRefused` other than Forbidden and NotFound (those are None, or 0).
        """
        self._home.check()
        return await self._source.read()

    def observe(self) -> Stream[T]:
        """Return a stream of snapshots: the current one at once, then every newer one.

        It ends when the session is closed, and fails with what no event can mend (`SessionExpired`,
        an invalid filter); a lost connection is neither, it only falls silent for a while.
        """
        return LiveStream(self._home, self._source)

    def on(self, callback: Callable[[T], object]) -> Watching:
        """Call `callback`, async or not, with the current snapshot and then with what is new, one
        call at a time.

        While a call runs the newest snapshot waits for the next one, and those between are left
        out. A callback that raises is logged and called no more; nobody else is disturbed. Returns
        what ends it: see `Watching`. Raises `TypeError` for what is no function, `SessionClosed`
        when the session was not opened or has ended, `RtflowError` on another thread than its own.
        """
        return watch(self._home, Newest(self._home, self._source), callback)

    def __aiter__(self) -> "Newest[T]":
        """Iterate over snapshots; what is outdated before it is asked for is left out."""
        return Newest(self._home, self._source)


class LiveStream(Stream[T]):
    """The stream at the start of all pipelines: its observers are called by the cell itself.

    What reactivex would put in between (four objects with a lock each) is for streams that are
    made of others: a guarded observer and a cell keep to the rules of Rx on their own.
    """

    def __init__(self, home: Home, source: Source[T]) -> None:
        super().__init__(home)
        self._source = source

    def _connect(self, observer: Guarded[T], scheduler: object) -> Detach:
        return self._source.attach(observer)


class Newest(AsyncIterator[T]):
    """The newest value, each time that it is asked for one; waits when it has not changed.

    Ends with the session, or raises its error. Watches from the first `anext` until it ends, is
    closed by `aclose()`, or nobody holds it any more.
    """

    def __init__(self, home: Home, source: Source[T]) -> None:
        self._home = home
        self._source: Source[T] | None = source
        self._slot = Slot[T](home.counts)
        self._detach: Detach | None = None

    async def __anext__(self) -> T:
        """Return the newest value, once it differs from the last one."""
        self._home.check()
        if self._detach is None and self._source is not None:
            source, self._source = self._source, None
            self._detach = source.attach(self._slot)
        try:
            return await self._slot.take()
        except BaseException:
            if self._slot.has_ended:
                await self.aclose()
            raise

    async def aclose(self) -> None:
        """Watch no more. Idempotent."""
        self._source = None
        self._slot.on_completed()
        self._let_go()

    def __del__(self) -> None:
        # Not now: the garbage collector comes in the middle of anything, on any thread.
        if self._detach is not None:
            self._home.run_soon(self._detach)

    def _let_go(self) -> None:
        detach, self._detach = self._detach, None
        if detach is not None:
            self._home.run(detach)


class Slot(Generic[T]):
    """One value, overwritten until it is taken. Does not hold its iterator."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._value: T | UnsetType = UNSET
        self._taken: T | UnsetType = UNSET
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.has_ended = False

    def on_next(self, value: T) -> None:
        """Hold this instead."""
        self._counts.conflated += self._value is not UNSET
        self._value = value
        self._wake()

    def on_error(self, error: Exception) -> None:
        """Nothing follows."""
        self._error = error
        self.on_completed()

    def on_completed(self) -> None:
        """Nothing follows."""
        self.has_ended = True
        self._wake()

    async def take(self) -> T:
        """Return what differs from what was taken last, once there is such a thing.

        Raises the error, or `StopAsyncIteration` at the end.
        """
        while True:
            value, self._value = self._value, UNSET
            if value is not UNSET and value != self._taken:
                self._taken = value
                return value
            if self.has_ended:
                raise self._error or StopAsyncIteration
            if self._waiter is not None:
                raise RuntimeError("this iterator is being waited for already")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
