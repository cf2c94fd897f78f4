"""Faults: what goes wrong in a storm, each kind with a name and how often it is drawn.

Not here: links and processes (rtflow.testing). Invariant: `calm` undoes them all.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

import rtflow
from rtflow.testing import Link
from rtflow.testing.link import Direction
from tests.end_to_end.stage import Seat
from tests.torture.world import PULSE, World

__all__ = ["Weather"]

Fault: TypeAlias = Callable[["Weather"], Awaitable[None]]

FLOOD = 200  # edits of `BLOB` bytes each: far more than an outbox and the sockets hold
BLOB = 10_000  # as much as a value of `custom` may have
HEARTBEAT = 16.0  # seconds after which a half-open link has been noticed
WAYS: tuple[Direction | None, ...] = ("up", "down", None)
SHORT = (0.02, 0.5)  # seconds


class Weather:
    """Draws faults, one after the other."""

    def __init__(self, world: World) -> None:
        self.world, self.random = world, world.random
        self.injected = Counter[str]()

    async def blow(self, seconds: float) -> None:
        """Do so for so long by the clock on the wall, with pauses in which things may get better.

        This is the one task in which the clock of the loop leaps, so its pauses are real.
        """
        end = time.monotonic() + seconds
        names = list(FAULTS)
        weights = [weight for weight, _ in FAULTS.values()]
        while time.monotonic() < end:
            await self.pause(*SHORT)
            (name,) = self.random.choices(names, weights)
            await FAULTS[name][1](self)
            self.injected[name] += 1

    async def pause(self, least: float, most: float) -> None:
        """Wait for a random while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.random.uniform(least, most)):
                await asyncio.Event().wait()

    def calm(self) -> None:
        """Undo whatever lasts."""
        for seat in self.world.seats:
            link = seat.link
            link.resume()
            link.accept()
            link.delay(0)
            link.throttle(None)
            link.split(None)

    @property
    def seat(self) -> Seat:
        """Somebody."""
        return self.random.choice(self.world.seats)

    @property
    def link(self) -> Link:
        """Somebody's link."""
        return self.seat.link


async def cut(it: Weather) -> None:
    it.link.cut()


async def end(it: Weather) -> None:
    it.link.close()


async def cut_up(it: Weather) -> None:
    it.link.cut_after(it.random.randrange(1, 3000), "up")


async def cut_down(it: Weather) -> None:
    it.link.cut_after(it.random.randrange(1, 20_000), "down")


async def hold(it: Weather) -> None:
    link, way = it.link, it.random.choice(WAYS)
    link.stall(way)
    await it.pause(*SHORT)
    link.resume(way)


async def half_open(it: Weather) -> None:
    """Lose what is sent until the heartbeat, whose hour comes at once, has given it up."""
    link, way = it.link, it.random.choice(WAYS)
    link.stall(way, lose=True)
    await it.pause(*SHORT)
    await it.world.clock.advance(HEARTBEAT)
    link.cut()
    link.resume(way)


async def delay(it: Weather) -> None:
    it.link.delay(it.random.choice((0, 0.005, 0.05)), it.random.choice(WAYS))


async def split(it: Weather) -> None:
    it.link.split(it.random.choice((None, 1, 7, 100)), it.random.choice(WAYS[:2]))


async def throttle(it: Weather) -> None:
    it.link.throttle(it.random.choice((None, 20_000, 200_000)))


async def duplicate_up(it: Weather) -> None:
    it.link.duplicate(it.random.randrange(1, 5), "up")


async def duplicate_down(it: Weather) -> None:
    it.link.duplicate(it.random.randrange(1, 5), "down")


async def refuse(it: Weather) -> None:
    link = it.link
    link.refuse()
    link.cut()
    await it.pause(*SHORT)
    link.accept()


async def slow_reader(it: Weather) -> None:
    """Let one not read while more is told to it than anybody keeps for it."""
    slow, writer = it.link, it.world.fresh("ada")
    slow.stall("down")
    async with writer:
        with suppress(rtflow.RequestRefused, rtflow.OutcomeUnknown):
            for n in range(FLOOD):
                await writer.conversation(PULSE).set(custom={"flood": str(n).ljust(BLOB)})
            await writer.conversation(PULSE).set(custom={"flood": None})
    slow.resume("down")


async def kill(it: Weather) -> None:
    await it.world.running.kill()
    await it.pause(0, 0.3)
    await it.world.start()


async def stop(it: Weather) -> None:
    status = await it.world.running.terminate()
    assert status == 0, f"SIGTERM ended the server with {status}"
    await it.pause(0, 0.3)
    await it.world.start()


async def rotate(it: Weather) -> None:
    """Let no token be good any more that was made so far."""
    await it.world.running.terminate()
    it.world.rotate()
    await it.world.start()


async def leap(it: Weather) -> None:
    """Let timers of clients come early: refreshes of tokens, lingers, pauses, heartbeats."""
    await it.world.clock.advance(it.random.uniform(1, 400))


FAULTS: dict[str, tuple[float, Fault]] = {
    "cut": (10, cut),
    "end": (5, end),
    "cut while sending": (10, cut_up),
    "cut while receiving": (10, cut_down),
    "held back": (6, hold),
    "half open": (4, half_open),
    "delay": (5, delay),
    "split": (4, split),
    "throttle": (3, throttle),
    "duplicate up": (6, duplicate_up),
    "duplicate down": (6, duplicate_down),
    "refused": (4, refuse),
    "slow reader": (1.5, slow_reader),
    "leap of the clock": (4, leap),
    "kill -9": (2.5, kill),
    "SIGTERM": (2.5, stop),
    "rotated secret": (1.5, rotate),
}
