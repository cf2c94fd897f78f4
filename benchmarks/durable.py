"""How many messages a second are on disk? 64 in flight, against two ways to write to SQLite.

"One transaction per call" is what asyncio wrappers of `sqlite3` do: each call hops to a thread and
commits there. "Bare group commit" commits whatever has gathered, with no server and no rules.
"""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.measure import Line, compare
from benchmarks.programs import rtflow_server, sessions

IN_FLIGHT = 64
MESSAGES = 64 * 30
INSERT = "INSERT INTO message(conversation, sender, content) VALUES (?, ?, ?)"
ROW = ("lunch", "bob", '[{"type":"text","children":["hello"]}]')


def database(folder: str, name: str) -> sqlite3.Connection:
    """Open a fresh database with the same durability as ours."""
    connection = sqlite3.connect(Path(folder) / name, isolation_level=None, check_same_thread=False)
    connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
    connection.execute(
        "CREATE TABLE message(id INTEGER PRIMARY KEY, conversation, sender, content)"
    )
    return connection


async def lines() -> list[Line]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:
        single, group = database(folder, "single.db"), database(folder, "group.db")

        def write_one() -> None:
            single.execute("BEGIN IMMEDIATE")
            single.execute(INSERT, ROW)
            single.execute("COMMIT")

        async def one_per_call() -> float:
            loop = asyncio.get_running_loop()

            async def some() -> None:
                for _ in range(MESSAGES // IN_FLIGHT):
                    await loop.run_in_executor(thread, write_one)

            return await rate(some)

        async def group_commit() -> float:
            start = time.perf_counter()
            for _ in range(MESSAGES // IN_FLIGHT):
                group.execute("BEGIN IMMEDIATE")
                for _ in range(IN_FLIGHT):
                    group.execute(INSERT, ROW)
                group.execute("COMMIT")
            return MESSAGES / (time.perf_counter() - start)

        async with rtflow_server() as server, sessions(server, "bob", "alice") as (bob, _):

            async def some_sends() -> None:
                for _ in range(MESSAGES // IN_FLIGHT):
                    await bob.conversation("lunch").send("hello")

            async def sends() -> float:
                return await rate(some_sends)

            ours, singly = await compare(sends, one_per_call)
            ours_again, grouped = await compare(sends, group_commit)
        single.close()
        group.close()
    return [
        Line(
            name="durable/call",
            question="durable send(), 64 in flight, against one transaction per call",
            unit="sends/s",
            ours=ours,
            bare=singly,
            goal=10,
        ),
        Line(
            name="durable/group",
            question="durable send(), 64 in flight, against bare group commit",
            unit="sends/s",
            ours=ours_again,
            bare=grouped,
            goal=0.25,
        ),
    ]


async def rate(some: Callable[[], Coroutine[None, None, None]]) -> float:
    """Do the work in 64 tasks; return messages per second."""
    start = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(IN_FLIGHT):
            tasks.create_task(some())
    return MESSAGES / (time.perf_counter() - start)
