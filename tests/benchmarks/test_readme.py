"""What `benchmarks.readme` makes of results."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from benchmarks.measure import BARE, OURS, Curve, Line
from benchmarks.readme import BEGIN, END, FRAMES, written
from benchmarks.report import Results, rows

GET = Line(
    name="get16",
    question="conversation.get() with 16 in flight",
    unit="reads/s",
    figures={OURS: 6_000.0, BARE: 9_000.0, "NATS KV": 7_500.0},
    goal=0.6,
)
LIST = Line(
    name="list20",
    question="first 20 of many",
    unit="µs",
    figures={OURS: 900.0, BARE: 500.0},
    goal=1.5,
    better="lower",
)
CURVES = tuple(Curve(plot=plot, name="of <one>", x=(1, 1_000), y=(5, 0.5)) for plot in FRAMES)
RESULTS = Results(machine="a machine", began="2026-01-02T03:04", lines=(GET, LIST), curves=CURVES)
README = f"Before\n{BEGIN}\nold figures\n{END}\nAfter\n"


def test_results_stand_between_the_marks_and_replace_those_before() -> None:
    text, _ = written(README, [RESULTS])
    assert text.startswith(f"Before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nAfter\n")
    assert "old figures" not in text
    assert "| get16 | 6,000 | 9,000 | reads/s | 0.67 | ≥ 0.6 | met |" in text
    assert "| list20 | 900 | 500 | µs | 1.80 | ≤ 1.5 | not met |" in text
    assert "| get16 | 6,000 | 7,500 | 0.80 | reads/s |" in text
    assert written(text, [RESULTS])[0] == text


def test_ratios_are_those_of_all_runs() -> None:
    slower = Results(machine="a machine", lines=(replace(GET, figures={OURS: 1.0, BARE: 2.0}),))
    text, _ = written(README, [slower, RESULTS])
    assert "| 0.50, 0.67 | ≥ 0.6 | met 1/2 |" in text


def test_every_plot_is_shown_and_is_xml() -> None:
    text, plots = written(README, [RESULTS])
    assert plots.keys() == {"goals", *FRAMES}
    for name, plot in plots.items():
        assert f"(plots/{name}.svg)" in text
        ElementTree.fromstring(plot)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    RESULTS.write(tmp_path / "run.json")
    assert Results.read(tmp_path / "run.json") == RESULTS


@pytest.mark.parametrize(("figure", "said"), [(7_500.0, "behind"), (5_000.0, "ahead of")])
def test_a_peer_has_a_line_of_its_own_with_a_verdict(figure: float, said: str) -> None:
    line = replace(GET, figures={**GET.figures, "NATS KV": figure})
    assert rows(line)[1].endswith(f"{said} NATS KV")


def test_a_fault_keeps_a_goal_from_being_met() -> None:
    assert GET.is_met
    assert not replace(GET, fault="3 requests were sent").is_met
