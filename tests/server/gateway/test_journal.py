"""The journal knows what a plain list of all changes knows, as far back as it says."""

from hypothesis import given
from hypothesis import strategies as st

from rtflow.model.entities import User
from rtflow.model.events import Event, SideDeleted, UserCreated
from rtflow.server.gateway.journal import Journal
from rtflow.server.store.interface import Change, Entry, SideTouched

ROOMS = "abc"


def about(number: int, rooms: str) -> Change:
    """A change that concerns these conversations, and a user besides."""
    user = UserCreated(user_id="u", state=User(id="u", name="U", role="default"))
    entries: list[Event | SideTouched] = [user]
    for room in rooms:
        entries += [SideDeleted(conversation_id=room), SideTouched(room)]
    return Change(number, tuple(map(Entry, entries)))


@given(
    st.integers(0, 5),
    st.integers(1, 8),
    st.lists(st.lists(st.sampled_from(ROOMS), max_size=2).map("".join), max_size=40),
)
def test_it_knows_all_changes_above_its_floor_and_admits_when_it_does_not(
    floor: int, capacity: int, rooms: list[str]
) -> None:
    journal = Journal(floor, capacity)
    changes = [about(number, room) for number, room in enumerate(rooms, start=floor + 1)]
    journal.note(changes[:7])
    journal.note(changes[7:])
    assert journal.number == floor + len(changes)
    entries = sum(len(set(room)) for room in rooms)
    assert (journal.floor == floor) == (entries <= capacity)
    for room in ROOMS:
        for since in range(journal.number + 1):
            known = [
                c.number
                for c in changes
                if c.number > since and room in rooms[c.number - floor - 1]
            ]
            assert journal.since(room, since) == (known if since >= journal.floor else None)


def test_what_it_has_forgotten_takes_no_memory() -> None:
    journal = Journal(0, capacity=10)
    for number in range(1, 1000):
        journal.note([about(number, chr(1000 + number))])
    assert len(journal._latest) == 10  # pyright: ignore[reportPrivateUsage]  # what it holds on to
