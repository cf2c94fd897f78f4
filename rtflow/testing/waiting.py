"""Waiting: until a fact is true, or until it is too late, never for a fixed while.

Not here: what is waited for (recorder.py, link.py).
Invariant: a bell that rings between two looks at the fact is heard; nobody sleeps through it.
"""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable

__all__ = ["Bell", "until"]

GLANCE = 0.005  # seconds between two looks of `until`


async def until(
    condition: Callable[[], bool | Awaitable[bool]],
    timeout: float = 5.0,  # noqa: ASYNC109 - a deadline that can say what it waited for
    what: str = "the condition",
) -> None:
    """Return as soon as `condition()` is true, or awaits to true; look every few milliseconds.

    Raises `AssertionError`, which names `what`, after `timeout` seconds. For what can be seen from
    outside only: a `Recorder` and a `Link` have their own `until`, which wakes by event.
    """
    deadline = asyncio.timeout(timeout)
    try:
        async with deadline:
            while True:
                answer = condition()
                if await answer if isinstance(answer, Awaitable) else answer:
                    return
                await asyncio.sleep(GLANCE)
    except TimeoutError:
        if not deadline.expired():
            raise  # the condition's own
        raise AssertionError(f"{what} did not become true within {timeout} s") from None


class Bell:
    """Tells everybody who waits to look again. May be rung from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners = dict[asyncio.Event, asyncio.AbstractEventLoop]()

    def ring(self) -> None:
        """Something may have changed."""
        with self._lock:
            listeners = tuple(self._listeners.items())
        for heard, loop in listeners:
            with contextlib.suppress(RuntimeError):  # its loop closed this moment: nobody listens
                loop.call_soon_threadsafe(heard.set)

    async def wait(
        self,
        settled: Callable[[], bool],
        timeout: float,  # noqa: ASYNC109 - as in `until`
        failure: Callable[[], str],
    ) -> None:
        """Return once `settled()`, looking now and after each ring.

        Raises `AssertionError(failure())` after `timeout` seconds.
        """
        heard = asyncio.Event()
        with self._lock:
            self._listeners[heard] = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                while not settled():
                    await heard.wait()
                    heard.clear()
        except TimeoutError:
            raise AssertionError(failure()) from None
        finally:
            with self._lock:
                del self._listeners[heard]
