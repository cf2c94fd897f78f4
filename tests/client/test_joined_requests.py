"""Requests for users: those of one turn are joined to one, and each asker gets its part."""

import asyncio
from typing import Any

from rtflow.errors import (
    Forbidden,
)
from rtflow.model.params import (
    ConversationParams,
    Empty,
    UserIds,
)
from rtflow.wire.endpoints import (
    GET_USERS,
    SET_CONVERSATION,
    WATCH_CONVERSATION,
    WATCH_USERS,
)
from rtflow.wire.server import Call
from tests.client.scripted import SILENCE, Rig, ScriptedServer, line, outcome

USER: dict[str, Any] = {"name": "A", "custom": {}, "locale": None, "role": "default"}


def user(id: str) -> dict[str, Any]:  # JSON
    return {"id": id, "photoUrl": None, "welcomeMessage": None, **USER}


def known_users(call: Call) -> dict[str, Any]:  # JSON
    return {id: user(id) for id in call.params.ids if not id.startswith("no")}


async def test_users_asked_in_one_turn_are_one_request_and_each_gets_its_part(
    scripted: ScriptedServer,
) -> None:
    scripted.answers[GET_USERS] = known_users
    async with Rig(scripted.url) as rig:
        await rig.live()
        found = await asyncio.gather(
            *(
                rig.link.ask(GET_USERS, (), UserIds(ids=ids))
                for ids in (("a", "b"), ("b", "nobody"), ("c",))
            )
        )
    assert [list(part) for part in found] == [["a", "b"], ["b"], ["c"]]
    assert [call.params.ids for call in scripted.last.asked(GET_USERS)] == [
        ("a", "b", "nobody", "c")
    ]


async def test_one_who_leaves_a_joined_request_does_not_disturb_the_others(
    scripted: ScriptedServer,
) -> None:
    scripted.answers[GET_USERS] = SILENCE
    async with Rig(scripted.url) as rig, asyncio.TaskGroup() as tasks:
        await rig.live()
        one, other = (
            tasks.create_task(rig.link.ask(GET_USERS, (), UserIds(ids=(id,)))) for id in "ab"
        )
        await scripted.until(lambda: bool(scripted.lines))
        one.cancel()
        peer = scripted.last
        await peer.answer(peer.asked(GET_USERS)[0], {"a": user("a"), "b": user("b")})
        assert list(await other) == ["b"]


async def test_a_refusal_of_a_joined_request_reaches_each_with_an_error_of_its_own(
    scripted: ScriptedServer,
) -> None:
    scripted.answers[GET_USERS] = Forbidden("NO", "really")
    async with Rig(scripted.url) as rig:
        await rig.live()
        one, other = await asyncio.gather(
            *(outcome(rig, GET_USERS, (), UserIds(ids=(id,))) for id in "ab")
        )
    assert str(one) == str(other)
    assert one is not other


async def test_a_joined_request_has_at_most_1000_ids(scripted: ScriptedServer) -> None:
    scripted.answers[GET_USERS] = known_users
    async with Rig(scripted.url) as rig:
        await rig.live()
        ids = [tuple(f"{n}-{i}" for i in range(400)) for n in range(5)]
        await asyncio.gather(*(rig.link.ask(GET_USERS, (), UserIds(ids=some)) for some in ids))
    assert [len(call.params.ids) for call in scripted.last.asked(GET_USERS)] == [800, 800, 400]


async def test_users_are_watched_before_they_are_read_and_nothing_else_changes_places(
    scripted: ScriptedServer,
) -> None:
    scripted.answers[GET_USERS] = known_users
    async with Rig(scripted.url) as rig:
        for id in "ab":
            rig.link.ask_soon(WATCH_USERS, (), UserIds(ids=(id,)), lambda _: None)
            rig.link.ask_soon(GET_USERS, (), UserIds(ids=(id,)), lambda _: None)
        rig.link.ask_soon(WATCH_CONVERSATION, ("lunch",), Empty(), lambda _: None)
        rig.link.ask_soon(GET_USERS, (), UserIds(ids=("c",)), lambda _: None)
        await rig.link.ask(SET_CONVERSATION, ("lunch",), ConversationParams())
    asked = [(line(call), getattr(call.params, "ids", None)) for call in scripted.last.calls[1:]]
    assert asked == [
        ("SUBSCRIBE /users", ("a", "b")),
        ("GET /users", ("a", "b")),
        ("SUBSCRIBE /me/conversations/lunch", None),
        ("GET /users", ("c",)),
        ("PUT /conversations/lunch", None),
    ]
