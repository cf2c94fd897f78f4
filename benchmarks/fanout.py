"""How fast does one message reach a thousand sessions? Deliveries a second."""

import asyncio
import time
from contextlib import AsyncExitStack

import msgspec

from benchmarks import bare
from benchmarks.measure import Line, compare
from benchmarks.programs import bare_server, rtflow_server, sessions

LISTENERS = 1_000
MESSAGES = 3


class Crowd:
    """Counts how many have seen the newest message."""

    def __init__(self) -> None:
        self.seen = 0
        self.everybody = asyncio.Event()

    def one(self, _: object = None) -> None:
        """One more has seen it."""
        self.seen += 1
        if self.seen == LISTENERS:
            self.everybody.set()

    async def all_have(self) -> None:
        """Wait for the last one, and start over."""
        await self.everybody.wait()
        self.everybody.clear()
        self.seen = 0


async def lines() -> list[Line]:
    """Measure."""
    entity, cut = msgspec.json.Decoder(bare.Entity), msgspec.json.Decoder(list[msgspec.Raw])
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(bare_server())
        server = await stack.enter_async_context(rtflow_server())
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        bare_crowd, our_crowd = Crowd(), Crowd()

        async def listen(socket: bare.Connection) -> None:
            async for message in socket:
                entity.decode(cut.decode(message)[2])
                bare_crowd.one()

        sockets = [await stack.enter_async_context(bare.dial(plain.url)) for _ in range(LISTENERS)]
        for socket in sockets:
            tasks.create_task(listen(socket))

        crowd = [f"user{n}" for n in range(LISTENERS)]
        everybody = await stack.enter_async_context(sessions(server, "bob", *crowd))
        bob = everybody[0].conversation("lunch")

        async def bare_say() -> float:
            start = time.perf_counter()
            for _ in range(MESSAGES):
                await sockets[0].send(msgspec.json.encode(bare.Ask(0, "SAY", "/")), text=True)
                await bare_crowd.all_have()
            return LISTENERS * MESSAGES / (time.perf_counter() - start)

        async def our_say() -> float:
            start = time.perf_counter()
            for _ in range(MESSAGES):
                await bob.send("hello")
                await our_crowd.all_have()
            return LISTENERS * MESSAGES / (time.perf_counter() - start)

        for session in everybody[1:]:
            stack.enter_context(
                session.conversation("lunch").unread.observe().subscribe(our_crowd.one)
            )
        await our_crowd.all_have()  # each has seen the count as it was
        ours, plainly = await compare(our_say, bare_say)
    return [
        Line(
            name="fan1000",
            question="one send() seen by 1000 sessions' observers",
            unit="deliveries/s",
            ours=ours,
            bare=plainly,
            goal=0.8,
        )
    ]
