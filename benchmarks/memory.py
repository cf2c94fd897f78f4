"""What does it hold? KiB of resident memory, of the server for each connection that just listens,
and of a client for each conversation that it watches.

Each is measured once: memory does not jitter as time does.
"""

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks import bare
from benchmarks.elsewhere import elsewhere
from benchmarks.measure import BARE, OURS, Line, resident
from benchmarks.peers import each_peer
from benchmarks.plan import Plan
from benchmarks.programs import bare_server, rtflow_server, sessions
from benchmarks.seeding import NOON, seeding

LIMIT = 6  # KiB of a watched conversation


async def ours(plan: Plan) -> float:
    """Sessions that watch one conversation."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(rtflow_server())
        users = [f"user{n}" for n in range(plan.connections + plan.warm)]
        _, *everybody = await stack.enter_async_context(sessions(server, "bob", *users))
        before = 0.0
        for number, session in enumerate(everybody):
            if number == plan.warm:
                before = resident(server.pid)
            lunch = aiter(session.conversation("lunch"))
            stack.push_async_callback(lunch.aclose)
            await anext(lunch)
        return (resident(server.pid) - before) / plan.connections


async def plain(plan: Plan) -> float:
    """Bare connections."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(bare_server())
        before = 0.0
        for number in range(plan.connections + plan.warm):
            if number == plan.warm:
                before = resident(server.pid)
            await stack.enter_async_context(bare.dial(server.url))
        return (resident(server.pid) - before) / plan.connections


async def theirs(plan: Plan) -> dict[str, float]:
    """Connections of the peers, which watch."""
    figures: dict[str, float] = {}
    async with each_peer(plan) as peers:
        for peer in peers:
            before = 0.0
            for number in range(plan.connections + plan.warm):
                if number == plan.warm:
                    before = resident(peer.server.pid)
                await peer.listen(lambda: None)
            figures[peer.name] = (resident(peer.server.pid) - before) / plan.connections
    return figures


async def watched(plan: Plan) -> float:
    """What one session holds for each conversation that it watches, with its last message."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rtflow.db"
        with seeding(file) as seed:
            seed.users("many", "bob")
            for number in range(plan.watched + plan.warm):
                seed.conversation(f"many{number}", ["many", "bob"], messages=1, at=NOON + number)
        async with rtflow_server(file) as server, elsewhere("watch", server) as watch:
            before, _ = map(float, (await watch(str(plan.warm))).split())
            after, _ = map(float, (await watch(str(plan.warm + plan.watched))).split())
            return (after - before) / plan.watched


async def lines(plan: Plan) -> list[Line]:
    """Measure."""
    figures = {OURS: await ours(plan), BARE: await plain(plan)}
    return [
        Line(
            name="memory",
            question="server memory per connection that watches one conversation",
            unit="KiB",
            figures={**figures, **await theirs(plan)},
            goal=1.7,
            better="lower",
        ),
        Line(
            name="watched",
            question=f"client memory per watched conversation, against {LIMIT} KiB",
            unit="KiB",
            figures={OURS: await watched(plan), BARE: LIMIT},
            goal=1,
            better="lower",
        ),
    ]
