"""Soak: subscribe and let go again, lose the connection and come back, very often; the memory of
the client (this process) and of the server (another) stays flat.

Each thing that is watched is another one, so whatever is kept of one that is let go of adds up.

    python -m tests.torture.soak MINUTES
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct

import rtflow
from rtflow.testing import Link, Recorder, ServerProcess

__all__ = ["Soak", "reconnect", "run", "watch_and_let_go"]

ROUND = 100  # things that are watched at the same time
SUBSCRIPTIONS, RECONNECTS = 200_000, 1_000
WARM = 0.2  # of the time: caches and pools fill up before it counts
FLAT = 8 * 1024  # KiB that a process may grow by: the allocator's noise, not what is watched
QUICK = rtflow.Backoff(first=0.002, most=0.01)


class Soak(Struct, frozen=True):
    """Figures. KiB are resident memory, after the warm-up and in the end."""

    seconds: float
    subscriptions: int
    reconnects: int
    client_kib: tuple[int, int]
    server_kib: tuple[int, int]
    violations: int
    broken: tuple[str, ...]


async def run(minutes: float, *, seed: int | None = None) -> Soak:
    """Soak for so long at the most. There is no chance in it."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="rtflow-soak-") as folder:
        async with (
            ServerProcess(Path(folder) / "rtflow.db", patience=60) as server,
            Link("127.0.0.1", server.port) as link,
            rtflow.Session(
                link.url, app_id="demo", user_id="alice", linger=0, reconnect=QUICK
            ) as alice,
        ):
            await alice.current_user.create_if_not_exists(name="Alice")
            numbers = itertools.count()
            watched = reconnects = 0
            warm: tuple[int, int] | None = None
            while (spent := (time.monotonic() - began) / (minutes * 60)) < 1:
                if watched < SUBSCRIPTIONS:
                    watched += await watch_and_let_go(alice, numbers, ROUND)
                if reconnects * SUBSCRIPTIONS < watched * RECONNECTS:
                    await reconnect(alice, link)
                    reconnects += 1
                if warm is None and (spent > WARM or watched > SUBSCRIPTIONS * WARM):
                    warm = resident("self"), resident(server.pid)
                if watched >= SUBSCRIPTIONS and reconnects >= RECONNECTS:
                    break
            assert warm is not None
            client, server_ = (warm[0], resident("self")), (warm[1], resident(server.pid))
    broken = [
        f"the {who} grew from {before} to {after} KiB"
        for who, (before, after) in (("client", client), ("server", server_))
        if after - before > FLAT
    ]
    return Soak(
        seconds=round(time.monotonic() - began, 1),
        subscriptions=watched,
        reconnects=reconnects,
        client_kib=client,
        server_kib=server_,
        violations=len(broken),
        broken=tuple(broken),
    )


async def watch_and_let_go(me: rtflow.Session, numbers: Iterator[int], count: int) -> int:
    """Watch as many different things for a moment; return how many that were."""
    watched = list[tuple[Recorder[Any], Any]]()
    for live in itertools.islice(things(me, numbers), count):
        seen = Recorder[Any]()
        watched.append((seen, live.observe().subscribe(seen)))
    for seen, looking in watched:
        await seen.until(bool, 60)
        looking.dispose()
    return len(watched)


def things(me: rtflow.Session, numbers: Iterator[int]) -> Iterator[rtflow.Live[Any]]:
    """Yield things that nobody has watched so far, of all kinds."""
    for n in numbers:
        yield me.user(f"user {n}")
        yield me.user(f"user {n}").online
        room = me.conversation(f"room {n}")
        yield room
        yield room.unread
        yield room.typing
        yield room.messages.window(1 + n % 30)
        yield room.participants.window(5)
        yield room.participant(f"user {n}")
        yield room.message(f"message {n}")
        yield room.message(f"message {n}").reactions("🍕").window(2)
        yield me.conversations.window(1, filter={"custom": {"n": ["==", str(n)]}})


async def reconnect(me: rtflow.Session, link: Link) -> None:
    """Lose the connection while somebody watches, and come back."""
    steps, seen = Recorder[rtflow.ConnectionState](), Recorder[Any]()
    with me.current_user.observe().subscribe(seen), me.connection.observe().subscribe(steps):
        await steps.until(lambda states: states[-1].status == "live", 60)
        link.cut()
        await steps.until(lambda states: states[-1].status == "live" and len(states) > 1, 60)
        await me.user("nobody").get()
    assert seen.error is None


def resident(pid: int | str) -> int:
    """Return how many KiB of a process are in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


if __name__ == "__main__":
    print(asyncio.run(run(float(sys.argv[1]))))
