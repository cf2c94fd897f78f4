"""How many messages a second are on disk? 64 in flight, against two ways to write to SQLite.

"One transaction per call" is what programs with `aiosqlite` do: each statement hops to the
connection's thread and back, so a transaction is three hops, and holds a lock meanwhile. "Bare
group commit" commits whatever has gathered, with no server and no rules. The 64 are those of one
session, or one each of 64 sessions; and once more those of one session while another process keeps
a fan-out going.
"""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Self

from benchmarks.elsewhere import elsewhere
from benchmarks.measure import BARE, OURS, Line, Side, medians
from benchmarks.plan import Plan
from benchmarks.programs import Running, rtflow_server, sessions

INSERT = "INSERT INTO message(conversation, sender, content) VALUES (?, ?, ?)"
ROW = ("lunch", "bob", '[{"type":"text","children":["hello"]}]')
MANY, CALL, GROUP = "many", "call", "group"


def database(file: Path) -> sqlite3.Connection:
    """Open a fresh database with the same durability as ours."""
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
    connection.execute(
        "CREATE TABLE message(id INTEGER PRIMARY KEY, conversation, sender, content)"
    )
    return connection


def rate(writes: Sequence[Callable[[], Awaitable[object]]], messages: int) -> Side:
    """Write them in as many tasks as there are writers; return messages per second."""

    async def some(write: Callable[[], Awaitable[object]]) -> None:
        for _ in range(messages // len(writes)):
            await write()

    async def side() -> float:
        start = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for write in writes:
                tasks.create_task(some(write))
        return messages // len(writes) * len(writes) / (time.perf_counter() - start)

    return side


class Hops:
    """What `aiosqlite` is within: a thread that calls what a queue brings, and says so."""

    def __init__(self) -> None:
        self._calls = SimpleQueue[tuple[asyncio.Future[object], Callable[[], object]] | None]()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._calls.put(None)
        self._thread.join()

    async def hop(self, call: Callable[[], object]) -> None:
        """Have it called there."""
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._calls.put((done, call))
        await done

    def _run(self) -> None:
        while (order := self._calls.get()) is not None:
            done, call = order
            done.get_loop().call_soon_threadsafe(done.set_result, call())


@asynccontextmanager
async def one_per_call(folder: Path, plan: Plan) -> AsyncIterator[Side]:
    """One transaction per call, in a helper thread."""
    lock = asyncio.Lock()
    with closing(database(folder / "single.db")) as file, Hops() as hops:

        async def write() -> None:
            async with lock:
                await hops.hop(lambda: file.execute("BEGIN IMMEDIATE"))
                await hops.hop(lambda: file.execute(INSERT, ROW))
                await hops.hop(lambda: file.execute("COMMIT"))

        yield rate([write] * plan.in_flight, plan.sends)


@asynccontextmanager
async def group_commit(folder: Path, plan: Plan) -> AsyncIterator[Side]:
    """As many in one transaction as are in flight."""
    with closing(database(folder / "group.db")) as file:

        async def side() -> float:
            start = time.perf_counter()
            for _ in range(plan.sends // plan.in_flight):
                file.execute("BEGIN IMMEDIATE")
                for _ in range(plan.in_flight):
                    file.execute(INSERT, ROW)
                file.execute("COMMIT")
            groups = plan.sends // plan.in_flight
            return groups * plan.in_flight / (time.perf_counter() - start)

        yield side


async def idle(plan: Plan, server: Running) -> list[Line]:
    """Measure while nothing else goes on."""
    people = [f"writer{n}" for n in range(plan.in_flight)]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        call = await stack.enter_async_context(one_per_call(folder, plan))
        group = await stack.enter_async_context(group_commit(folder, plan))
        bob, *others = await stack.enter_async_context(sessions(server, "bob", *people))

        one = bob.conversation("lunch")
        many = [person.conversation("lunch") for person in others]

        def says(number: int) -> Callable[[], Awaitable[object]]:
            return lambda: many[number].send("hello")

        figures = await medians(
            {
                CALL: call,
                GROUP: group,
                OURS: rate([lambda: one.send("hello")] * plan.in_flight, plan.sends),
                MANY: rate([says(number) for number in range(len(many))], plan.sends),
            },
            plan.rounds,
        )

    def line(name: str, ours: str, bare: str, goal: float) -> Line:
        by = "one session" if ours == OURS else f"{plan.in_flight} sessions"
        against = "one transaction per call" if bare == CALL else "bare group commit"
        return Line(
            name=name,
            question=f"durable send(), {plan.in_flight} in flight, {by}, against {against}",
            unit="sends/s",
            figures={OURS: figures[ours], BARE: figures[bare]},
            goal=goal,
        )

    return [
        line("durable/call", OURS, CALL, 10),
        line("durable/group", OURS, GROUP, 0.25),
        line("many/call", MANY, CALL, 10),
        line("many/group", MANY, GROUP, 0.25),
    ]


async def busy(plan: Plan, server: Running) -> Line:
    """Measure with a fan-out and without, in turns."""
    people = [f"user{n}" for n in range(plan.listeners)]
    async with (
        sessions(server, "bob", "carol", *people) as (_, carol, *_),
        elsewhere("fan", server, plan.listeners) as fan,
    ):
        desk = carol.conversation("desk")
        await desk.create_if_not_exists(subject="Nobody watches this one")
        send = rate([lambda: desk.send("hello")] * plan.in_flight, plan.sends)

        async def meanwhile() -> float:
            await fan("go")
            figure = await send()
            await fan("rest")
            return figure

        figures = await medians({BARE: send, OURS: meanwhile}, plan.rounds)
        told = int(await fan(""))
    return Line(
        name="durable/busy",
        question=f"durable send() while fan{plan.listeners} runs elsewhere, against its idle rate",
        unit="sends/s",
        figures=figures,
        goal=0.2,
        fault="" if told else "no fan-out came to its end meanwhile",
    )


async def lines(plan: Plan) -> list[Line]:
    """Measure."""
    async with rtflow_server() as server:
        return [*await idle(plan, server), await busy(plan, server)]
