"""What does an event cost that one observer sees?

Two questions, because the bare loop pushes ready-made frames and ours commits each message to disk
first. `push` is the rate from end to end: a writer keeps 64 messages in flight, so it measures the
write path as well, and that is most of it. `events` leaves that out: several sessions write in
another process, and what counts is the processor time of the process that observes, in which bare
frames of one event each are received, decoded and counted, or frames of rtflow applied and seen.
Several events may share a frame there, as the server made it; that is what its batching is for.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec

from benchmarks import bare
from benchmarks.crowd import say_all
from benchmarks.elsewhere import Order, elsewhere
from benchmarks.measure import BARE, OURS, Clock, Line, Side, medians
from benchmarks.peers import CORE, KV, SOCKETIO, each_peer
from benchmarks.plan import Plan
from benchmarks.programs import Running, bare_server, rtflow_server, sessions


class Tally:
    """Counts events, and says when all have been seen."""

    def __init__(self, events: int) -> None:
        self._events, self._seen = events, 0
        self._all_seen = asyncio.Event()

    def one(self) -> None:
        """One more."""
        self.count(self._seen + 1)

    def count(self, seen: int) -> None:
        """So many in all."""
        self._seen = seen
        if seen == self._events:
            self._all_seen.set()

    async def all_seen(self) -> None:
        """Wait for the last one, and start over."""
        await self._all_seen.wait()
        self._all_seen.clear()
        self._seen = 0


def bare_side(socket: bare.Connection, events: int, clock: Clock) -> Side:
    """Receive frames of one event each, and decode them."""
    entity = msgspec.json.Decoder(bare.Entity)
    cut = msgspec.json.Decoder(list[msgspec.Raw])
    ask = msgspec.json.encode(bare.Ask(0, "PUSH", "/", msgspec.Raw(b"%d" % events)))

    async def side() -> float:
        start = clock()
        await socket.send(ask)
        for _ in range(events):
            entity.decode(cut.decode(await socket.recv())[2])
        return events / (clock() - start)

    return side


async def end_to_end(plan: Plan, socket: bare.Connection, server: Running) -> Line:
    """Measure the rate, with the writer in this process."""
    async with (
        sessions(server, "alice", "bob") as (alice, bob),
        each_peer(plan) as peers,
    ):
        mine, bobs = alice.conversation("lunch"), bob.conversation("lunch")

        async def ours() -> float:
            await mine.mark_as_read()
            tally = Tally(plan.events)
            start = time.perf_counter()
            with mine.unread.observe().subscribe(tally.count):
                await say_all(lambda: bobs.send("hello"), plan.events, plan.in_flight)
                await tally.all_seen()
            return plan.events / (time.perf_counter() - start)

        def theirs(say: Callable[[], Awaitable[None]], tally: Tally) -> Side:
            async def side() -> float:
                start = time.perf_counter()
                await say_all(say, plan.events, plan.in_flight)
                await tally.all_seen()
                return plan.events / (time.perf_counter() - start)

            return side

        sides: dict[str, Side] = {
            BARE: bare_side(socket, plan.events, time.perf_counter),
            OURS: ours,
        }
        for peer in peers:
            tally = Tally(plan.events)
            await peer.listen(tally.one)
            sides[peer.name] = theirs(peer.say, tally)
        figures = await medians(sides, plan.rounds)
    return Line(
        name="push",
        question=f"changes seen by an observer, {plan.in_flight} send() in flight meanwhile",
        unit="events/s",
        figures=figures,
        goal=1.3,
    )


async def of_the_observer(plan: Plan, socket: bare.Connection, server: Running) -> Line:
    """Measure the processor time of this process, with the writers in another one."""
    writers = [f"writer{n}" for n in range(plan.writers)]
    async with AsyncExitStack() as stack:
        alice, *_ = await stack.enter_async_context(sessions(server, "alice", *writers))
        write = await stack.enter_async_context(elsewhere("write", server, plan.writers))
        peers = await stack.enter_async_context(each_peer(plan, SOCKETIO, KV, CORE))
        lunch = alice.conversation("lunch")

        async def seen(write: Order, tally: Tally) -> float:
            start = time.process_time()
            await write(f"{plan.events} {plan.in_flight}")
            await tally.all_seen()
            return plan.events / (time.process_time() - start)

        async def ours() -> float:
            await lunch.mark_as_read()
            tally = Tally(plan.events)
            with lunch.unread.observe().subscribe(tally.count):
                return await seen(write, tally)

        def theirs(write: Order, tally: Tally) -> Side:
            return lambda: seen(write, tally)

        sides: dict[str, Side] = {
            BARE: bare_side(socket, plan.events, time.process_time),
            OURS: ours,
        }
        for peer in peers:
            tally = Tally(plan.events)
            await peer.listen(tally.one)
            say = await stack.enter_async_context(elsewhere(peer.name, peer.server))
            sides[peer.name] = theirs(say, tally)
        figures = await medians(sides, plan.rounds)
    return Line(
        name="events",
        question=f"the same by {plan.writers} writers, per second of the observer's CPU time",
        unit="events/cpu s",
        figures=figures,
        goal=1.3,
    )


async def lines(plan: Plan) -> list[Line]:
    """Measure."""
    async with (
        bare_server() as plain,
        bare.dial(plain.url) as socket,
        rtflow_server() as server,
    ):
        return [
            await end_to_end(plan, socket, server),
            await of_the_observer(plan, socket, server),
        ]
