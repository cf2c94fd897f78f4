"""Answers and events leave in an order that a client can trust, however long reads take."""

from hypothesis import given
from hypothesis import strategies as st

from rtflow.server.gateway.ordering import Ordering


class Outbox:
    """What left, in order."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.ordering = Ordering()

    def events(self, number: int, size: int = 1) -> None:
        if self.ordering.may_pass(number):
            self.left.append(f"events {number}")
        else:
            self.ordering.hold(number, size, lambda: self.left.append(f"events {number}"))

    def written(self, number: int) -> None:
        self.ordering.written(number, lambda: self.left.append(f"written {number}"))

    def end_read(self, number: int) -> bool:
        return self.ordering.end_read(number, lambda: self.left.append(f"read {number}"))


def test_without_a_read_everything_leaves_at_once() -> None:
    outbox = Outbox()
    outbox.events(1)
    outbox.written(1)
    outbox.events(2)
    assert outbox.left == ["events 1", "written 1", "events 2"]


def test_events_wait_for_a_read_and_leave_on_its_two_sides() -> None:
    outbox = Outbox()
    outbox.ordering.begin_read()
    for number in (1, 2, 3):
        outbox.events(number)
    assert outbox.left == []
    assert outbox.end_read(2)
    assert outbox.left == ["events 1", "events 2", "read 2", "events 3"]


def test_the_answer_to_a_write_never_overtakes_its_events() -> None:
    outbox = Outbox()
    outbox.ordering.begin_read()
    outbox.written(1)  # whose events were nobody's here
    outbox.events(2)
    outbox.written(2)
    assert outbox.left == ["written 1"]
    outbox.ordering.give_up_read()
    assert outbox.left == ["written 1", "events 2", "written 2"]


def test_a_read_that_is_overtaken_is_read_again() -> None:
    outbox = Outbox()
    outbox.ordering.begin_read()
    outbox.ordering.begin_read()
    outbox.events(1)
    outbox.events(2)
    assert outbox.end_read(2)
    assert not outbox.end_read(1), "events 2 have left, and are not in it"
    outbox.events(3)
    assert outbox.end_read(2)
    assert outbox.left == ["events 1", "events 2", "read 2", "read 2", "events 3"]


def test_what_is_held_is_counted() -> None:
    outbox = Outbox()
    outbox.ordering.begin_read()
    outbox.events(1, 10)
    outbox.events(2, 20)
    assert outbox.ordering.held_bytes == 30
    outbox.end_read(1)
    assert outbox.ordering.held_bytes == 0


@given(st.lists(st.sampled_from(["event", "begin", "end", "write"]), max_size=60), st.data())
def test_every_read_is_followed_by_exactly_what_it_lacks(
    steps: list[str], data: st.DataObject
) -> None:
    outbox, now = Outbox(), 0
    reads: list[int] = []  # under way: the number at which each will turn out to have read
    for step in [*steps, *["end"] * 60]:
        if step == "event":
            now += 1
            outbox.events(now)
        elif step == "write":
            outbox.written(now)
        elif step == "begin":
            reads.append(now)
            outbox.ordering.begin_read()
        elif reads:
            began = reads.pop(data.draw(st.integers(0, len(reads) - 1)))
            while not outbox.end_read(data.draw(st.integers(began, now))):
                pass
    assert outbox.ordering.held_bytes == 0
    told = 0
    for what, number in (line.split() for line in outbox.left):
        if what == "events":
            assert int(number) == told + 1
            told += 1
        elif what == "read":
            assert told <= int(number), "an event left before an answer that lacks it"
        else:
            assert told >= int(number), "an answer overtook its events"
    assert told == now
