"""Every question of `make bench` still runs: with next to nothing, so its figures mean nothing."""

import sys
from importlib.util import find_spec

import pytest
from msgspec.structs import replace

from benchmarks.__main__ import QUESTIONS
from benchmarks.curves import GROWTHS
from benchmarks.measure import BARE, OURS
from benchmarks.peers import CORE, KV, SOCKETIO
from benchmarks.plan import Plan

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

TINY = Plan(
    rounds=1,
    in_flight=4,
    reads=16,
    events=16,
    writers=2,
    listeners=3,
    fanouts=1,
    sends=8,
    connections=3,
    watched=30,
    warm=1,
    observers=20,
    imports=1,
    conversations=(20, 40),
    participants=(10, 30),
    messages=(30, 60),
    unread=2,
    online=4,
    joinings=2,
    requests=2,
    crowds=(1, 120),
    deliveries=120,
    watches=(1, 60, 120),
    sizes=(10, 20),
    histories=(30, 60),
)

POINTS = {
    "connections": {
        ("connections-memory", (120,)),
        ("connections-time", (120,)),
        ("connections-time", (1, 120)),
    },
    "watched": {("watched-memory", (120,)), ("watched-time", (60, 120))},
    "participants": {("participants-time", (10, 20))},
    "histories": {("histories-time", (30, 60))},
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_is_answered_with_figures_of_all_sides(question: str) -> None:
    lines = await QUESTIONS[question](TINY)
    assert lines
    for line in lines:
        assert {OURS, BARE} <= line.figures.keys()
        if line.name != "durable/busy":  # in so little time no fan-out may come to its end
            assert line.fault == ""


@pytest.mark.skipif(
    not all(map(find_spec, ("nats", "socketio"))), reason="`make bench PEERS=1` installs the peers"
)
async def test_the_peers_do_the_same_work() -> None:
    end_to_end, of_the_observer = await QUESTIONS["push"](replace(TINY, peers=True))
    assert end_to_end.peers.keys() == {SOCKETIO, KV}
    assert of_the_observer.peers.keys() == {SOCKETIO, KV, CORE}


@pytest.mark.parametrize("growth", GROWTHS)
async def test_what_is_measured_for_ever_more_of_something_has_a_point_for_each(
    growth: str,
) -> None:
    drawn = {(it.plot, it.x) for it in await GROWTHS[growth](TINY)}
    assert drawn == POINTS[growth]
