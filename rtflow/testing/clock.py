"""Clock: the time of an event loop, in the test's hand.

Sessions, links and servers on that loop have no other clock for what they wait for: pauses between
attempts, heartbeats, the ends of tokens, lingers, typing, presence, deadlines. So a test that
moves this one needs no seam in any of them, and no shorter times than the real ones.

Not here: the time of day (what is created carries it) and other processes: both go on as ever.
Invariant: time never goes back, so whatever waits is woken in order and not before its time.
"""

import asyncio

__all__ = ["Clock"]

STEP = 0.5  # seconds of the loop: what lies further apart happens one after the other
TURNS = 10  # of the loop after each step: enough to ask and to answer over a socket


class Clock:
    """The clock of the running event loop: it goes on by itself, and leaps when told.

        clock = Clock()
        link.stall(lose=True)
        await clock.advance(15)  # the heartbeat finds out, and nobody has waited

    One per loop, of asyncio's own kind: `TypeError` on another (uvloop). The loop keeps it until
    its end.
    """

    ahead: float
    """How many seconds it has leapt so far."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, asyncio.BaseEventLoop):  # uvloop's has a clock of its own inside
            raise TypeError(f"{type(loop).__name__} does not let anybody set its clock")
        self.ahead = 0.0
        self._flow = loop.time
        loop.time = self.time  # type: ignore[method-assign]  # that is the whole point

    def time(self) -> float:
        """Return what `loop.time()` returns."""
        return self._flow() + self.ahead

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once, in small steps; what is due happens meanwhile.

        It does not wait for what takes real time, such as a thread or another process: wait for
        the fact (`until`) before, or afterwards.
        """
        if seconds < 0:
            raise ValueError(f"time does not go back, not even {-seconds} s")
        while seconds > 0:
            step = min(seconds, STEP)
            self.ahead += step
            seconds -= step
            for _ in range(TURNS):
                await asyncio.sleep(0)
