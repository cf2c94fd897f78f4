"""How long does `import rtflow` take, against the three libraries that it stands on?"""

import asyncio
import os
import sys
import time

from benchmarks.measure import BARE, OURS, Line, medians
from benchmarks.plan import Plan

PARTS = "import websockets.asyncio.client, reactivex, msgspec.json"


async def milliseconds(statement: str) -> float:
    """Run a fresh interpreter with one statement. It keeps bytecode, as it does unless told."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", statement, env=env)
    assert await process.wait() == 0
    return (time.perf_counter() - start) * 1e3


async def lines(plan: Plan) -> list[Line]:
    """Measure."""
    sides = {BARE: lambda: milliseconds(PARTS), OURS: lambda: milliseconds("import rtflow")}
    return [
        Line(
            name="import",
            question="import rtflow, with the interpreter's start",
            unit="ms",
            figures=await medians(sides, plan.imports),
            goal=1.3,
            better="lower",
        )
    ]
