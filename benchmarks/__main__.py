"""`make bench`: every question in turn; `python -m benchmarks get push` asks just these.

    make bench PEERS=1         python-socketio and NATS KV do the same work
    make bench SCALE=1         how costs grow with connections, conversations, people and history
    make bench JSON=run.json   all results in a file, from which `python -m benchmarks.readme` makes
                               tables and plots

Not here: how something is measured (a module each), how much of it (plan.py).
"""

import argparse
import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from benchmarks import durable, fanout, get, imports, memory, observers, push, scale
from benchmarks.curves import GROWTHS, raise_open_files
from benchmarks.measure import Curve, Line
from benchmarks.plan import Plan
from benchmarks.report import HEADER, Results, amount, machine, rows, tally

PATIENCE = 900.0  # seconds for one question

QUESTIONS: dict[str, Callable[[Plan], Awaitable[list[Line]]]] = {
    "get": get.lines,
    "push": push.lines,
    "fanout": fanout.lines,
    "durable": durable.lines,
    "memory": memory.lines,
    "imports": imports.lines,
    "observers": observers.lines,
    "scale": scale.lines,
}


async def main(asked: Sequence[str], plan: Plan, json: Path | None) -> int:
    """Ask, print, and write after each; return how many questions came to no end."""
    raise_open_files()
    results, broken = Results(machine=machine(peers=plan.peers)), 0
    print(results.machine, HEADER, sep="\n", flush=True)
    for name in asked:
        lines: list[Line] = []
        curves: list[Curve] = []
        try:
            async with asyncio.timeout(PATIENCE):
                if name in GROWTHS:
                    curves = await GROWTHS[name](plan)
                else:
                    lines = await QUESTIONS[name](plan)
        except Exception:  # the others are asked all the same
            traceback.print_exc()
            broken += 1
        for line in lines:
            print(*rows(line), sep="\n", flush=True)
        for curve in curves:
            points = (
                f"{x:,.0f}: {amount(y).strip()}" for x, y in zip(curve.x, curve.y, strict=True)
            )
            print(f"{name}: {curve.name}", *points, sep="   ", flush=True)
        results = replace(
            results, lines=(*results.lines, *lines), curves=(*results.curves, *curves)
        )
        if json is not None:
            results.write(json)
    if results.lines:
        print(tally(results.lines))
    return broken


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [*QUESTIONS, *GROWTHS]
    parser.add_argument("questions", nargs="*", help=f"all, or some of {', '.join(names)}")
    parser.add_argument("--peers", action="store_true", help="let the peers do the same work")
    parser.add_argument("--scale", action="store_true", help="measure how costs grow, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    options = parser.parse_args()
    if unknown := set(options.questions).difference(names):
        sys.exit(f"no such question: {', '.join(unknown)}; there are {', '.join(names)}")
    asked = options.questions or (names if options.scale else list(QUESTIONS))
    broken = asyncio.run(main(asked, Plan(peers=options.peers), options.json))
    sys.exit(f"{broken} of the questions came to no end" if broken else 0)
