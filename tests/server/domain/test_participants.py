"""Participants: who joins whom, who edits whom, who leaves, and who is told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtflow.model.entities import Participant
from rtflow.model.events import (
    ParticipantCreated,
    ParticipantDeleted,
    ParticipantDiff,
    ParticipantEdited,
    SideCreated,
    SideDeleted,
)
from rtflow.server.store.interface import Entry, SideTouched
from tests.server.domain.world import World, refused, step


@pytest.fixture(autouse=True)
def lunch(world: World) -> None:
    """Ada and Bob have lunch; Bob just listens. Eve is not there."""
    world.start("lunch", "ada", "bob")
    world.create_user("eve", "eve")
    world.act("ada", "lunch", step("PATCH", "bob", access="Read"))
    world.take()


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_who_joins_sees_the_conversation_and_the_others_see_him(world: World, method: str) -> None:
    world.send("ada", "lunch", "old news")
    world.told.clear()
    world.now = 5_000
    assert world.act("ada", "lunch", step(method, "eve", notify=False)) == ["200"]
    eve = Participant(id="eve", access="ReadWrite", notify=False, joined_at=5_000)
    seen = world.see("eve", "lunch")
    assert (seen.joined_at, seen.read_until, seen.unread_message_count) == (5_000, 5_000, 0)
    assert world.told == [
        Entry(SideCreated(conversation_id="lunch", state=seen), to="eve"),
        Entry(ParticipantCreated(conversation_id="lunch", user_id="eve", state=eve)),
    ]


def test_each_joining_is_later_than_everything_before(world: World) -> None:
    last = world.send("ada", "lunch", "hello")
    world.create_user("fay", "fay")
    assert world.act("ada", "lunch", step("POST", "eve"), step("POST", "fay")) == ["200", "200"]
    (message,) = world.messages("ada", "lunch").data
    assert message.id == last
    times = [world.see(user, "lunch").joined_at for user in ("eve", "fay")]
    assert message.created_at < times[0] < times[1]


def test_a_stranger_cannot_join_by_himself(world: World) -> None:
    for method in ("POST", "PUT", "PATCH"):
        assert world.act("eve", "lunch", step(method, "eve")) == ["403 NOT_A_PARTICIPANT"]
    assert world.act("eve", "lunch", step("PUT", "ada", access="Read")) == ["403 NOT_A_PARTICIPANT"]
    assert world.act("eve", "nowhere", step("POST", "eve")) == ["404 CONVERSATION_NOT_FOUND"]
    assert world.take() == []


def test_who_made_a_conversation_joins_it_first_and_alone(world: World) -> None:
    world.create("eve", "tea")
    assert world.act("eve", "tea", step("POST", "ada"), step("PATCH", "eve")) == [
        "403 NOT_A_PARTICIPANT",
        "200",
    ]


def test_each_step_has_its_own_answer_and_the_good_ones_stay(world: World) -> None:
    answers = world.act(
        "ada",
        "lunch",
        step("POST", "bob"),
        step("POST", "nobody"),
        step("PUT", "eve"),
        step("PATCH", "nobody"),
        step("PUT", "eve", access="Read"),
    )
    assert answers == [
        "409 PARTICIPANT_ALREADY_EXISTS",
        "404 USER_NOT_FOUND",
        "200",
        "404 PARTICIPANT_NOT_FOUND",
        "200",
    ]
    assert world.see("eve", "lunch").access == "Read"
    assert [type(event).__name__ for event in world.take()] == [
        "SideCreated",
        "ParticipantCreated",
        "ParticipantEdited",
    ]


def test_rights_given_up_in_a_batch_are_gone_for_the_rest_of_it(world: World) -> None:
    steps = [step("PUT", "ada", access="Read"), step("POST", "eve")]
    assert world.act("ada", "lunch", *steps) == ["200", "403 UNAUTHORIZED_TO_EDIT_PARTICIPANT"]


def test_an_edit_tells_what_really_changed(world: World) -> None:
    world.act("ada", "lunch", step("PUT", "bob", access="Read", notify="MentionsOnly"))
    diff = ParticipantDiff(notify="MentionsOnly")
    assert world.take() == [ParticipantEdited(conversation_id="lunch", user_id="bob", diff=diff)]
    assert world.see("bob", "lunch").notify == "MentionsOnly"
    world.act("ada", "lunch", step("PUT", "bob", notify="MentionsOnly"))
    assert world.take() == []


def test_with_read_access_only_the_own_notify_can_be_edited(world: World) -> None:
    answers = world.act(
        "bob",
        "lunch",
        step("PUT", "bob", notify=False),
        step("PUT", "bob"),
        step("PUT", "ada"),
        step("PUT", "bob", access="ReadWrite"),
        step("PATCH", "ada", notify=False),
        step("POST", "eve"),
    )
    no = "403 UNAUTHORIZED_TO_EDIT_PARTICIPANT"
    assert answers == ["200", "200", "200", no, no, no]


def test_leaving_tells_both_sides(world: World) -> None:
    world.remove("bob", "lunch", "bob")
    assert world.told == [
        Entry(ParticipantDeleted(conversation_id="lunch", user_id="bob")),
        Entry(SideDeleted(conversation_id="lunch"), to="bob"),
    ]
    with refused("404 CONVERSATION_NOT_FOUND"):
        world.see("bob", "lunch")


def test_when_the_last_reader_leaves_everyone_has_read_further(world: World) -> None:
    world.send("ada", "lunch", "hello")
    world.take()
    world.remove("ada", "lunch", "bob")
    assert world.take()[-1] == SideTouched("lunch")
    assert world.see("ada", "lunch").everyone_read_until == world.see("ada", "lunch").read_until


def test_the_last_one_out_leaves_nobody_to_be_told(world: World) -> None:
    world.remove("ada", "lunch", "bob")
    world.take()
    world.remove("ada", "lunch", "ada")
    assert [type(event).__name__ for event in world.take()] == ["ParticipantDeleted", "SideDeleted"]
    assert world.act("ada", "lunch", step("POST", "ada")) == ["200"]  # it is still hers


def test_who_may_not_remove_is_refused(world: World) -> None:
    with refused("403 UNAUTHORIZED_TO_EDIT_PARTICIPANT"):
        world.remove("bob", "lunch", "ada")
    with refused("404 CONVERSATION_NOT_FOUND"):
        world.remove("eve", "lunch", "ada")
    with refused("404 CONVERSATION_NOT_FOUND"):
        world.remove("eve", "lunch", "eve")
    with refused("404 PARTICIPANT_NOT_FOUND"):
        world.remove("ada", "lunch", "eve")
    assert world.take() == []


def test_no_two_of_a_users_joinings_have_the_same_time(world: World) -> None:
    for room in ("a", "b", "c"):
        world.start(room, "ada")
    times = [world.see("ada", room).joined_at for room in ("a", "b", "c")]
    assert times == sorted(set(times))


# Reading who is in it


def listed(world: World, limit: int) -> list[list[str]]:
    """Return the ids on each page, as Ada sees them."""
    page = world.participants("ada", "lunch", limit=limit)
    pages = [[it.id for it in page.data]]
    while page.cursor is not None:
        page = world.participants("ada", "lunch", limit=limit, cursor=page.cursor)
        pages.append([it.id for it in page.data])
    return pages


def test_who_joined_last_comes_first(world: World) -> None:
    world.now = 500  # even when the clock has gone back
    world.act("ada", "lunch", step("PUT", "eve", notify="MentionsOnly"))
    seen = world.participants("bob", "lunch")
    assert [it.id for it in seen.data] == ["eve", "bob", "ada"]
    assert seen.cursor is None
    eve = world.see("eve", "lunch").joined_at
    assert seen.data[0] == Participant(
        id="eve", access="ReadWrite", notify="MentionsOnly", joined_at=eve
    )
    assert listed(world, 1) == [["eve"], ["bob"], ["ada"]]
    assert listed(world, 2) == [["eve", "bob"], ["ada"]]
    assert listed(world, 3) == [["eve", "bob", "ada"]]


def test_those_of_one_time_are_ordered_by_id_across_pages(world: World) -> None:
    world.act("ada", "lunch", step("POST", "eve"))  # our own joinings never are; imported ones are
    world.database.writer.execute("UPDATE participants SET joined_at = 7")
    assert listed(world, 1) == [["ada"], ["bob"], ["eve"]]
    assert listed(world, 2) == [["ada", "bob"], ["eve"]]


def test_one_participant_can_be_read(world: World) -> None:
    bob = world.participant("ada", "lunch", "bob")
    assert (bob.id, bob.access, bob.notify) == ("bob", "Read", True)
    assert world.participant("bob", "lunch", "bob") == bob
    for user in ("eve", "nobody"):
        with refused("404 PARTICIPANT_NOT_FOUND"):
            world.participant("ada", "lunch", user)


@pytest.mark.parametrize("room", ["lunch", "nowhere"])
def test_who_is_in_a_conversation_is_for_its_participants(world: World, room: str) -> None:
    world.remove("bob", "lunch", "bob")
    for outsider in ("eve", "bob"):
        with refused("404 CONVERSATION_NOT_FOUND"):
            world.participants(outsider, room)
        for user in ("ada", "eve", outsider, "nobody"):
            with refused("404 CONVERSATION_NOT_FOUND"):
                world.participant(outsider, room, user)


def test_a_cursor_of_another_list_is_refused(world: World) -> None:
    for room in ("a", "b"):
        world.start(room, "ada", "bob")
    other = world.page("ada", limit=1).cursor
    own = world.participants("ada", "lunch", limit=1).cursor
    assert own != other
    for bad in ("nonsense", other):
        with refused("400 INVALID_CURSOR"):
            world.participants("ada", "lunch", cursor=bad)
    with refused("400 INVALID_CURSOR"):
        world.page("ada", cursor=own)


CROWD = [f"user {n}" for n in range(8)]
moves = st.lists(st.tuples(st.sampled_from(CROWD), st.sampled_from([0, 1, -5])), max_size=6)


@given(limit=st.integers(1, 4), first=moves, between=st.lists(moves, max_size=10))
@settings(max_examples=60, deadline=None)
def test_paging_neither_skips_nor_repeats_anybody_while_others_come_and_go(
    limit: int,
    first: list[tuple[str, int]],
    between: list[list[tuple[str, int]]],
) -> None:
    world = World()
    world.start("lunch", "ada", *CROWD)
    inside, stayed = set(CROWD), set(CROWD)

    def come_and_go(some: list[tuple[str, int]]) -> None:
        for user, later in some:
            world.now += later
            if user in inside:
                world.remove("ada", "lunch", user)
            else:
                assert world.act("ada", "lunch", step("POST", user)) == ["200"]
            inside.symmetric_difference_update({user})
            stayed.discard(user)

    come_and_go(first)
    stayed = set(inside)
    page = world.participants("ada", "lunch", limit=limit)
    read = [it.id for it in page.data]
    while page.cursor is not None:
        come_and_go(between.pop() if between else [])
        page = world.participants("ada", "lunch", limit=limit, cursor=page.cursor)
        read += [it.id for it in page.data]
    world.database.close()
    assert len(read) == len(set(read))
    assert stayed | {"ada"} <= set(read)
