"""Stream: an Observable that lives on a session's event loop and keeps its observers apart.

Not here: where values come from (live.py). With reactivex alone an operator with a timer calls its
observer on a timer thread, an observer that raises breaks the producer or vanishes into the loop's
exception handler, and a coroutine function as callback is never awaited. A stream, and every stream
made from it by `pipe` or a fluent method, does better: whoever subscribes is guarded at the very
end of the pipeline, the session's scheduler is the default one, and subscribing and disposing
happen on the loop's thread, wherever they are called.

Free functions such as `reactivex.combine_latest` make plain Observables: pass
`scheduler=session.scheduler`.
"""

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from reactivex import ConnectableObservable, Observable, abc
from reactivex.disposable import Disposable, SingleAssignmentDisposable
from reactivex.scheduler.eventloop import AsyncIOScheduler as Scheduler

from rtflow.client.stats import Counts
from rtflow.errors import RtflowError, SessionClosed

__all__ = ["Disposal", "Guarded", "Home", "Scheduler", "Stream"]

T = TypeVar("T")
Disposal = abc.DisposableBase
log = logging.getLogger(__name__)


class Home:
    """Where a session lives: one event loop, on one thread. Not known before it is opened.

    With what all that lives there shares: what is counted, the tasks of callbacks (watching.py),
    and why the session has `ended`, once it has.
    """

    def __init__(self) -> None:
        self.counts = Counts()
        self.watchings: dict[Disposal, asyncio.Task[None]] = {}
        self.ended: SessionClosed | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduler: Scheduler | None = None

    def settle(self) -> None:
        """Live on the running loop from now on."""
        self._loop = asyncio.get_running_loop()
        self._scheduler = Scheduler(self._loop)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop. Raises `SessionClosed` while the session was not opened."""
        if self._loop is None:
            raise SessionClosed("it was not opened yet: use `async with rtflow.Session(...)`")
        return self._loop

    @property
    def scheduler(self) -> Scheduler:
        """The Rx scheduler of the loop. Raises as `loop`."""
        assert self.loop is self._loop
        assert self._scheduler is not None
        return self._scheduler

    def run(self, action: Callable[[], None]) -> bool:
        """Run now if this is the loop's thread, else soon on it. False: the loop has gone."""
        if _running_loop() is self.loop:
            action()
            return True
        return self.run_soon(action)

    def run_soon(self, action: Callable[[], None]) -> bool:
        """Run in a later turn of the loop, from whatever thread. False: the loop has gone."""
        try:
            self.loop.call_soon_threadsafe(action)
        except RuntimeError:  # closed
            return False
        return True

    def check(self) -> None:
        """Raise `RtflowError` when the running loop is not the one of an opened session."""
        loop = self._loop
        if loop is None or _running_loop() is loop:
            return
        if loop.is_closed():
            raise SessionClosed("its event loop has gone")
        raise RtflowError(
            "this session lives on another event loop: ask there, from another thread by "
            "asyncio.run_coroutine_threadsafe(...)"
        )


class Stream(Observable[T]):
    """Snapshots, each newer than the one before. Cold: subscribing sends what has to be sent."""

    def __init__(self, home: Home, subscribe: abc.Subscription[T] | None = None) -> None:
        super().__init__(subscribe)
        self._home = home

    def subscribe(
        self,
        on_next: abc.ObserverBase[T] | abc.OnNext[T] | None = None,
        on_error: abc.OnError | None = None,
        on_completed: abc.OnCompleted | None = None,
        *,
        scheduler: abc.SchedulerBase | None = None,
    ) -> abc.DisposableBase:
        """Call back on the session's loop: with the current snapshot, then with each newer one.

        Takes an observer as `on_next`, or up to three callbacks: `on_next` for each snapshot,
        `on_error` for what no event can mend (logged when it is not given), `on_completed` for the
        end of the session. They must not be coroutine functions (`TypeError`). One that raises is
        detached and logged, and disturbs nobody else. `scheduler` is for operators with a clock;
        the session's when not given. May be called, and the result disposed, on any thread.
        Raises `SessionClosed` when the session was not opened or its loop has gone.
        """
        observer = Guarded(on_next, on_error, on_completed, self._home.counts)
        subscription = Subscription(self._home, observer)
        begin = functools.partial(self._begin, observer, subscription, scheduler)
        if not self._home.run(begin):
            raise SessionClosed("its event loop has gone")
        return subscription

    def _begin(
        self,
        observer: "Guarded[T]",
        subscription: "Subscription",
        scheduler: abc.SchedulerBase | None,
    ) -> None:
        if not observer.is_stopped:
            subscription.hold(self._connect(observer, scheduler))

    def _connect(
        self, observer: "Guarded[T]", scheduler: abc.SchedulerBase | None
    ) -> Callable[[], None]:
        """Let the observer be called from now on; return how to stop that."""
        return super().subscribe(observer, scheduler=scheduler or self._home.scheduler).dispose

    # The types that Observable declares are the right ones: an operator may return anything.
    if not TYPE_CHECKING:

        def pipe(self, *operators: Callable[[Any], Any]) -> Any:
            """Compose `operators`, left to right; an Observable becomes a stream of the session."""
            return self._kept(super().pipe(*operators))

        def _kept(self, made: Any) -> Any:
            if isinstance(made, list):
                return [self._kept(one) for one in made]
            if type(made) is Observable:
                return Stream(self._home, made._subscribe)
            if type(made) is ConnectableObservable:
                return Connectable(self._home, made)
            return made


