"""Work that another process does meanwhile, so that its time is not counted as ours.

Run as a program it takes orders, one a line, and answers each with a line when it is done:

    write URL N     N sessions; `n in_flight` sends n messages to "lunch" and says nothing
    fan URL N       N sessions watch "lunch"; `go` sends to them without a pause until `rest`
    PEER URL        the same as `write`, by a client of one of the peers
    watch URL       one session; `n` watches conversations until there are n of them, and says what
                    it holds in memory (KiB) and how much processor time that took (seconds)
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle

from benchmarks.crowd import Crowd, say_all
from benchmarks.measure import resident
from benchmarks.peers import PEERS
from benchmarks.programs import Running, program
from rtflow import ConversationSnapshot, Session

__all__ = ["Order", "elsewhere"]

PATIENCE = 300.0  # seconds for one order
AT_ONCE = 50  # conversations that one session begins to watch together

Order = Callable[[str], Awaitable[str]]


@asynccontextmanager
async def elsewhere(kind: str, server: Running, number: int = 0) -> AsyncIterator[Order]:
    """Start such a program; it is given orders by calling what this returns."""
    command = (sys.executable, "-m", "benchmarks.elsewhere", kind, server.url, str(number))
    async with program(*command) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to, back = process.stdin, process.stdout

        async def order(what: str) -> str:
            to.write(f"{what}\n".encode())
            async with asyncio.timeout(PATIENCE):
                answer = await back.readline()
            assert answer.endswith(b"\n"), f"`{' '.join(command)}` ended"
            return answer.decode().strip()

        await order("")  # it is there
        yield order


# In the other process


async def orders() -> AsyncIterator[str]:
    """Read what is asked, until nobody asks any more."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    async for line in lines:
        yield line.decode().strip()


async def write(url: str, number: int) -> None:
    """Send as many messages as is ordered, by several sessions, so many in flight in all."""
    async with AsyncExitStack() as stack:
        lunches = [
            (await stack.enter_async_context(opened(url, f"writer{n}"))).conversation("lunch")
            for n in range(number)
        ]

        turns = cycle(lunches)
        await say_as_ordered(lambda: next(turns).send("hello"))


async def say_as_ordered(say: Callable[[], Awaitable[object]]) -> None:
    """Say it as often as is ordered, so many at once."""
    async for order in orders():
        if order:
            messages, in_flight = map(int, order.split())
            await say_all(say, messages, in_flight)
        print(flush=True)


async def speak(peer: str, url: str) -> None:
    """Let a peer say something."""
    _, connect = PEERS[peer]
    async with connect(Running(url, os.getpid())) as it:
        await say_as_ordered(it.say)


async def fan(url: str, number: int) -> None:
    """Send to a crowd, one message after the other; say how many it were."""
    crowd, told = Crowd(number), 0

    async def without_pause(lunch: Callable[[str], Awaitable[object]]) -> None:
        nonlocal told
        while going.is_set():
            await lunch("hello")
            await crowd.all_have()
            told += 1

    going = asyncio.Event()
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(opened(url, f"user{n}")) for n in range(number)]
        for person in people:
            stack.enter_context(person.conversation("lunch").unread.observe().subscribe(crowd.one))
        await crowd.all_have()  # each has seen the count as it was
        bob = await stack.enter_async_context(opened(url, "bob"))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        async for order in orders():
            if order == "go":
                going.set()
                tasks.create_task(without_pause(bob.conversation("lunch").send))
            elif order == "rest":
                going.clear()
            print(told, flush=True)


async def watch(url: str, _: int) -> None:
    """Watch ever more conversations with one session; say what that costs."""
    async with opened(url, "many") as session, AsyncExitStack() as stack:
        watched = 0

        async def one(number: int) -> None:
            there = asyncio.get_running_loop().create_future()

            def see(_: ConversationSnapshot | None) -> None:
                if not there.done():
                    there.set_result(None)

            lunch = session.conversation(f"many{number}").observe()
            stack.enter_context(lunch.subscribe(see, there.set_exception))
            await there

        async for order in orders():
            start = time.process_time()
            while watched < int(order or 1):  # the first one pays for what all share
                some = min(int(order or 1) - watched, AT_ONCE)
                async with asyncio.TaskGroup() as tasks:
                    for number in range(watched, watched + some):
                        tasks.create_task(one(number))
                watched += some
            took = time.process_time() - start
            gc.collect()
            print(resident(os.getpid()), took, flush=True)


def opened(url: str, user: str) -> Session:
    """Return a session, to be entered."""
    return Session(url, app_id="demo", user_id=user)


if __name__ == "__main__":
    kind, url, number = sys.argv[1:]
    if kind in PEERS:
        asyncio.run(speak(kind, url))
    else:
        asyncio.run({"write": write, "fan": fan, "watch": watch}[kind](url, int(number)))
