"""How do costs grow? The same question for one, ten, a hundred ... of something.

The cost of each should stay where it is (or fall, where the first ones pay for what all share).
Memory is what the process holds, so it is told only for enough of something to be seen in it.
"""

import asyncio
import resource
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.asking import Timing, client, read, said, say, saying
from benchmarks.crowd import Crowd
from benchmarks.elsewhere import elsewhere
from benchmarks.measure import Curve, Side, cpu_clock, medians, resident
from benchmarks.plan import Plan
from benchmarks.programs import rtflow_server
from benchmarks.seeding import NOON, seeding

SEEN_IN_MEMORY = 100  # fewer drown in the pages that a process takes at a time
USERS = 100  # who share the connections: a user has at most 100
AT_ONCE = 50  # connections that are opened together
SPARE = 200  # files that are open besides the connections

Points = dict[int, float]


def curve(plot: str, name: str, points: Points) -> Curve:
    """Return what was measured."""
    return Curve(plot=plot, name=name, x=tuple(points), y=tuple(points.values()))


def raise_open_files() -> int:
    """Let this process, and those that it starts, open as many files as it may; say how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


async def connections(plan: Plan) -> list[Curve]:
    """Ever more connections on one server, which all watch one conversation."""
    possible = raise_open_files() - SPARE
    memory, deliveries, opening = Points(), Points(), Points()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rtflow.db"
        users = [f"user{n}" for n in range(USERS)]
        with seeding(file) as to:
            to.users("speaker", *users)
            to.conversation("lunch", ["speaker", *users], messages=1, at=NOON)
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(rtflow_server(file))
            clock = cpu_clock(server.pid)
            speaker = await stack.enter_async_context(client(server, "speaker"))
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            crowd, opened = Crowd(0), 0

            async def connect(number: int) -> None:
                it = await stack.enter_async_context(client(server, users[number % USERS]))
                await it.ask("SUBSCRIBE", "/me/conversations/lunch")
                tasks.create_task(it.listen(lambda: crowd.one()))

            for _ in range(3):
                await say(speaker, "lunch")  # what the first one pays for
            before = resident(server.pid)
            for size in plan.crowds:
                if size > possible:
                    print(f"(no more than {possible:,} connections: the limit of open files)")
                    break
                added, started = size - opened, clock()
                while opened < size:
                    some = range(opened, min(opened + AT_ONCE, size))
                    async with asyncio.TaskGroup() as connecting:
                        for number in some:
                            connecting.create_task(connect(number))
                    opened = some.stop
                if size >= SEEN_IN_MEMORY:
                    memory[size] = (resident(server.pid) - before) / size
                    opening[size] = (clock() - started) * 1e6 / added
                crowd = Crowd(size)
                messages = max(3, min(500, plan.deliveries // size))
                started = clock()
                for _ in range(messages):
                    await say(speaker, "lunch")
                    await crowd.all_have()
                deliveries[size] = (clock() - started) * 1e6 / messages / size
    return [
        curve("connections-memory", "server memory of a connection, KiB", memory),
        curve("connections-time", "to open it and subscribe, µs", opening),
        curve("connections-time", "to deliver a message to it, µs", deliveries),
    ]


async def watched(plan: Plan) -> list[Curve]:
    """Ever more conversations that one session watches."""
    memory, taken = Points(), Points()
    most = max(plan.watches)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rtflow.db"
        with seeding(file) as to:
            to.users("many", "bob")
            for number in range(most):
                to.conversation(f"many{number}", ["many", "bob"], messages=1, at=NOON + number)
        async with rtflow_server(file) as server, elsewhere("watch", server) as watch:
            before, _ = map(float, (await watch("1")).split())
            there = 1
            for size in plan.watches:
                if size == there:
                    continue
                holds, took = map(float, (await watch(str(size))).split())
                taken[size] = took * 1e6 / (size - there)
                there = size
                if size >= SEEN_IN_MEMORY:
                    memory[size] = (holds - before) / size
    return [
        curve("watched-memory", "client memory of a watched conversation, KiB", memory),
        curve("watched-time", "to begin to watch it, µs", taken),
    ]


async def participants(plan: Plan) -> list[Curve]:
    """Conversations of ever more people, of whom the same number is online."""
    crowd = [f"user{n}" for n in range(max(plan.sizes))]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rtflow.db"
        with seeding(file) as to:
            to.users(*crowd)
            for size in plan.sizes:
                to.conversation(f"of{size}", crowd[:size], messages=1, at=NOON)
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(rtflow_server(file))
            timing = Timing(plan.requests, cpu_clock(server.pid))
            user = await stack.enter_async_context(client(server, "user0"))
            sends, reads = dict[str, Side](), dict[str, Side]()
            for size in plan.sizes:
                room, page = f"of{size}", min(10, size)
                saying_there = said(server, timing, room, size, plan.online)
                sends[str(size)] = await stack.enter_async_context(saying_there)
                path = f"/me/conversations/{room}/participants"
                reads[str(size)] = read(user, timing, path, page, limit=page)
            sent, found = await medians(sends, plan.rounds), await medians(reads, plan.rounds)
    return [
        curve("participants-time", f"send(), seen by {plan.online} connections, µs", of_int(sent)),
        curve("participants-time", "the first 10 participants, µs", of_int(found)),
    ]


async def histories(plan: Plan) -> list[Curve]:
    """Conversations with ever more messages."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rtflow.db"
        with seeding(file) as to:
            to.users("reader")
            for length in plan.histories:
                to.conversation(f"of{length}", ["reader"], messages=length, at=NOON)
        async with rtflow_server(file) as server, client(server, "reader") as reader:
            timing = Timing(plan.requests, cpu_clock(server.pid))
            sends, reads = dict[str, Side](), dict[str, Side]()
            for length in plan.histories:
                page = min(30, length)
                path = f"/me/conversations/of{length}/messages"
                reads[str(length)] = read(reader, timing, path, page, limit=page)
                sends[str(length)] = saying(reader, timing, f"of{length}")
            found, sent = await medians(reads, plan.rounds), await medians(sends, plan.rounds)
    return [
        curve("histories-time", "the newest 30 messages, µs", of_int(found)),
        curve("histories-time", "send(), µs", of_int(sent)),
    ]


def of_int(points: dict[str, float]) -> Points:
    """Return what was measured, by number."""
    return {int(number): it for number, it in points.items()}


GROWTHS: dict[str, Callable[[Plan], Awaitable[list[Curve]]]] = {
    "connections": connections,
    "watched": watched,
    "participants": participants,
    "histories": histories,
}