def _keeping(name: str) -> Any:
    fluent = getattr(Observable, name)

    @functools.wraps(fluent)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self._kept(fluent(self, *args, **kwargs))

    return method


# The fluent methods of reactivex that do not go through `pipe`.
for _name in (
    "__add__",
    "__getitem__",
    "__iadd__",
    "dematerialize",
    "exclusive",
    "partition",
    "partition_indexed",
    "pluck",
    "ref_count",
    "sum",
    "switch_latest",
):
    setattr(Stream, _name, _keeping(_name))


class Connectable(Stream[T], ConnectableObservable[T]):
    """What `publish`, `replay` and `multicast` make of a stream: a stream that begins by `connect`.

    `ref_count`, `auto_connect` and `pipe` make streams of it.
    """

    def __init__(self, home: Home, made: ConnectableObservable[T]) -> None:
        super(Stream, self).__init__(made.source, made.subject)
        self._home = home

    def connect(self, scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        """Begin, on the session's loop. Both this and disposing may happen on any thread.

        Raises `SessionClosed` as `subscribe`.
        """
        held = SingleAssignmentDisposable()
        connect = super().connect

        def begin() -> None:
            if not held.is_disposed:
                held.disposable = connect(scheduler or self._home.scheduler)

        def end() -> None:
            self._home.run(held.dispose)

        if not self._home.run(begin):
            raise SessionClosed("its event loop has gone")
        return Disposable(end)

    if not TYPE_CHECKING:

        def auto_connect(self, subscriber_count: int = 1) -> Any:
            """Connect when so many have subscribed."""
            return self._kept(super().auto_connect(subscriber_count))


class Subscription(abc.DisposableBase):
    """Ends a subscription, from any thread, any number of times, also when the loop has gone."""

    __slots__ = ("_home", "_observer", "_stop")

    def __init__(self, home: Home, observer: "Guarded[Any]") -> None:  # Any: only stopped here
        self._home, self._observer = home, observer
        self._stop: Callable[[], None] | None = None
        observer.detach = self.dispose

    def hold(self, stop: Callable[[], None]) -> None:
        """Take how to stop. That may be wanted already, perhaps since the first callback."""
        self._stop = stop
        if self._observer.is_stopped:
            self.dispose()

    def dispose(self) -> None:
        """Stop at once."""
        self._observer.is_stopped = True
        stop, self._stop = self._stop, None
        if stop is not None:
            self._home.run(stop)


class Guarded(abc.ObserverBase[T]):
    """An observer whose failures stay its own."""

    __slots__ = ("_counts", "_on_completed", "_on_error", "_on_next", "detach", "is_stopped")

    def __init__(
        self,
        on_next: abc.ObserverBase[T] | abc.OnNext[T] | None,
        on_error: abc.OnError | None,
        on_completed: abc.OnCompleted | None,
        counts: Counts,
    ) -> None:
        self._counts = counts
        observer: Any = on_next  # Any: reactivex takes whatever has these methods
        if callable(getattr(observer, "on_next", None)):
            on_next, on_error, on_completed = (
                observer.on_next,
                observer.on_error,
                observer.on_completed,
            )
        for name, callback in (
            ("on_next", on_next),
            ("on_error", on_error),
            ("on_completed", on_completed),
        ):
            _check(name, callback)
        self._on_next: Any = on_next  # Any: checked above
        self._on_error = on_error
        self._on_completed = on_completed
        self.is_stopped = False
        self.detach: Callable[[], None] = _nothing

    def on_next(self, value: T) -> None:
        """Pass a value on."""
        if self.is_stopped or self._on_next is None:
            return
        try:
            self._on_next(value)
        except (Exception, asyncio.CancelledError):  # it is not we who are cancelled
            self._counts.detached += 1
            log.exception("an observer raised in on_next and was detached: %r", self._on_next)
            self.detach()

    def on_error(self, error: Exception) -> None:
        """Pass the error on, or log it when nobody wants it."""
        if self.is_stopped:
            return
        self.is_stopped = True
        if self._on_error is None:
            log.error("a stream failed, and its observer has no on_error", exc_info=error)
            return
        try:
            self._on_error(error)
        except (Exception, asyncio.CancelledError):  # it is not we who are cancelled
            self._counts.detached += 1
            log.exception("an observer raised in on_error: %r", self._on_error)

    def on_completed(self) -> None:
        """Pass the end on."""
        if self.is_stopped:
            return
        self.is_stopped = True
        if self._on_completed is None:
            return
        try:
            self._on_completed()
        except (Exception, asyncio.CancelledError):  # it is not we who are cancelled
            self._counts.detached += 1
            log.exception("an observer raised in on_completed: %r", self._on_completed)


def _check(name: str, callback: object) -> None:
    if callback is None:
        return
    if not callable(callback):
        raise TypeError(f"{name} must be callable, not {type(callback).__name__}: {callback!r}")
    called = getattr(callback, "__call__", None)  # noqa: B004 - an object may have an async __call__
    if inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(called):
        raise TypeError(
            f"{name} is a coroutine function, which nobody would await: {callback!r}; pass a plain "
            "function, or write `ref.on(async_fn)`, which awaits it each time, or `async for value "
            "in ref:` and await there"
        )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _nothing() -> None: ...
