"""What does one read cost? `conversation.get()`, one at a time and sixteen in flight."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec

from benchmarks import bare
from benchmarks.measure import Line, compare
from benchmarks.programs import bare_server, rtflow_server, sessions

READS = 1_000

Read = Callable[[], Awaitable[object]]


@asynccontextmanager
async def bare_reader() -> AsyncIterator[Read]:
    """Ask and wait, matched by number: the least that any client of one socket does."""
    waiting: dict[int, asyncio.Future[bare.Entity]] = {}
    numbers = itertools.count()
    encode = msgspec.json.Encoder().encode
    reply, entity = msgspec.json.Decoder(bare.Reply), msgspec.json.Decoder(bare.Entity)
    async with bare_server() as server, bare.dial(server.url) as socket:

        async def read_answers() -> None:
            async for message in socket:
                got = reply.decode(message)
                waiting.pop(got.seq).set_result(entity.decode(got.data))

        async def read() -> object:
            seq = next(numbers)
            slot = waiting[seq] = asyncio.get_running_loop().create_future()
            ask = bare.Ask(seq, "GET", "/me/conversations/lunch")
            await socket.send(encode(ask), text=True)
            return await slot

        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(read_answers())
            yield read
            reading.cancel()


@asynccontextmanager
async def rtflow_reader() -> AsyncIterator[Read]:
    """`conversation.get()` of a conversation with a last message, watched by nobody."""
    async with rtflow_server() as server, sessions(server, "alice", "bob") as (alice, bob):
        await bob.conversation("lunch").send("Soup today?")
        yield alice.conversation("lunch").get


async def per_second(read: Read, in_flight: int) -> float:
    """Do all the reads; return how many were done in a second."""

    async def some() -> None:
        for _ in range(READS // in_flight):
            await read()

    start = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(some())
    return READS / (time.perf_counter() - start)


async def lines() -> list[Line]:
    """Measure."""
    async with bare_reader() as bare_read, rtflow_reader() as our_read:
        ours16, bare16 = await compare(
            lambda: per_second(our_read, 16), lambda: per_second(bare_read, 16)
        )
        ours1, bare1 = await compare(
            lambda: per_second(our_read, 1), lambda: per_second(bare_read, 1)
        )
    return [
        Line(
            name="get16",
            question="conversation.get() with 16 in flight",
            unit="reads/s",
            ours=ours16,
            bare=bare16,
            goal=0.6,
        ),
        Line(
            name="get1",
            question="latency of one conversation.get()",
            unit="µs",
            ours=1e6 / ours1,
            bare=1e6 / bare1,
            goal=1.5,
            better="lower",
        ),
    ]
