"""What does one read cost? `conversation.get()`, one at a time and sixteen in flight."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec

from benchmarks import bare
from benchmarks.measure import BARE, OURS, Line, Side, medians
from benchmarks.peers import each_peer
from benchmarks.plan import Plan
from benchmarks.programs import bare_server, rtflow_server, sessions

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


def per_second(read: Read, in_flight: int, reads: int) -> Side:
    """Do all the reads; return how many were done in a second."""

    async def some() -> None:
        for _ in range(reads // in_flight):
            await read()

    async def side() -> float:
        start = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(in_flight):
                tasks.create_task(some())
        return reads // in_flight * in_flight / (time.perf_counter() - start)

    return side


async def lines(plan: Plan) -> list[Line]:
    """Measure."""
    async with (
        bare_reader() as bare_read,
        rtflow_reader() as our_read,
        each_peer(plan) as peers,
    ):
        reads = {BARE: bare_read, OURS: our_read, **{it.name: it.get for it in peers}}

        async def at_once(in_flight: int) -> dict[str, float]:
            sides = {name: per_second(read, in_flight, plan.reads) for name, read in reads.items()}
            return await medians(sides, plan.rounds)

        sixteen, one = await at_once(16), await at_once(1)
    return [
        Line(
            name="get16",
            question="conversation.get() with 16 in flight",
            unit="reads/s",
            figures=sixteen,
            goal=0.6,
        ),
        Line(
            name="get1",
            question="latency of one conversation.get()",
            unit="µs",
            figures={name: 1e6 / reads for name, reads in one.items()},
            goal=1.5,
            better="lower",
        ),
    ]
