"""`rtflow demo`, as a newcomer runs it."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.cli.program import PYTHON, RTFLOW, started

CHANGE = re.compile(r"[\d:]{8}  (?P<subject>.+?)  +unread (?P<before>\d+) -> (?P<after>\d+)  .+")
SUMMARY = re.compile(
    r"rtflow demo: (?P<changes>\d+) changes, "
    r"unread between (?P<lowest>\d+) and (?P<highest>\d+)\. .+"
)


async def test_unread_counts_go_up_and_down_and_it_ends_by_itself(tmp_path: Path) -> None:
    async with started("demo", "--seconds", "4", env={"TMPDIR": str(tmp_path)}) as demo:
        ended = await demo.ended()
    assert (ended.status, ended.stderr) == (0, "")
    *lines, last = ended.stdout.splitlines()
    changes = [change for line in lines if (change := CHANGE.fullmatch(line))]
    steps = [int(change["after"]) - int(change["before"]) for change in changes]
    assert len([step for step in steps if step > 0]) >= 5
    assert any(step < 0 for step in steps)
    assert len({change["subject"] for change in changes}) >= 3

    summary = SUMMARY.fullmatch(last)
    assert summary is not None, last
    assert int(summary["changes"]) == len(changes)
    assert int(summary["highest"]) == max(int(change["after"]) for change in changes)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_quietly_and_nothing_is_left(
    number: signal.Signals, tmp_path: Path
) -> None:
    async with started("demo", env={"TMPDIR": str(tmp_path)}) as demo:
        while not CHANGE.fullmatch(await demo.line()):
            pass
        demo.process.send_signal(number)
        ended = await demo.ended()
    assert (ended.status, ended.stderr) == (0, "")
    assert SUMMARY.fullmatch(ended.stdout.splitlines()[-1])
    assert os.listdir(tmp_path) == []


async def test_it_ends_quietly_when_nobody_reads_any_more(tmp_path: Path) -> None:
    command = ["sh", "-c", '("$@"; echo "status $?" >&2) | head -n 2', "sh", *RTFLOW]
    async with started("demo", command=command, env={"TMPDIR": str(tmp_path)}) as pipeline:
        ended = await pipeline.ended()
    assert ended.stderr == "status 0\n"
    assert os.listdir(tmp_path) == []


async def test_in_a_terminal_it_is_a_table_that_fits() -> None:
    size = {"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    command = [*PYTHON, "-c", "import pty, sys; pty.spawn(sys.argv[1:])", *RTFLOW]
    async with started("demo", "--seconds", "2", command=command, env=size) as terminal:
        ended = await terminal.ended()
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", ended.stdout)
    screens = text.split("Conversation")
    assert len(screens) > 3
    for screen in screens[1:]:
        assert len(screen.splitlines()) <= 24
        assert max(len(line) for line in screen.splitlines()) <= 80
    assert "Lunch" in screens[-1]
    assert "●" in screens[-1]
    assert SUMMARY.fullmatch(text.splitlines()[-1])
