"""Reading marks: how far somebody has read, and what the others are told of it."""

import pytest

from rtflow.server.store.interface import SideTouched
from tests.server.domain.world import World, refused


@pytest.fixture(autouse=True)
def lunch(world: World) -> None:
    """Ada has said three things, at 2000, 3000 and 4000; Bob and Cy have not read them."""
    world.start("lunch", "ada", "bob", "cy")
    for world.now in (2_000, 3_000, 4_000):
        world.send("ada", "lunch", "hello")
    world.now = 5_000
    world.take()


def bob(world: World) -> tuple[int, bool, int]:
    seen = world.see("bob", "lunch")
    return seen.unread_message_count, seen.is_unread, seen.read_until


def test_reading_reads_everything_up_to_now(world: World) -> None:
    world.read("bob", "lunch")
    assert bob(world) == (0, False, 5_000)


def test_others_are_told_only_when_everyone_has_read_further(world: World) -> None:
    world.read("cy", "lunch")
    assert world.take() == [SideTouched("lunch", "cy")]  # bob has not
    world.read("bob", "lunch")
    assert world.take() == [SideTouched("lunch")]
    assert world.see("ada", "lunch").everyone_read_until == 4_000


@pytest.mark.parametrize(
    ("until", "unread", "read_until"),
    [
        (0, 3, 1_001),
        (1_999, 3, 1_999),
        (2_000, 2, 2_000),
        (3_999, 1, 3_999),
        (4_000, 0, 4_000),
        (2**62, 0, 5_000),
    ],
)
def test_reading_until_a_time_leaves_what_came_later(
    world: World, until: int, unread: int, read_until: int
) -> None:
    world.read("bob", "lunch", until)
    assert bob(world) == (unread, unread > 0, read_until)


def test_reading_never_goes_back(world: World) -> None:
    world.read("bob", "lunch")
    world.now = 10
    world.read("bob", "lunch")
    world.read("bob", "lunch", 2_000)
    assert bob(world) == (0, False, 5_000)


def test_reading_again_until_the_same_time_tells_nobody(world: World) -> None:
    world.read("bob", "lunch", 3_000)
    world.take()
    world.read("bob", "lunch", 3_000)
    world.read("bob", "lunch", 2_000)
    assert world.take() == []


def test_a_clock_behind_the_last_message_does_not_matter(world: World) -> None:
    world.now = 100
    world.read("bob", "lunch")
    assert bob(world) == (0, False, 4_000)


def test_marking_as_unread_keeps_the_count(world: World) -> None:
    world.unread("bob", "lunch")
    assert bob(world)[:2] == (3, True)
    world.read("bob", "lunch")
    world.take()
    world.unread("bob", "lunch")
    assert bob(world)[:2] == (0, True)
    assert world.take() == [SideTouched("lunch", "bob")]
    world.unread("bob", "lunch")
    assert world.take() == []
    world.read("bob", "lunch")
    assert bob(world)[:2] == (0, False)


def test_reading_until_long_ago_clears_the_mark_all_the_same(world: World) -> None:
    world.read("bob", "lunch")
    world.unread("bob", "lunch")
    world.take()
    world.read("bob", "lunch", 2_000)
    assert bob(world) == (0, False, 5_000)
    assert world.take() == [SideTouched("lunch", "bob")]


@pytest.mark.parametrize(("until", "is_unread"), [(4_999, False), (5_000, True), (2**62, True)])
def test_marking_as_unread_loses_against_a_later_reading(
    world: World, until: int, is_unread: bool
) -> None:
    world.read("bob", "lunch")
    world.unread("bob", "lunch", until)
    assert bob(world)[:2] == (0, is_unread)


def test_reading_in_part_counts_what_was_deleted_above_and_not_below(world: World) -> None:
    world.send("ada", "lunch", "hello")  # the fourth, at 5000
    for deleted in ("m1", "m3"):
        world.delete_message("ada", "lunch", deleted)
    assert bob(world)[0] == 2
    world.read("bob", "lunch", 2_500)  # past m1
    assert bob(world)[0] == 2
    world.read("bob", "lunch", 3_500)  # past m2
    assert bob(world)[0] == 1
    world.read("bob", "lunch", 4_500)  # past m3
    assert bob(world)[0] == 1
    world.read("bob", "lunch")
    assert bob(world)[0] == 0


@pytest.mark.parametrize("mark", ["read", "unread"])
def test_marks_are_for_participants_only(world: World, mark: str) -> None:
    world.create_user("eve", "eve")
    for user, room in [("eve", "lunch"), ("ada", "nowhere")]:
        with refused("404 CONVERSATION_NOT_FOUND"):
            getattr(world, mark)(user, room)
