"""What does one more observer cost? Nothing on the wire, and the same among few and among many."""

import asyncio
import time
from contextlib import ExitStack

from benchmarks.measure import BARE, OURS, Line, Side, medians
from benchmarks.plan import Plan
from benchmarks.programs import rtflow_server, sessions
from rtflow import ConversationSnapshot

FEW = 10
ADDED = 100  # observers that are added, and timed together


async def lines(plan: Plan) -> list[Line]:
    """Measure."""
    async with rtflow_server() as server, sessions(server, "alice") as (alice,):
        observable = alice.conversation("lunch").observe()
        live = asyncio.Event()

        def see(_: ConversationSnapshot | None) -> None:
            live.set()

        def among(observers: int) -> Side:
            async def side() -> float:
                with ExitStack() as those_there, ExitStack() as added:
                    for _ in range(observers):
                        those_there.enter_context(observable.subscribe(see))
                    start = time.process_time()
                    for _ in range(ADDED):
                        added.enter_context(observable.subscribe(see))
                    return (time.process_time() - start) * 1e6 / ADDED

            return side

        with observable.subscribe(see):
            await live.wait()
            before = alice.stats()
            figures = await medians({BARE: among(FEW), OURS: among(plan.observers)}, plan.rounds)
            sent = alice.stats().requests_sent - before.requests_sent
    return [
        Line(
            name="observer",
            question=f"one more observer, with {plan.observers:,} there and with {FEW}: "
            f"{sent} requests sent for them",
            unit="cpu µs",
            figures=figures,
            goal=1.5,
            better="lower",
            fault=f"{sent} requests were sent" if sent else "",
        )
    ]
