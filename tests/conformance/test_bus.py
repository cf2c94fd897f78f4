"""What every bus promises, on every bus there is."""

from collections.abc import Sequence

import pytest

from rtflow.server.bus.interface import Bus, Came, Left, Signal, Wrote
from rtflow.server.bus.local import LocalBus
from rtflow.server.store.interface import Change
from tests.conformance.stores import entry

SIGNALS = (
    Came(node="north", user_id="alice"),
    Wrote(conversation_id="lunch", user_id="alice", at=7),
    Left(node="north", user_id="alice"),
)


@pytest.fixture(params=[LocalBus])
def bus(request: pytest.FixtureRequest) -> Bus:
    kind: type[Bus] = request.param
    return kind()


async def test_every_listener_hears_of_every_change_in_number_order(bus: Bus) -> None:
    heard: list[list[int]] = [[], []]

    def listen(numbers: list[int]) -> None:
        def deliver(changes: Sequence[Change]) -> None:
            numbers.extend(change.number for change in changes)

        bus.listen(deliver)

    for numbers in heard:
        listen(numbers)
    bus.publish([Change(1, (entry("a"),)), Change(2, (entry("b"),))])
    bus.publish([Change(3, (entry("c"),))])
    assert heard == [[1, 2, 3], [1, 2, 3]]


async def test_of_the_listeners_of_a_node_the_first_is_called_first(bus: Bus) -> None:
    called: list[str] = []
    bus.listen(lambda _: called.append("first"))
    bus.listen(lambda _: called.append("second"))
    bus.publish([Change(1, (entry("a"),))])
    assert called == ["first", "second"]


async def test_a_node_hears_its_own_signals_in_the_order_in_which_they_were_told(bus: Bus) -> None:
    heard: list[Signal] = []
    bus.listen_for_signals(heard.extend)
    bus.tell(SIGNALS[:1])
    bus.tell(SIGNALS[1:])
    assert heard == [*SIGNALS]


async def test_who_listens_for_one_hears_nothing_of_the_other(bus: Bus) -> None:
    bus.listen(lambda _: pytest.fail("a signal is no change"))
    bus.tell(SIGNALS)
    other = LocalBus()
    other.listen_for_signals(lambda _: pytest.fail("a change is no signal"))
    other.publish([Change(1, (entry("a"),))])
