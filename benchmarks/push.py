"""How many events a second does one observer see? A writer keeps 64 messages in flight meanwhile.

The bare loop pushes ready-made frames as fast as it can; ours commits each message to disk first,
so this line is bounded by the write path as well.
"""

import asyncio
import time

import msgspec

from benchmarks import bare
from benchmarks.measure import Line, compare
from benchmarks.programs import bare_server, rtflow_server, sessions

EVENTS = 4_000


async def lines() -> list[Line]:
    """Measure."""
    entity = msgspec.json.Decoder(bare.Entity)
    cut = msgspec.json.Decoder(list[msgspec.Raw])
    async with (
        bare_server() as plain,
        bare.dial(plain.url) as socket,
        rtflow_server() as server,
        sessions(server, "alice", "bob") as (alice, bob),
    ):

        async def bare_push() -> float:
            start = time.perf_counter()
            await socket.send(
                msgspec.json.encode(bare.Ask(0, "PUSH", "/", msgspec.Raw(b"%d" % EVENTS)))
            )
            for _ in range(EVENTS):
                entity.decode(cut.decode(await socket.recv())[2])
            return EVENTS / (time.perf_counter() - start)

        lunch = alice.conversation("lunch")

        async def our_push() -> float:
            await lunch.mark_as_read()
            seen = asyncio.Event()

            def see(count: int) -> None:
                if count == EVENTS:
                    seen.set()

            async def write(messages: int) -> None:
                for _ in range(messages):
                    await bob.conversation("lunch").send("hello")

            start = time.perf_counter()
            with lunch.unread.observe().subscribe(see):
                async with asyncio.TaskGroup() as tasks:
                    for _ in range(64):
                        tasks.create_task(write(EVENTS // 64))
                    tasks.create_task(write(EVENTS % 64))
                await seen.wait()
            return EVENTS / (time.perf_counter() - start)

        ours, plainly = await compare(our_push, bare_push, rounds=3)
    return [
        Line(
            name="push",
            question="changes seen by an observer of one conversation",
            unit="events/s",
            ours=ours,
            bare=plainly,
            goal=1.3,
        )
    ]
