"""Conversations: creating and setting them, and what those inside are told."""

import pytest

from rtflow.model.events import ConversationDiff, ConversationEdited
from rtflow.server.domain.rules import Rules
from tests.server.domain.world import World, refused, step

EVERYTHING = {
    "subject": "Lunch",
    "photo_url": "http://x/l.png",
    "welcome_messages": ("Hello", "Hungry?"),
    "custom": {"place": "roof"},
}


@pytest.fixture(autouse=True)
def people(world: World) -> None:
    for user in ("ada", "bob", "eve"):
        world.create_user(user, user)
    world.take()


def test_a_conversation_is_made_in_two_halves(world: World) -> None:
    world.create("ada", "lunch", **EVERYTHING, access="Read")  # access is for the other half
    with refused("404 CONVERSATION_NOT_FOUND"):
        world.see("ada", "lunch")
    assert world.take() == []
    assert world.act("ada", "lunch", step("POST", "ada")) == ["200"]
    seen = world.see("ada", "lunch")
    assert {name: getattr(seen, name) for name in EVERYTHING} == EVERYTHING
    assert (seen.access, seen.notify, seen.created_at) == ("ReadWrite", True, 1_000)


def test_the_first_half_may_come_twice(world: World) -> None:
    world.create("ada", "lunch")
    with refused("409 CONVERSATION_ALREADY_EXISTS"):
        world.create("ada", "lunch")
    world.act("ada", "lunch", step("POST", "ada"))
    with refused("409 CONVERSATION_ALREADY_EXISTS"):
        world.create("ada", "lunch")


@pytest.mark.parametrize("write", ["create", "edit"])
def test_a_taken_id_is_all_that_a_stranger_learns(world: World, write: str) -> None:
    world.create("ada", "lunch")
    for _ in ("nobody is in it", "ada is in it"):
        with refused("403 NOT_A_PARTICIPANT"):
            getattr(world, write)("eve", "lunch", subject="Mine")
        world.act("ada", "lunch", step("POST", "ada"))
    assert world.see("ada", "lunch").subject is None


@pytest.mark.parametrize("write", ["create", "edit"])
def test_only_a_user_that_exists_makes_a_conversation(world: World, write: str) -> None:
    with refused("404 USER_NOT_FOUND"):
        getattr(world, write)("nobody", "lunch")


def test_setting_makes_a_conversation_and_then_merges(world: World) -> None:
    world.edit("ada", "lunch", **EVERYTHING)
    world.edit("ada", "lunch", custom={"time": "12"})  # before the second half
    world.act("ada", "lunch", step("PUT", "ada"))
    world.take()
    world.edit("ada", "lunch", subject=None, welcome_messages=None, custom={"place": None})
    seen = world.see("ada", "lunch")
    assert (seen.subject, seen.welcome_messages, seen.custom) == (None, (), {"time": "12"})
    assert seen.photo_url == "http://x/l.png"
    diff = ConversationDiff(subject=None, welcome_messages=(), custom={"place": None})
    assert world.take() == [ConversationEdited(conversation_id="lunch", diff=diff)]


def test_setting_what_is_so_already_tells_nobody(world: World) -> None:
    world.edit("ada", "lunch", **EVERYTHING)
    world.act("ada", "lunch", step("PUT", "ada"))
    world.take()
    world.edit("ada", "lunch", **EVERYTHING)
    world.edit("ada", "lunch", access="Read", notify=False)  # what the other half is about
    assert world.take() == []


@pytest.mark.parametrize("field", EVERYTHING)
def test_with_read_access_nothing_of_it_can_be_set(world: World, field: str) -> None:
    world.start("lunch", "ada", "bob")
    world.act("ada", "lunch", step("PATCH", "bob", access="Read"))
    world.take()
    with refused("403 UNAUTHORIZED_TO_EDIT"):
        world.edit("bob", "lunch", **{field: EVERYTHING[field]})
    with refused("403 UNAUTHORIZED_TO_EDIT"):
        world.edit("bob", "lunch", **{field: None})
    world.edit("bob", "lunch", notify=False)
    assert world.take() == []


def test_custom_has_a_greatest_size(world: World) -> None:
    world.rules = Rules(max_custom_bytes=10)
    with refused("400 CUSTOM_TOO_LARGE"):
        world.create("ada", "lunch", custom={"place": "the roof"})


def test_an_app_may_keep_clients_from_writing_conversations(world: World) -> None:
    world.start("lunch", "ada", "bob")
    world.rules = Rules(client_side_conversation_syncing=False)
    with refused("403 CONVERSATION_SYNC_DISABLED"):
        world.create("ada", "work")
    with refused("403 CONVERSATION_SYNC_DISABLED"):
        world.edit("ada", "lunch", subject="Lunch")
    with refused("403 CONVERSATION_SYNC_DISABLED"):
        world.act("ada", "lunch", step("PUT", "ada"))
    with refused("403 CONVERSATION_SYNC_DISABLED"):
        world.remove("ada", "lunch", "bob")
    world.send("ada", "lunch", "hello")  # talking is not syncing
