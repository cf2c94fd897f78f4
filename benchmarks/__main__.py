"""`make bench`: every question in turn; `python -m benchmarks get push` asks just these.

make bench PEERS=1         python-socketio and NATS KV do the same work
make bench SCALE=1         how costs grow with connections, conversations, people and history
make bench JSON=run.json   all results in a file, from which `python -m benchmarks.readme` makes
                           tables and plots
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks import durable, fanout, get, imports, memory, observers, push, scale
from benchmarks.curves import GROWTHS, raise_open_files
from benchmarks.measure import Curve, Line
from benchmarks.plan import Plan
from benchmarks.report import HEADER, Results, machine, rows, tally

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


async def main(asked: list[str], plan: Plan, *, grow: bool, json: Path | None) -> None:
    """Ask, print, and write."""
    raise_open_files()
    results = Results(machine=machine(peers=plan.peers))
    found: list[Line] = []
    print(results.machine, HEADER, sep="\n", flush=True)
    for name in asked:
        for line in await QUESTIONS[name](plan):
            found.append(line)
            print(*rows(line), sep="\n", flush=True)
    print(tally(found))
    drawn: list[Curve] = []
    for growth in GROWTHS if grow else ():
        for curve in await GROWTHS[growth](plan):
            drawn.append(curve)
            points = (f"{x:,.0f}: {y:.3g}" for x, y in zip(curve.x, curve.y, strict=True))
            print(f"{growth}: {curve.name}", *points, sep="   ", flush=True)
    if json is not None:
        Results(
            machine=results.machine, began=results.began, lines=tuple(found), curves=tuple(drawn)
        ).write(json)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("questions", nargs="*", help=f"all, or some of {', '.join(QUESTIONS)}")
    parser.add_argument("--peers", action="store_true", help="let the peers do the same work")
    parser.add_argument("--scale", action="store_true", help="measure how costs grow, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    options = parser.parse_args()
    if unknown := set(options.questions) - QUESTIONS.keys():
        sys.exit(f"no such question: {', '.join(unknown)}; there are {', '.join(QUESTIONS)}")
    asyncio.run(
        main(
            options.questions or list(QUESTIONS),
            Plan(peers=options.peers),
            grow=options.scale,
            json=options.json,
        )
    )
