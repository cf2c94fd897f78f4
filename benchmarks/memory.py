"""What does a connection that just listens cost the server? KiB of resident memory each."""

from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks import bare
from benchmarks.measure import Line
from benchmarks.programs import Running, bare_server, rtflow_server, sessions

CONNECTIONS = 1_000
WARM = 100  # connections that pay for what is shared, and are not counted


def resident(server: Running) -> float:
    """Return the KiB that a process holds in memory."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return float(status.split("VmRSS:")[1].split()[0])


async def ours() -> float:
    """Sessions that watch one conversation."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(rtflow_server())
        users = [f"user{n}" for n in range(CONNECTIONS + WARM)]
        _, *everybody = await stack.enter_async_context(sessions(server, "bob", *users))
        before = 0.0
        for number, session in enumerate(everybody):
            if number == WARM:
                before = resident(server)
            lunch = aiter(session.conversation("lunch"))
            stack.push_async_callback(lunch.aclose)
            await anext(lunch)
        return (resident(server) - before) / CONNECTIONS


async def plain() -> float:
    """Bare connections."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(bare_server())
        before = 0.0
        for number in range(CONNECTIONS + WARM):
            if number == WARM:
                before = resident(server)
            await stack.enter_async_context(bare.dial(server.url))
        return (resident(server) - before) / CONNECTIONS


async def lines() -> list[Line]:
    """Measure, once each: memory does not jitter as time does."""
    return [
        Line(
            name="memory",
            question="server memory per connection that watches one conversation",
            unit="KiB",
            ours=await ours(),
            bare=await plain(),
            goal=1.7,
            better="lower",
        )
    ]
