"""Presence: who is connected, and who is typing."""

import rtflow
from rtflow.testing import Recorder
from rtflow.testing.plugin import OpenSession
from tests.compatibility.conftest import Lunch


async def test_a_user_is_online_while_connected(lunch: Lunch) -> None:
    seen = Recorder[rtflow.UserOnlineSnapshot | None]()
    with lunch.alice.user("bob").online.observe().subscribe(seen):
        await seen.until(lambda values: values[-1] is not None and values[-1].is_connected)
        await lunch.bob.close()
        await seen.until(lambda values: values[-1] is not None and not values[-1].is_connected)
    assert seen.last is not None
    assert seen.last.user == await lunch.alice.user("bob").get()


async def test_who_types_is_seen_until_he_sends(lunch: Lunch) -> None:
    seen = Recorder[rtflow.TypingSnapshot | None]()
    with lunch.hers.typing.observe().subscribe(seen):
        await seen.until(lambda values: values[-1] is not None and values[-1].users == ())
        await lunch.his.mark_as_typing()
        await seen.until(lambda values: values[-1] is not None and len(values[-1].users) == 1)
        assert seen.last is not None
        assert (seen.last.many, seen.last.users[0].id) == (False, "bob")
        await lunch.says("Here I am", session=lunch.bob)
        await seen.until(lambda values: values[-1] is not None and values[-1].users == ())


async def test_more_than_five_who_type_are_many(lunch: Lunch, open_session: OpenSession) -> None:
    seen = Recorder[rtflow.TypingSnapshot | None]()
    with lunch.hers.typing.observe().subscribe(seen):
        for guest in (f"guest{number}" for number in range(6)):
            session = await open_session(guest)
            await session.current_user.create_if_not_exists(name=guest)
            await lunch.hers.participant(guest).create_if_not_exists()
            await session.conversation("lunch").mark_as_typing()
        await seen.until(lambda values: values[-1] is not None and values[-1].many)
    assert seen.last == rtflow.TypingSnapshot(many=True, users=())
