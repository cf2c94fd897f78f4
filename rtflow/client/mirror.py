"""Mirror: keeps what is watched equal to what the server has. The shell around registry and state.

Not here: what to ask and what it means (registry.py, state/), sockets and retries (link.py).

Every turn has the same order, whatever began it (a frame, a call, a timer): the core takes it in,
then requests leave, then observers are called, and they may call back in. Invariant: a source that
has observers holds a lease, and is told of each change of its key until the last observer leaves.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from msgspec import UNSET, Struct, UnsetType, structs

from rtflow.client.few import Few, adding, removing
from rtflow.client.live import Cell, Detach, Newest, Observer, Place
from rtflow.client.registry import Lease, Registry
from rtflow.client.state import View
from rtflow.client.state.asks import Ask, Outcome
from rtflow.client.state.keys import Key, ListKey
from rtflow.client.stream import Home
from rtflow.errors import Forbidden, NotFound, RequestTimedOut, RtflowError, SessionClosed
from rtflow.model.entities import Conversation
from rtflow.model.events import Event
from rtflow.model.params import GetConversation
from rtflow.wire.endpoints import GET_CONVERSATION, GET_CONVERSATIONS, Endpoint, Kind

__all__ = ["Link", "Mirror", "Watched"]

P = TypeVar("P", bound=Struct)
R = TypeVar("R")
T = TypeVar("T")


class Link(Protocol):
    """What a mirror needs of the connection (link.py)."""

    live: bool

    def want(self) -> None:
        """Connect, if nobody has wanted that so far."""
        ...

    def obstacle(self) -> str | None:
        """Return why nothing can be asked now; None: it can."""
        ...

    async def ask(self, endpoint: Endpoint[P, R], ids: tuple[str, ...], params: P) -> R:
        """Ask, and wait for the answer."""
        ...

    def ask_soon(
        self,
        endpoint: Endpoint[P, R],
        ids: tuple[str, ...],
        params: P,
        settle: Callable[[R | RtflowError], None],
    ) -> None:
        """Ask; `settle` is called in frame order, or never when the connection is lost."""
        ...


class Mirror:
    """One session's picture of the server. `me`: the user's id; `patience`: seconds per request."""

    link: Link

    __slots__ = (
        "__weakref__",  # what some refs remember for it goes with it
        "_alarm",
        "_end",
        "_rings_at",
        "_sources",
        "home",
        "link",
        "me",
        "patience",
        "registry",
    )

    def __init__(self, me: str, home: Home, *, linger: float, patience: float) -> None:
        self.me, self.home, self.patience = me, home, patience
        self.registry = Registry(me, linger=linger)
        self._sources: dict[Key, Few[Watched[Any]]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._rings_at: float | None = None  # the alarm: one of uvloop that is due cannot say so
        self._end: SessionClosed | None = None

    # What the link tells

    def connected(self) -> None:
        """A connection is ready."""
        self.registry.connected(self._now())
        self.turn()

    def disconnected(self) -> None:
        """There is no connection any more."""
        self.registry.disconnected()

    def happened(self, events: tuple[Event, ...]) -> None:
        """The server has told of events that belong together."""
        home, registry = self.home, self.registry
        home.counts.events += len(events)
        registry.apply(events, home.loop.time())
        if registry.has_errands:
            self.turn()
        else:
            self._tell(registry.take_changed())

    def end(self, reason: SessionClosed, *, is_failure: bool) -> None:
        """The session is over: complete every stream, or fail it with the reason."""
        if self._end is not None:
            return
        self._end = self.home.ended = reason
        if self._alarm is not None:
            self._alarm.cancel()
        sources = [source for key in self._sources.values() for source in key]
        self._sources.clear()
        self.registry = Registry(self.me, linger=0)  # who holds a closed session holds no more
        for source in sources:
            source.end(reason if is_failure else None)

    # What refs ask for

    def check(self) -> None:
        """Raise if the session is over, or not begun."""
        if self._end is not None:
            raise self.over() from self._end
        _ = self.home.loop  # raises while there is none

    def over(self) -> SessionClosed:
        """Why nothing can be asked any more, as an error of its own for each who asks."""
        assert self._end is not None
        return type(self._end)(self._end.reason)

    @property
    def observers(self) -> int:
        """How many are called, of all sources."""
        return sum(source.observers for key in self._sources.values() for source in key)

    async def ask(self, endpoint: Endpoint[P, R], ids: tuple[str, ...], params: P) -> R:
        """Ask the server, and wait for the answer."""
        self.check()
        if endpoint.kind is not Kind.WRITE or not ids:
            return await self.link.ask(endpoint, ids, params)
        writing = self.registry.state.writing
        writing[ids[0]] += 1
        try:
            return await self.link.ask(endpoint, ids, params)
        finally:
            writing[ids[0]] -= 1
            if not writing[ids[0]]:
                del writing[ids[0]]

    def known(self, view: View[T]) -> T | UnsetType:
        """Return what a view shows, if that is known and kept fresh."""
        return view.show(self.registry.state) if self.link.live else UNSET

    async def read(self, view: View[T]) -> T:
        """Return what a view shows: from memory if it is known there, else from the server."""
        self.check()
        if (value := self.known(view)) is not UNSET:
            return value
        if isinstance(view.key, ListKey) and view.key in self._sources:
            return await self._read_by_watching(
                view
            )  # it is being read, perhaps for a write of mine
        if (ask := view.ask) is None:
            return await self._read_as_if_watched(view)
        outcome: Outcome
        try:
            outcome = await self.link.ask(ask.endpoint, ask.ids, ask.params)
            value = view.answer(outcome)
        except (NotFound, Forbidden) as exc:
            outcome = exc
            value = view.answer(None)
        return await self._read_as_if_watched(view, ask, outcome) if value is UNSET else value

    async def side(self, id: str) -> Conversation | None:
        """Return a conversation as it travels: from memory if it is known, else by asking."""
        self.check()
        if self.link.live and (side := self.registry.state.sides.known.get(id)) is not UNSET:
            return side
        try:
            return await self.link.ask(GET_CONVERSATION, (id,), GetConversation())
        except (NotFound, Forbidden):
            return None

    async def _read_as_if_watched(
        self, view: View[T], asked: Ask | None = None, outcome: Outcome = None
    ) -> T:
        """Let a registry of its own say what has to be read; what does not wait for another at
        once. `outcome` is what came of what was `asked` already.

        Conversations are ordered by what happens to them: one that moves up between two pages is in
        neither. So where one page is not enough, they are watched while they are read.
        """
        registry = Registry(self.me, linger=0, watching=False)
        registry.connected(0)
        registry.acquire(view.key, view.size, 0)
        while (value := view.show(registry.state)) is UNSET:
            work = registry.take()
            for _, error in work.failed:
                raise error
            assert work.asks, f"{view} is not known, and nothing is left to ask"
            if any(map(_is_next_page, work.asks)):
                return await self._read_by_watching(view)
            first, *others = work.asks
            if asked is not None and asked.is_like(first):
                outcomes, asked = [outcome, *await self._outcomes(others)], None
            else:
                outcomes = await self._outcomes(work.asks)
            for ask, outcome in zip(work.asks, outcomes, strict=True):
                registry.settle(ask, outcome, 0)
        return value

    async def _read_by_watching(self, view: View[T]) -> T:
        """Watch until it is shown."""
        request = f"{GET_CONVERSATIONS.method} {GET_CONVERSATIONS.path()}"
        return await self.shown(Watched(self, view), request)

    async def shown(self, source: "Watched[T]", request: str) -> T:
        """Watch a source until it shows something, for as long as one request may take."""
        values = Newest(self.home, source)
        try:
            async with asyncio.timeout(self.patience):
                return await anext(values)
        except TimeoutError as exc:
            raise RequestTimedOut(request, self.patience, self.link.obstacle()) from exc
        except StopAsyncIteration as exc:
            raise self.over() from exc
        finally:
            await values.aclose()

    async def _outcomes(self, asks: Sequence[Ask]) -> list[Outcome]:
        if len(asks) == 1:
            return [await self._outcome(asks[0])]
        async with asyncio.TaskGroup() as group:  # they leave in this order
            tasks = [group.create_task(self._outcome(ask)) for ask in asks]
        return [task.result() for task in tasks]

    async def _outcome(self, ask: Ask) -> Outcome:
        try:
            return await self.link.ask(ask.endpoint, ask.ids, ask.params)
        except RtflowError as exc:
            return exc

    # What sources want

    def acquire(self, source: "Watched[Any]") -> Lease:  # Any: sources of all types, here and below
        """Keep what a source looks at fresh from now on; what that asks leaves with `turn`."""
        view = source.view
        self._sources[view.key] = adding(self._sources.get(view.key, ()), source)
        lease = self.registry.acquire(view.key, view.size, self._now())
        if not self.link.live:
            self.link.want()
        return lease

    def resize(self, lease: Lease, size: int) -> None:
        """Keep another number of items fresh."""
        self.registry.resize(lease, size, self._now())
        self.turn()

    def release(self, source: "Watched[Any]", lease: Lease) -> None:
        """Keep it fresh no more."""
        self._forget(lease.key, source)
        self.registry.release(lease, self._now())
        self.turn()

    def _forget(self, key: Key, source: "Watched[Any]") -> None:
        sources = self._sources.get(key)
        if sources is None or source not in sources:
            return  # it is being ended
        if left := removing(sources, source):
            self._sources[key] = left
        else:
            del self._sources[key]

    # The turn

    def turn(self) -> None:
        """Send what is to be asked, then tell observers what has changed."""
        work = self.registry.take()
        if self.link.live:  # or `connected` will ask for all of it
            for ask in work.asks:
                self.link.ask_soon(ask.endpoint, ask.ids, ask.params, partial(self._settled, ask))
        self._set_alarm()
        for key, error in work.failed:
            for source in self._sources.pop(key, ()):
                source.end(error)
        self._tell(work.changed)

    def _tell(self, changed: Iterable[Key]) -> None:
        for key in changed:
            for source in tuple(self._sources.get(key, ())):
                source.refresh()

    def _settled(self, ask: Ask, outcome: Outcome) -> None:
        self.registry.settle(ask, outcome, self._now())
        self.turn()

    def _set_alarm(self) -> None:
        deadline = self.registry.deadline
        if self._alarm is not None:
            if self._rings_at == deadline:
                return
            self._alarm.cancel()
            self._alarm = None
        if deadline is not None and self._end is None:
            self._rings_at = deadline
            self._alarm = self.home.loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._alarm = None
        self.registry.expire(self._now())
        self.turn()

    def _now(self) -> float:
        return self.home.loop.time()


class Watched(Generic[T]):
    """The source of a `Live` that shows a view: holds a lease while it has observers."""

    __slots__ = ("_cell", "_lease", "_mirror", "view")

    def __init__(self, mirror: Mirror, view: View[T]) -> None:
        self.view = view
        self._mirror = mirror
        self._cell = Cell[T]()
        self._lease: Lease | None = None

    def attach(self, observer: Observer[T]) -> Detach:
        """See `Source`. After the end of the session the observer gets that as its error."""
        try:
            self._mirror.check()
        except SessionClosed as exc:
            observer.on_error(exc)
            return _nothing
        cell, is_first = self._cell, self._lease is None
        if self._lease is None:  # before anybody is called: he may attach another one
            self._lease = self._mirror.acquire(self)
        place = cell.join(observer, self._current())
        if is_first:  # after he has joined: what cannot even be sent fails at once
            self._mirror.turn()
            if cell is self._cell:
                self.refresh()
        return Attached(self, cell, place)

    def detach(self, cell: Cell[T], place: Place[T]) -> None:
        """Call the observer at this place no more; the cell may have ended."""
        cell.leave(place)
        if cell is self._cell and not cell.is_watched:
            self._let_go()

    @property
    def observers(self) -> int:
        """How many are called."""
        return self._cell.observers

    async def read(self) -> T:
        """See `Source`."""
        return await self._mirror.read(self.view)

    async def lengthen(self, n: int) -> None:
        """Look at `n` more items; while it is watched, return when they are shown.

        Raises `RequestTimedOut`, `SessionClosed`, or what the stream fails with.
        """
        self._mirror.check()
        self.view = structs.replace(self.view, size=self.view.size + n)
        if self._lease is None:
            return
        self._mirror.resize(self._lease, self.view.size)
        await self._mirror.shown(self, "more of a window")

    def refresh(self) -> None:
        """Something that it shows has changed."""
        value = self._mirror.known(self.view)
        if value is not UNSET:
            self._cell.show(value)

    def end(self, error: Exception | None) -> None:
        """Nothing follows."""
        self._lease = None
        cell, self._cell = self._cell, Cell[T]()
        cell.end(error)

    def _current(self) -> T | UnsetType:
        return self._mirror.known(self.view)

    def _let_go(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            self._cell = Cell[T]()
            self._mirror.release(self, lease)


class Attached(Generic[T]):
    """What stops the calls of one observer. A closure would hold four times as much for each."""

    __slots__ = ("_cell", "_place", "_source")

    def __init__(self, source: Watched[T], cell: Cell[T], place: Place[T]) -> None:
        self._source, self._cell, self._place = source, cell, place

    def __call__(self) -> None:
        self._source.detach(self._cell, self._place)


def _is_next_page(ask: Ask) -> bool:
    """Whether it asks for conversations that follow those of another page."""
    return ask.endpoint is GET_CONVERSATIONS and ask.cursor is not UNSET


def _nothing() -> None: ...
