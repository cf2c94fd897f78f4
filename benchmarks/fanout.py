"""How fast does one message reach a thousand sessions? Deliveries a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec

from benchmarks import bare
from benchmarks.crowd import Crowd
from benchmarks.measure import BARE, OURS, Line, Side, medians
from benchmarks.peers import each_peer
from benchmarks.plan import Plan
from benchmarks.programs import bare_server, rtflow_server, sessions


async def lines(plan: Plan) -> list[Line]:
    """Measure."""
    size = plan.listeners
    entity, cut = msgspec.json.Decoder(bare.Entity), msgspec.json.Decoder(list[msgspec.Raw])
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(bare_server())
        server = await stack.enter_async_context(rtflow_server())
        peers = await stack.enter_async_context(each_peer(plan))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        sides: dict[str, Side] = {}

        def deliveries(say: Callable[[], Awaitable[object]], crowd: Crowd) -> Side:
            """Return how many of them a second brings."""

            async def side() -> float:
                start = time.perf_counter()
                for _ in range(plan.fanouts):
                    await say()
                    await crowd.all_have()
                return size * plan.fanouts / (time.perf_counter() - start)

            return side

        bare_crowd = Crowd(size)

        async def listen(socket: bare.Connection) -> None:
            async for message in socket:
                entity.decode(cut.decode(message)[2])
                bare_crowd.one()

        sockets = [await stack.enter_async_context(bare.dial(plain.url)) for _ in range(size)]
        for socket in sockets:
            tasks.create_task(listen(socket))
        saying = msgspec.json.encode(bare.Ask(0, "SAY", "/"))
        sides[BARE] = deliveries(lambda: sockets[0].send(saying, text=True), bare_crowd)

        our_crowd = Crowd(size)
        people = [f"user{n}" for n in range(size)]
        bob, *everybody = await stack.enter_async_context(sessions(server, "bob", *people))
        for session in everybody:
            stack.enter_context(
                session.conversation("lunch").unread.observe().subscribe(our_crowd.one)
            )
        await our_crowd.all_have()  # each has seen the count as it was
        lunch = bob.conversation("lunch")
        sides[OURS] = deliveries(lambda: lunch.send("hello"), our_crowd)

        for peer in peers:
            crowd = Crowd(size)
            for _ in range(size):
                await peer.listen(crowd.one)
            sides[peer.name] = deliveries(peer.say, crowd)

        figures = await medians(sides, plan.rounds)
    return [
        Line(
            name=f"fan{size}",
            question=f"one send() seen by {size} sessions' observers",
            unit="deliveries/s",
            figures=figures,
            goal=0.8,
        )
    ]
