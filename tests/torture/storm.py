"""Storm: several users do all that there is over several connections, while everything that can go
wrong does; then it calms down, and all that anybody sees must be true.

A storm is told in stories, each with a database of its own. What must hold:
* what every observer saw last is what a new session reads; nothing twice in a row, nothing stale;
* unread counts are what a recount gives;
* what was acknowledged is there exactly once (tests/end_to_end);
* a metronome, watched by all, never goes back and has no hole (world.py);
* a connection says why it is not live;
* the server has nothing to complain of but clients that do not read.

    python -m tests.torture.storm MINUTES [SEED]
"""

import asyncio
import itertools
import sys
import time
import traceback
from collections import Counter
from functools import partial
from random import Random

from msgspec import Struct

import rtflow
from rtflow.testing import Clock
from tests.end_to_end.acts import ACCESSES, OFTEN, WORDS, Act, deeds
from tests.end_to_end.stage import EMOJI, ROOMS, USERS, at_work, lives
from tests.end_to_end.test_everything_converges import adds_up, agrees
from tests.torture.faults import Weather
from tests.torture.world import Metronome, World

__all__ = ["Storm", "run"]

STORY = 15.0  # seconds of bad weather
HANDS = 2  # commands under way for each session
SHOWN = 5
NEXT = {  # what a connection may say next
    "idle": {"connecting"},
    "connecting": {"connecting", "live", "waiting"},
    "live": {"connecting", "waiting"},
    "waiting": {"connecting"},
}


class Storm(Struct, frozen=True):
    """Figures. `compared`: values that were judged; `violations`: promises that were broken."""

    seed: int
    seconds: float
    stories: int
    commands: int
    beats: int
    faults: dict[str, int]
    reconnects: int
    compared: int
    violations: int
    broken: tuple[str, ...]


async def run(
    minutes: float, *, seed: int | None = None, stories: int = sys.maxsize, story: float = STORY
) -> Storm:
    """Tell so many stories, but none that would begin after so long."""
    seed = Random().randrange(2**32) if seed is None else seed
    began = time.monotonic()
    clock, faults, told, figures = Clock(), Counter[str](), 0, Counter[str]()
    broken = list[str]()
    while told < stories and time.monotonic() - began < minutes * 60:
        told += 1
        try:
            await tell(Random(f"{seed} {told}"), clock, faults, figures, story)
        except Exception as exc:
            broken.append(
                f"story {told} of seed {seed}:\n{''.join(traceback.format_exception(exc))}"
            )
    return Storm(
        seed=seed,
        seconds=round(time.monotonic() - began, 1),
        stories=told,
        commands=figures["commands"],
        beats=figures["beats"],
        faults=dict(faults.most_common()),
        reconnects=figures["reconnects"],
        compared=figures["compared"],
        violations=len(broken),
        broken=tuple(broken[:SHOWN]),
    )


async def tell(
    random: Random, clock: Clock, faults: Counter[str], figures: Counter[str], seconds: float
) -> None:
    """Tell one story."""
    async with at_work(partial(World, random=random, clock=clock)) as world:
        weather, metronome = Weather(world), Metronome(world)
        world.listen()
        await metronome.begin()
        over = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(metronome.run(over))
                for seat in range(len(world.seats)):
                    for _ in range(HANDS):
                        tasks.create_task(work(world, seat, over, figures))
                await weather.blow(seconds)
                weather.calm()
                over.set()
        finally:
            faults.update(weather.injected)
            figures["beats"] += metronome.beats
        await compare(world, metronome, figures)
        assert not complaints(world.running.stderr), world.running.stderr


async def work(world: World, seat: int, over: asyncio.Event, figures: Counter[str]) -> None:
    """Do one thing after the other."""
    while not over.is_set():
        await drawn(world.random, seat)(world)
        figures["commands"] += 1


def drawn(random: Random, seat: int) -> Act:
    """Draw something that one of them does."""
    room, user, pick = random.choice(ROOMS), random.choice(USERS), random.randrange(31)
    word, emoji, access = random.choice(WORDS), random.choice(EMOJI), random.choice(ACCESSES)
    choices = deeds(seat, room, user, pick, word, emoji, access)
    del choices["cut"]  # that is for the weather
    name = random.choice(OFTEN + list(choices))
    return Act(name, f"{seat} {room} {user} {word} {emoji} {access} {pick}", choices[name])


async def compare(world: World, metronome: Metronome, figures: Counter[str]) -> None:
    """Judge what everybody has seen, now that all is calm."""
    figures["compared"] += await metronome.converge()
    for seat in world.seats:
        async with world.fresh(seat.session.user_id) as fresh:
            await agrees(seat, world, fresh)
            await adds_up(world, fresh)
        figures["compared"] += sum(len(it.seen.values) for it in seat.watched)
        figures["compared"] += len(list(lives(seat.session, world.first)))
    for steps in world.steps:
        figures["reconnects"] += [it.status for it in steps.values].count("live") - 1
        assert speaks_plainly(steps.values), steps


def complaints(log: str) -> list[str]:
    """Return what a server has logged and should not have had to."""
    return [it for it in log.splitlines() if " ERROR " in it or "Traceback" in it]


def speaks_plainly(steps: list[rtflow.ConnectionState]) -> bool:
    """Tell whether each step follows from the one before, and a loss has a reason."""
    for before, after in itertools.pairwise(steps):
        if after.status not in NEXT[before.status]:
            return False
        if before.status == "live" and not after.reason:
            return False
        if after.status == "waiting" and (not after.reason or after.retry_in is None):
            return False
    return True


if __name__ == "__main__":
    print(asyncio.run(run(float(sys.argv[1]), seed=int(sys.argv[2]) if sys.argv[2:] else None)))
