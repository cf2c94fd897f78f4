"""Users: creating, setting, what of it all are told, and what stays private."""

import pytest

from rtflow.model.entities import User
from rtflow.model.events import UserCreated, UserDiff, UserEdited
from rtflow.server.domain.rules import Rules
from tests.server.domain.world import World, refused


def test_a_new_user_has_the_default_role_and_nothing_else(world: World) -> None:
    world.create_user("ada", "bob")
    bob = User(id="bob", name="bob", role="default")
    assert world.users("bob") == {"bob": bob}
    assert world.take() == [UserCreated(user_id="bob", state=bob)]


def test_a_user_is_created_with_everything_public_for_all_to_see(world: World) -> None:
    public = {
        "locale": "en",
        "photo_url": "http://x/a.png",
        "role": "boss",
        "welcome_message": "Hi",
    }
    world.create_user("ada", "ada", name="Ada", custom={"team": "x", "none": None}, **public)
    assert world.users("ada")["ada"] == User(id="ada", name="Ada", custom={"team": "x"}, **public)


def test_a_user_cannot_be_created_twice(world: World) -> None:
    world.create_user("ada", "ada")
    world.take()
    with refused("409 USER_ALREADY_EXISTS"):
        world.create_user("bob", "ada", name="Somebody else")
    assert world.users("ada")["ada"].name == "ada"
    assert world.take() == []


def test_setting_leaves_what_is_absent_and_resets_what_is_none(world: World) -> None:
    world.create_user("ada", "ada", locale="en", photo_url="http://x", role="boss")
    world.take()
    world.set_user("bob", "ada", photo_url=None, role=None)
    ada = world.users("ada")["ada"]
    assert (ada.locale, ada.photo_url, ada.role) == ("en", None, "default")
    assert world.take() == [
        UserEdited(user_id="ada", diff=UserDiff(photo_url=None, role="default"))
    ]


def test_custom_merges_key_by_key_and_the_diff_tells_what_is_gone(world: World) -> None:
    world.create_user("ada", "ada", custom={"a": "1", "b": "2", "c": "3"})
    world.take()
    world.set_user("ada", "ada", custom={"a": None, "b": "2", "d": "4", "e": None})
    assert world.users("ada")["ada"].custom == {"b": "2", "c": "3", "d": "4"}
    assert world.take() == [UserEdited(user_id="ada", diff=UserDiff(custom={"a": None, "d": "4"}))]
    world.set_user("ada", "ada", custom=None)
    assert world.users("ada")["ada"].custom == {}
    gone: dict[str, str | None] = {"b": None, "c": None, "d": None}
    assert world.take() == [UserEdited(user_id="ada", diff=UserDiff(custom=gone))]


def test_setting_what_is_so_already_tells_nobody(world: World) -> None:
    world.create_user("ada", "ada", custom={"a": "1"}, locale="en")
    world.take()
    world.set_user("ada", "ada", name="ada", custom={"a": "1"}, locale="en", role="default")
    assert world.take() == []


def test_setting_creates_a_user_that_has_a_name(world: World) -> None:
    with refused("400 NAME_REQUIRED"):
        world.set_user("ada", "ada", locale="en")
    world.set_user("ada", "ada", name="Ada", custom={"a": "1", "b": None})
    ada = User(id="ada", name="Ada", role="default", custom={"a": "1"})
    assert world.take() == [UserCreated(user_id="ada", state=ada)]


def test_private_fields_are_stored_and_told_to_nobody(world: World) -> None:
    world.create_user("ada", "ada", email="a@x", phone=("1", "2"), push_tokens={"t": True})
    world.set_user("ada", "ada", phone=None, push_tokens={"u": 1, "off": False})
    assert [type(event) for event in world.take()] == [UserCreated]
    stored = "SELECT email, phone, push_tokens FROM users"
    (row,) = world.database.reader.execute(stored).fetchall()
    assert row == ('["a@x"]', "[]", '{"t":true,"u":true}')
    world.set_user("ada", "ada", push_tokens={"t": None}, name="Ada")
    world.set_user("ada", "ada", push_tokens=None, email=("b@x", "c@x"))
    (row,) = world.database.reader.execute(stored).fetchall()
    assert row == ('["b@x","c@x"]', "[]", "{}")
    assert world.take() == [UserEdited(user_id="ada", diff=UserDiff(name="Ada"))]


@pytest.mark.parametrize("field", ["custom", "push_tokens"])
def test_a_map_has_a_greatest_size_after_merging(world: World, field: str) -> None:
    world.rules = Rules(max_custom_bytes=20)
    value = "1" if field == "custom" else True
    world.create_user("ada", "ada", **{field: {"aaaa": value}})
    with refused("400 CUSTOM_TOO_LARGE"):
        world.set_user("ada", "ada", **{field: {"bbbb": value, "cccc": value}})
    world.set_user("ada", "ada", **{field: {"bbbb": value, "aaaa": None}})  # it is exchanged
    world.rules = Rules(max_custom_bytes=2)
    world.set_user("ada", "ada", name="Ada")  # who leaves it alone is not stopped by it


def test_an_app_may_keep_clients_from_writing_users(world: World) -> None:
    world.rules = Rules(client_side_user_syncing=False)
    with refused("403 USER_SYNC_DISABLED"):
        world.create_user("ada", "ada")
    with refused("403 USER_SYNC_DISABLED"):
        world.set_user("ada", "ada", name="Ada")


@pytest.mark.parametrize("number", [0, 1, 2, 5, 300])
def test_many_users_are_read_at_once_without_those_that_do_not_exist(
    world: World, number: int
) -> None:
    wanted = [f"user {n}" for n in range(number)]
    for user in wanted:
        world.create_user(user, user)
    world.create_user("ada", "somebody else")
    assert sorted(world.users(*wanted, "nobody", *wanted)) == sorted(wanted)
