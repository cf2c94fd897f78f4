"""Kills: a server dies (SIGKILL) at a random instant under load, again and again, on one file.

After each death the file is looked at as it was left, before any server has opened it again:
* whatever was answered with 200, or told to anybody in an event, is there; whatever was only asked
  for is there or not, and nothing is there twice;
* the doctor finds no fault: no hole in the log, counts, activity and index as recounted, all
  uploads whole.
And when a server has started on it again, no half upload is left.

    python -m tests.torture.kills MINUTES
"""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from msgspec import Struct

from rtflow.server import Settings, examine
from rtflow.testing import ServerProcess
from tests.server.raw import join
from tests.torture.ledger import Ledger, Thing, Value
from tests.torture.worker import ROOMS, Worker

__all__ = ["Kills", "run"]

WORKERS = 6
ONLOOKERS = 6  # enough to make the town a crowd
LONGEST_LIFE = 1.0  # seconds under load; a server starts and is examined in about as long
SHOWN = 10


class Kills(Struct, frozen=True):
    """Figures. `compared`: values that were looked for; `violations`: promises that were broken."""

    seed: int
    seconds: float
    kills: int
    answered: int
    repeated: int
    uploads: int
    half_uploads: int
    compared: int
    checks: int
    violations: int
    broken: tuple[str, ...]


async def run(minutes: float, *, kills: int | None = None, seed: int | None = None) -> Kills:
    """Kill for so long, and not more often than so many times."""
    seed = Random().randrange(2**32) if seed is None else seed
    with tempfile.TemporaryDirectory(prefix="rtflow-kills-") as folder:
        database = Path(folder) / "chat.db"
        async with ServerProcess(database, patience=30) as server:
            torture = Torture(server, database, seed)
            return await torture.run(minutes * 60, sys.maxsize if kills is None else kills)


class Torture:
    """One file, one server after the other, the same workers all the time."""

    def __init__(self, server: ServerProcess, database: Path, seed: int) -> None:
        self.server, self.database = server, database
        self.seed, self.random = seed, Random(seed)
        self.ledger = Ledger()
        self.workers = [
            Worker(f"worker{n}", self.ledger, Random(f"{seed} {n}")) for n in range(WORKERS)
        ]
        self.broken = list[str]()
        self.kills = self.checks = self.half_uploads = 0

    async def run(self, seconds: float, most: int) -> Kills:
        began = time.monotonic()
        await self._settle_in()
        while self.kills < most and time.monotonic() - began < seconds:
            await self._live_and_die()
            self._look()
            self.half_uploads += len(self._half_uploads())
            await self.server.restart()
            self.broken += [f"left of an upload: {it}" for it in self._half_uploads()]
        self.broken += [fault for worker in self.workers for fault in worker.faults]
        known = ((it, value is not None) for it, value in self.ledger.settled.items())
        return Kills(
            seed=self.seed,
            seconds=round(time.monotonic() - began, 1),
            kills=self.kills,
            answered=sum(worker.answered for worker in self.workers),
            repeated=sum(worker.repeated for worker in self.workers),
            uploads=sum(it[0] == "upload" and is_there for it, is_there in known),
            half_uploads=self.half_uploads,
            compared=self.ledger.compared,
            checks=self.checks,
            violations=len(self.broken),
            broken=tuple(self.broken[:SHOWN]),
        )

    async def _settle_in(self) -> None:
        users = [*(worker.user for worker in self.workers), *(f"o{n}" for n in range(ONLOOKERS))]
        for user in users:
            async with join(self.server.url, user):
                self.ledger.settle(("name", user), user.title())
        few, all_of_them = users[1:WORKERS], users[1:]
        async with join(self.server.url, users[0], create=False) as founder:
            for room, others in zip(ROOMS, (few, all_of_them), strict=True):
                await founder.found(room, *others)

    async def _live_and_die(self) -> None:
        """Let all work; kill at an instant that nobody knows, some lives while they come back."""
        hands = itertools.count(1)
        needed = self.random.choice((1, WORKERS, WORKERS, WORKERS))
        loop, lifetime = asyncio.get_running_loop(), self.random.uniform(0, LONGEST_LIFE)

        def began() -> None:
            if next(hands) == needed:
                loop.call_later(lifetime, os.kill, self.server.pid, signal.SIGKILL)

        async with asyncio.TaskGroup() as tasks:
            for worker in self.workers:
                tasks.create_task(worker.live(self.server.url, began))
        await self.server.kill()  # it is dead; this buries it
        self.kills += 1

    def _look(self) -> None:
        """Compare what is there with what must be."""
        for check in examine(Settings(database=str(self.database))):
            self.checks += 1
            if check.faults:
                self.broken.append(f"after kill {self.kills}: {check.name}: {check.told}")
        reader = sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)
        with contextlib.closing(reader):
            found = list(things(reader))
        twice = [thing for thing, count in Counter(it[0] for it in found).items() if count > 1]
        self.broken += [f"after kill {self.kills}: twice: {' '.join(it)}" for it in twice]
        for fault in self.ledger.compare(dict(found)):
            self.broken.append(f"after kill {self.kills}: {fault}")

    def _half_uploads(self) -> list[str]:
        return [it.name for it in Path(f"{self.database}-files", "incoming").iterdir()]


def things(reader: sqlite3.Connection) -> Iterator[tuple[Thing, Value]]:
    """Return all that the ledger knows of."""
    marked = dict[str, str]()
    for id, custom, content in reader.execute("SELECT id, custom, content FROM messages"):
        marked[id] = json.loads(custom)["mark"]
        (block,) = json.loads(content)
        yield ("message", marked[id]), block.get("fileToken") or block["children"][0]
    for message, user in reader.execute("SELECT message_id, user_id FROM reactions"):
        yield ("reaction", marked[message]), user
    for content, user in reader.execute("SELECT sha256, user_id FROM files"):
        yield ("upload", content), user
    for user, name in reader.execute("SELECT id, name FROM users"):
        yield ("name", user), name


if __name__ == "__main__":
    print(asyncio.run(run(float(sys.argv[1]))))
