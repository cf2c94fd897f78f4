"""Writes the results into README.md, and the plots beside it: no figure is typed by hand.

    python -m benchmarks.readme run.json              one
    python -m benchmarks.readme a.json b.json c.json  amounts are of the last, ratios of all

Curves are those of the last run that measured any.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from benchmarks.measure import BARE, OURS, Curve, Line
from benchmarks.plot import bars, loglog
from benchmarks.report import Results, amount, tally

__all__ = ["written"]

HERE = Path(__file__).parent
BEGIN, END = "<!-- results: written by benchmarks/readme.py -->", "<!-- end of the results -->"
GOALS = "goals"


class Frame(Struct, frozen=True):
    """What stands around some curves."""

    title: str
    x_name: str


FRAMES = {
    "connections-memory": Frame("Memory of each connection", "connections on one server"),
    "connections-time": Frame(
        "CPU time of the server for each connection", "connections on one server"
    ),
    "watched-memory": Frame("Memory of each watched conversation", "conversations in one session"),
    "watched-time": Frame(
        "CPU time of the client for each watched conversation", "conversations in one session"
    ),
    "participants-time": Frame(
        "CPU time of the server for a request, as a conversation grows", "participants"
    ),
    "histories-time": Frame("CPU time of the server for a request, as a history grows", "messages"),
}


def written(readme: str, runs: Sequence[Results]) -> tuple[str, dict[str, str]]:
    """Return the README with these results in it, and the plots by their names."""
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    assert begin, f"README.md has no line {BEGIN}"
    assert end, f"README.md has no line {END}"
    plots = drawn(runs)
    return "\n".join((head + BEGIN, "", *told(runs, plots), "", END + tail)), plots


def drawn(runs: Sequence[Results]) -> dict[str, str]:
    """Draw all plots."""
    plots = {GOALS: bars("How far each goal is reached (ratio, goal)", runs[-1].lines)}
    curves = curves_of(runs)
    for name, frame in FRAMES.items():
        if these := [it for it in curves if it.plot == name and it.x]:
            plots[name] = loglog(frame.title, frame.x_name, these)
    return plots


def curves_of(runs: Sequence[Results]) -> tuple[Curve, ...]:
    """Return those of the last run that measured any."""
    return next((run.curves for run in reversed(runs) if run.curves), ())


def told(runs: Sequence[Results], plots: dict[str, str]) -> Iterator[str]:
    """Write what was found, line by line."""
    last = runs[-1]
    yield f"{last.machine}."
    yield ""
    for run in runs:
        yield f"* Run of {run.began.replace('T', ' ')} UTC: {tally(run.lines)}."
    yield ""
    yield f"![How far each goal is reached](plots/{GOALS}.svg)"
    yield ""
    yield "| line | rtflow | bare | | ratio | goal | | what |"
    yield "|---|--:|--:|---|--:|--:|---|---|"
    for line in last.lines:
        same = [it for run in runs for it in run.lines if it.name == line.name]
        yield row(line, same)
    if any(line.peers for line in last.lines):
        yield ""
        yield "How many times as good as the peers rtflow is (1.00 is the same, more is ahead):"
        yield ""
        yield from peers(last.lines)
    for name, frame in FRAMES.items():
        if name in plots:
            yield ""
            yield f"![{frame.title}, by {frame.x_name}](plots/{name}.svg)"


def row(line: Line, same: Sequence[Line]) -> str:
    """Tell one line, with the ratios that it had in all runs."""
    sign = "≥" if line.better == "higher" else "≤"
    met = [it.is_met for it in same]
    verdict = "met" if all(met) else "not met" if not any(met) else f"met {sum(met)}/{len(met)}"
    ratios = ", ".join(f"{it.ratio:.2f}" for it in same)
    what = f"{line.question} ({line.fault})" if line.fault else line.question
    ours, bare = amount(line.figures[OURS]).strip(), amount(line.figures[BARE]).strip()
    cells = (line.name, ours, bare, line.unit, ratios, f"{sign} {line.goal:g}", verdict, what)
    return f"| {' | '.join(cells)} |"


def peers(lines: Sequence[Line]) -> Iterator[str]:
    """Tell how we do against the peers."""
    names = list(dict.fromkeys(name for line in lines for name in line.peers))
    yield f"| line | rtflow | {' | '.join(f'{name} | ahead' for name in names)} | |"
    yield f"|---|--:|{'--:|--:|' * len(names)}---|"
    for line in lines:
        if line.peers:
            cells = [line.name, amount(line.figures[OURS]).strip()]
            for name in names:
                there = name in line.peers
                cells.append(amount(line.peers[name]).strip() if there else "")
                cells.append(f"{line.lead(name):.2f}" if there else "")
            yield f"| {' | '.join(cells)} | {line.unit} |"


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.readme",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, help="what `make bench JSON=file` wrote")
    readme = HERE / "README.md"
    runs = [Results.read(file) for file in parser.parse_args().runs]
    text, plots = written(readme.read_text(encoding="utf-8"), runs)
    readme.write_text(text, encoding="utf-8")
    (HERE / "plots").mkdir(exist_ok=True)
    for name, plot in plots.items():
        (HERE / "plots" / f"{name}.svg").write_text(plot, encoding="utf-8")


if __name__ == "__main__":
    main()
