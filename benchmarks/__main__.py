"""`make bench`: every question in turn; `python -m benchmarks get push` asks just these."""

import asyncio
import platform
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version

from benchmarks import durable, fanout, get, imports, memory, push, scale
from benchmarks.measure import Line

QUESTIONS: dict[str, Callable[[], Awaitable[list[Line]]]] = {
    "get": get.lines,
    "push": push.lines,
    "fanout": fanout.lines,
    "durable": durable.lines,
    "memory": memory.lines,
    "imports": imports.lines,
    "scale": scale.lines,
}


def machine() -> str:
    """Say what was measured on."""
    parts = ("msgspec", "reactivex", "uvicorn", "uvloop", "websockets")
    versions = ", ".join(f"{name} {version(name)}" for name in parts)
    return f"{platform.machine()}, Python {platform.python_version()}, {versions}"


async def main(asked: list[str]) -> None:
    """Ask and print."""
    print(machine())
    print(f"{'':14}{'rtflow':>10} {'bare':>10}  {'':12}{'ratio':>6}  goal")
    for name in asked or QUESTIONS:
        for line in await QUESTIONS[name]():
            sign = ">=" if line.better == "higher" else "<="
            verdict = "met" if line.is_met else "not met"
            print(
                f"{line.name:14}{line.ours:10,.0f} {line.bare:10,.0f}  {line.unit:12}"
                f"{line.ratio:6.2f}  {sign} {line.goal:g}: {verdict}   {line.question}",
                flush=True,
            )


if __name__ == "__main__":
    if unknown := set(sys.argv[1:]) - QUESTIONS.keys():
        sys.exit(f"no such question: {', '.join(unknown)}; there are {', '.join(QUESTIONS)}")
    asyncio.run(main(sys.argv[1:]))
