"""Users: all that can be set of one is seen, but for what is private."""

import rtflow
from rtflow.model.frozen import FrozenDict


async def test_a_user_is_what_was_created(session: rtflow.Session) -> None:
    bob = session.user("bob")
    assert await bob.get() is None
    await bob.create_if_not_exists(
        name="Bob",
        custom={"team": "red"},
        locale="nl",
        photo_url="https://example.com/bob.png",
        role="cook",
        welcome_message="Hungry?",
        email="bob@example.com",
        phone=["+31 20 123 4567"],
        push_tokens={"fcm:bob": True},
    )
    created = rtflow.UserSnapshot(
        id="bob",
        name="Bob",
        custom=FrozenDict({"team": "red"}),
        locale="nl",
        photo_url="https://example.com/bob.png",
        role="cook",
        welcome_message="Hungry?",
    )
    assert await bob.get() == created
    await bob.create_if_not_exists(name="Robert", role="guest")
    assert await bob.get() == created


async def test_a_user_becomes_what_is_set_and_none_resets(session: rtflow.Session) -> None:
    me = session.current_user
    await me.create_if_not_exists(name="Alice", custom={"team": "red", "floor": "2"})
    await me.set(
        name="Alicia",
        custom={"team": "blue", "floor": None},
        locale="fr",
        photo_url="https://example.com/a.png",
        role="chef",
        welcome_message="Salut",
        email=["a@example.com", "b@example.com"],
        phone=None,
        push_tokens={"apns:a": True, "apns:b": None},
    )
    changed = await me.get()
    assert changed == rtflow.UserSnapshot(
        id="alice",
        name="Alicia",
        custom=FrozenDict({"team": "blue"}),
        locale="fr",
        photo_url="https://example.com/a.png",
        role="chef",
        welcome_message="Salut",
    )
    await me.set(custom=None, locale=None, photo_url=None, role=None, welcome_message=None)
    assert await me.get() == rtflow.UserSnapshot(
        id="alice",
        name="Alicia",
        custom=FrozenDict(),
        locale=None,
        photo_url=None,
        role="default",
        welcome_message=None,
    )
