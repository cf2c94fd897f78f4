"""Watching: what `live.on(callback)` returns, and the task in which the callback is called.

One call at a time. While one runs there is room for one value, the newest: a callback that is
slower than the changes misses those between, and nothing piles up.

The task is a loose one. It begins with `on` and ends with what is watched, with the callback's own
failure, by `dispose`, or by the end of the session, which waits for it. A TaskGroup would make it
the business of the user's task, which a fault in here must not touch (guarantee 12).

Not here: where values come from (live.py). Invariant: after `dispose` no call begins; one that runs
is cancelled, except when it is that call which disposes.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar

from rtflow.client.stream import Disposal, Home
from rtflow.errors import SessionClosed

__all__ = ["Watching", "end_all", "watch"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

LAST_WISHES: Final = 1.0  # seconds for a callback that was cancelled

log = logging.getLogger(__name__)


class Values(Protocol[T_co]):
    """The newest value, each time (live.py)."""

    async def __anext__(self) -> T_co:
        """Wait for it."""
        ...

    async def aclose(self) -> None:
        """Watch no more."""
        ...


class Watching(Disposal):
    """A callback that is called with what is new, until it is disposed. Made by `live.on`.

    `dispose()` ends it at once, on any thread, any number of times: a call that runs is cancelled,
    unless it is the one that disposes. `async with live.on(callback):` disposes it at the end of
    the block, and waits until nothing of it is left. The end of the session ends it, too.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._is_disposed = False

    @property
    def is_over(self) -> bool:
        """Whether no call will begin any more."""
        return self._is_disposed or self not in self._home.watchings

    def dispose(self) -> None:
        """End it."""
        self._is_disposed = True
        self._home.run(self._stop)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _exc: BaseException | None,
        _tb: TracebackType | None,
    ) -> None:
        self.dispose()
        await _gone(self._home.watchings.get(self))

    def _stop(self) -> None:
        task = self._home.watchings.get(self)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def __repr__(self) -> str:
        return f"<Watching, {'over' if self.is_over else 'going on'}>"


class Calls(Generic[T]):
    """The calls of one callback."""

    def __init__(self, home: Home, values: Values[T], callback: Callable[[T], object]) -> None:
        self._home, self._values, self._callback = home, values, callback

    async def run(self, watching: Watching) -> None:
        """Call, until it is over."""
        try:
            while not watching.is_over:
                try:
                    value = await self._values.__anext__()
                except StopAsyncIteration:
                    return
                if not (watching.is_over or await self._call(value)):
                    return
        except asyncio.CancelledError:
            if not watching.is_over:
                raise
        except Exception as exc:
            log.error("what %r watches has failed", self._callback, exc_info=exc)
        finally:
            await self._values.aclose()

    async def _call(self, value: T) -> bool:
        """Call it once. False: it raised."""
        try:
            made = self._callback(value)
            if isinstance(made, Awaitable):
                await made
        except (Exception, asyncio.CancelledError) as exc:
            task = asyncio.current_task()
            if isinstance(exc, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # it is we who are cancelled
            if isinstance(exc, SessionClosed) and self._home.ended is not None:
                log.debug("the session ended while %r was called", self._callback)
                return False
            self._home.counts.detached += 1
            log.error("a callback raised, and is called no more: %r", self._callback, exc_info=exc)
            return False
        return True

    def __repr__(self) -> str:
        return f"<Calls of {self._callback!r}>"


def watch(home: Home, values: Values[T], callback: Callable[[T], object]) -> Watching:
    """Call back with each of these values. Raises `TypeError`, or `SessionClosed`."""
    if not callable(callback):
        raise TypeError(f"on() takes a function, not {type(callback).__name__}: {callback!r}")
    if inspect.isasyncgenfunction(callback) or inspect.isgeneratorfunction(callback):
        raise TypeError(f"on() takes a function, and this is a generator: {callback!r}")
    home.check()
    loop = home.loop
    if (ended := home.ended) is not None:
        raise type(ended)(ended.reason) from ended
    watching, calls = Watching(home), Calls(home, values, callback)
    task = home.watchings[watching] = loop.create_task(calls.run(watching), name=f"{calls!r}")
    task.add_done_callback(lambda _: home.watchings.pop(watching))
    return watching


async def end_all(home: Home) -> None:
    """Wait until nothing of any callback is left; all were disposed before."""
    await _gone(*home.watchings.values())


async def _gone(*tasks: asyncio.Task[None] | None) -> None:
    """Wait for tasks that were cancelled, but not for the one that asks."""
    left = {task for task in tasks if task is not None and not task.done()}
    left.discard(asyncio.current_task())
    if left and (await asyncio.wait(left, timeout=LAST_WISHES))[1]:
        log.warning("a callback has not ended within %g s of being cancelled", LAST_WISHES)
