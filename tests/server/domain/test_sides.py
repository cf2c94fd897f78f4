"""Sides: lists with filters and cursors, the last message, and the sides of many at once."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import partial
from typing import Any

import pytest
from msgspec import UNSET

from rtflow.model.events import SideDiff
from rtflow.model.filters import ALL, ConversationFilter, Filter, as_filter, matches
from rtflow.model.params import ListPage
from rtflow.server.domain.messages import messages
from rtflow.server.domain.sides import is_participant
from tests.server.domain.world import World, refused, step


def everything(world: World, user: str, limit: int, given: Filter = ALL) -> list[list[str]]:
    """Return the ids on each page of a list."""
    page = world.page(user, limit=limit, filter=given)
    pages = [[side.id for side in page.data]]
    while page.cursor is not None:
        page = world.page(user, limit=limit, cursor=page.cursor)
        pages.append([side.id for side in page.data])
    return pages


def test_the_most_recently_active_comes_first(world: World) -> None:
    world.create_user("ada", "ada")
    for room in ("a", "b", "c"):
        world.now += 10
        world.start(room, "ada")
    world.now += 10
    world.send("ada", "a", "hello")
    assert everything(world, "ada", 10) == [["a", "c", "b"]]


def test_conversations_of_the_same_time_are_ordered_by_id_across_pages(world: World) -> None:
    for room in "gcafbed":
        world.start(room, "ada")
    world.now += 100
    for room in "gcafbed":
        world.send("ada", room, "hello")
    assert everything(world, "ada", 3) == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert everything(world, "ada", 7) == [list("abcdefg")]


def test_only_the_own_conversations_are_listed(world: World) -> None:
    world.start("lunch", "ada", "bob")
    world.start("work", "ada")
    world.create_user("cy", "cy")
    assert everything(world, "bob", 10) == [["lunch"]]
    assert everything(world, "cy", 10) == [[]]
    with refused("404 USER_NOT_FOUND"):
        world.page("nobody")


def test_a_filter_goes_on_through_all_pages_and_no_page_is_empty(world: World) -> None:
    wanted: list[str] = []
    for n in range(600):
        world.now += 1
        room = f"room {n:03}"
        world.start(room, "ada")
        if n % 140 == 0:
            wanted.insert(0, room)
            world.edit("ada", room, subject="yes")
    yes = ConversationFilter(subject=("==", "yes"))
    assert everything(world, "ada", 2, yes) == [wanted[:2], wanted[2:4], wanted[4:]]
    assert everything(world, "ada", 5, yes) == [wanted]
    assert everything(world, "ada", 5, ("any", ())) == [[]]


@pytest.mark.parametrize(
    "given",
    [
        {"isUnread": True},
        {"isUnread": True, "access": ["==", "Read"]},
        ["any", [{"isUnread": True, "hasMessages": False}, {"isUnread": True}]],
        {"isUnread": False},
        {"hasMessages": True},
        {"access": ["==", "Read"]},
        {"custom": {"k": "exists"}},
        {"lastActivityAt": [">", 1_500]},
        {"joinedAt": ["<", 1_200]},
        ["any", [{"isUnread": True}, {"custom": {"k": ["==", "2"]}}]],
    ],
)
def test_a_filtered_list_is_the_whole_list_filtered(world: World, given: object) -> None:
    world.create_user("ada", "ada")
    for n in range(12):
        world.now += 100
        room = f"room {n:02}"
        world.start(room, "bob", "ada")
        world.edit("bob", room, custom={"k": str(n % 4)} if n % 3 else {})
        if n % 2:
            world.send("bob", room, "hello")
        if n % 6 == 0:
            world.unread("ada", room)
        if n % 5 == 0:
            world.act("bob", room, step("PUT", "ada", access="Read"))
    wanted = as_filter(given)
    right = [side.id for side in world.page("ada", limit=100).data if matches(wanted, side)]
    assert [room for page in everything(world, "ada", 2, wanted) for room in page] == right
    assert 0 < len(right) < 12


def corrupted(cursor: str) -> list[str]:
    plain = urlsafe_b64decode(cursor)
    changed = [
        b"",
        b"{}",
        b"[]",
        plain[:-1],
        plain.replace(b"[", b"", 1),
        re.sub(rb"\d{4}", b'"1001"', plain),
        re.sub(rb"\d{4}", b"-1", plain),
        re.sub(rb"\d{4}", b"9" * 30, plain),
        b"[" * 100_000,
        b"\xff\xfe",
    ]
    return ["nonsense", "?", "é", cursor[:-3], *[urlsafe_b64encode(it).decode() for it in changed]]


def test_a_cursor_that_was_tampered_with_is_refused(world: World) -> None:
    for room in "ab":
        world.start(room, "ada")
        for n in range(2):
            world.send("ada", room, str(n))
    rooms = world.page("ada", limit=1).cursor
    said = world.messages("ada", "a", limit=1).cursor
    assert rooms is not None
    assert said is not None
    for bad in [*corrupted(rooms), said]:
        with refused("400 INVALID_CURSOR"):
            world.page("ada", cursor=bad)
    for bad in [*corrupted(said), rooms]:
        with refused("400 INVALID_CURSOR"):
            world.messages("ada", "a", cursor=bad)
    assert world.page("ada", cursor=None).data != ()
    assert world.ask(lambda: messages("ada", "a", ListPage(cursor=None))).data != ()


def test_the_last_message_comes_with_its_sender_when_asked_for(world: World) -> None:
    world.start("lunch", "ada", "bob")
    assert world.see("bob", "lunch").last_message is UNSET
    assert world.see("bob", "lunch", ("lastMessage",)).last_message is None
    world.send("ada", "lunch", "one")
    world.send("ada", "lunch", "two")
    world.set_user("ada", "ada", name="Ada")
    world.start("empty", "bob")
    last = world.see("bob", "lunch", ("lastMessage",)).last_message
    assert last
    assert (last.id, last.sender) == ("m2", world.users("ada")["ada"])
    listed = world.page("bob", expand=("lastMessage",)).data
    assert [side.last_message for side in listed] == [last, None]


def test_a_sender_who_is_gone_is_null(world: World) -> None:
    world.start("lunch", "ada", "bob")
    world.send("bob", "lunch", "bye")
    world.remove("bob", "lunch", "bob")
    world.database.writer.execute("DELETE FROM users WHERE id = 'bob'")
    last = world.see("ada", "lunch", ("lastMessage",)).last_message
    assert last
    assert (last.sender_id, last.sender) == ("bob", None)


def test_a_conversation_is_for_its_participants_only(world: World) -> None:
    world.start("lunch", "ada")
    for user, room in [("eve", "lunch"), ("ada", "nowhere")]:
        with refused("404 CONVERSATION_NOT_FOUND"):
            world.see(user, room)
        assert not world.ask(partial(is_participant, room, user))
    assert world.ask(lambda: is_participant("lunch", "ada"))


def expected(world: World, user: str) -> SideDiff:
    seen = world.see(user, "lunch")
    names: tuple[str, ...] = SideDiff.__struct_fields__
    values: dict[str, Any] = {name: getattr(seen, name) for name in names}
    return SideDiff(**values)


@pytest.mark.parametrize("strangers", [0, 1, 20, 600])
@pytest.mark.parametrize("insiders", [0, 1, 3])
def test_the_sides_of_many_are_those_that_each_would_read(
    world: World, strangers: int, insiders: int
) -> None:
    inside = ["ada", "bob", "cy"]
    world.start("lunch", *inside)
    world.send("ada", "lunch", "hello")
    world.read("bob", "lunch")
    world.unread("bob", "lunch")
    candidates = inside[:insiders] + [f"stranger {n}" for n in range(strangers)]
    assert world.sides("lunch", *candidates) == {
        user: expected(world, user) for user in inside[:insiders]
    }
    assert world.sides("nowhere", *candidates) == {}
