"""The storm in its bounded form; the long one is `make torture`."""

import os

from rtflow.model.snapshots import ConnectionState
from tests.torture.storm import run, speaks_plainly

STORIES = int(os.environ.get("RTFLOW_STORMS", "1"))


async def test_after_a_storm_everybody_sees_what_is_true() -> None:
    figures = await run(60, stories=STORIES, story=8)
    assert figures.broken == (), "\n".join(figures.broken)
    assert figures.stories == STORIES
    assert len(figures.faults) > 5, figures
    assert min(figures.commands, figures.beats, figures.compared, figures.reconnects) > 0, figures


def test_a_loss_without_a_reason_is_a_violation() -> None:
    live, lost = ConnectionState(status="live"), ConnectionState(status="waiting", retry_in=1)
    lost_why = ConnectionState(status="waiting", reason="the cat", retry_in=1)
    again = ConnectionState(status="connecting")
    assert speaks_plainly([live, lost_why, again, live])
    assert not speaks_plainly([live, lost, again, live])
    assert not speaks_plainly([live, lost_why, live])
