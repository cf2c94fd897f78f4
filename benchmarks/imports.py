"""How long does `import rtflow` take, against the three libraries that it stands on?"""

import asyncio
import sys
import time

from benchmarks.measure import Line, compare

PARTS = "import websockets.asyncio.client, reactivex, msgspec.json"


async def seconds(statement: str) -> float:
    """Run a fresh interpreter with one statement."""
    start = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", statement)
    assert await process.wait() == 0
    return time.perf_counter() - start


async def lines() -> list[Line]:
    """Measure."""
    ours, bare = await compare(lambda: seconds("import rtflow"), lambda: seconds(PARTS), rounds=11)
    return [
        Line(
            name="import",
            question="import rtflow, with the interpreter's start",
            unit="ms",
            ours=ours * 1e3,
            bare=bare * 1e3,
            goal=1.3,
            better="lower",
        )
    ]
