"""Whoever comes back with the id he gave himself is told what he missed, and nobody else is."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from rtflow.server import Settings, app, running
from rtflow.server.gateway.resume import MOST_REPLAYED
from rtflow.server.store.interface import Publish
from rtflow.testing.plugin import StartServer
from tests.server.conftest import People
from tests.server.gateway.test_session import SECRET, short_token, token
from tests.server.gateway.waiting_store import WaitingStore, open_waiting
from tests.server.raw import Json, RawClient, join

LUNCH = "/conversations/lunch"
MINE = "/me/conversations/lunch"
DINNER = "/me/conversations/dinner"
ID = "8437213402185132"


@asynccontextmanager
async def bob_at(url: str, client: str | None = ID, user: str = "bob") -> AsyncGenerator[RawClient]:
    """Bob, whose client has told its id."""
    async with join(url, user, client=client) as bob:
        yield bob


async def watched(bob: RawClient, *paths: str) -> list[Json]:
    """Subscribe; return what that brings."""
    for path in paths or (MINE,):
        await bob.do("SUBSCRIBE", path)
    return await bob.settle()


@pytest.fixture
async def alice(people: People) -> RawClient:
    """She has lunch with bob, who was here once and has left."""
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    await alice.found("dinner", "bob")
    await alice.do("PUT", LUNCH, {"subject": "Lunch", "custom": {"a": "1", "b": "2"}})
    await bob.settle()
    return alice


async def bob_was_here(url: str, *paths: str) -> None:
    async with bob_at(url) as bob:
        assert await watched(bob, *paths) == []


async def test_who_comes_back_is_told_what_happened_in_one_frame_after_the_answer(
    url: str, alice: RawClient
) -> None:
    await bob_was_here(url)
    await alice.do("PUT", LUNCH, {"subject": "Soup", "custom": {"a": None, "c": "3"}})
    await alice.do("PUT", LUNCH, {"photoUrl": "http://soup"})
    await alice.send("lunch", "hi")
    async with bob_at(url) as bob:
        seq = await bob.say("SUBSCRIBE", MINE)
        await bob.settle()
        answer, told, _ping = bob.heard
        assert answer[:2] == [seq, 200]
        assert told[1] == "PUBLISH"
        kinds = [event["type"] for event in told[2:]]
        assert kinds == ["conversation.edited", "conversation.edited", "side.edited"]
        assert told[2]["diff"] == {"subject": "Soup", "custom": {"a": None, "c": "3"}}
        assert told[4]["diff"]["unreadMessageCount"] == 1
        assert await watched(bob, f"{MINE}/messages", f"{MINE}/typing", MINE) == [], (
            "once is enough"
        )


async def test_edits_and_reactions_are_told_to_each_as_he_sees_them(
    url: str, alice: RawClient
) -> None:
    message = await alice.send("lunch", "react")
    path = f"{LUNCH}/messages/{message}"
    await alice.do("PUT", f"{path}/reactions/:ice:/alice")
    async with bob_at(url) as bob:
        await watched(bob, f"{MINE}/messages")
        await bob.do("PUT", f"{path}/reactions/:hot:/bob")
        await bob.settle()
        await bob.acknowledge()
        await bob.settle()
    await alice.do("PUT", f"{path}/reactions/:hot:/alice")
    await alice.do("DELETE", f"{path}/reactions/:ice:/alice")
    await alice.do("PATCH", path, {"custom": {"k": "v"}})
    async with bob_at(url) as bob:
        told = await watched(bob, f"{MINE}/messages")
        diffs = [event["diff"] for event in told if event["type"] == "message.edited"]
        assert diffs[0]["custom"] == {"k": "v"}
        (hot, ice) = (diffs[1]["reactions"][emoji] for emoji in (":hot:", ":ice:"))
        assert (hot["count"], hot["currentUserReacted"], ice) == (2, True, None)


async def test_what_happens_between_two_subscriptions_is_told_with_the_second(
    url: str, alice: RawClient
) -> None:
    await bob_was_here(url)
    await alice.do("PUT", LUNCH, {"subject": "Soup"})
    async with bob_at(url) as bob:
        assert len(await watched(bob, f"{MINE}/participants")) == 1
        await alice.do("PUT", LUNCH, {"subject": "Salad"})
        told = await watched(bob, MINE)
        assert [event["diff"] for event in told] == [{"subject": "Salad"}]


async def test_nothing_is_told_where_nothing_happened(url: str, alice: RawClient) -> None:
    await bob_was_here(url, MINE, DINNER)
    await alice.do("PUT", LUNCH, {"subject": "Soup"})
    async with bob_at(url) as bob:
        assert await watched(bob, DINNER, "/me/conversations/nowhere", "/me/conversations") == []
        assert len(await watched(bob)) == 1


@pytest.mark.parametrize("client", [None, "", "another", "x" * 65])
async def test_who_is_new_or_says_nothing_is_told_nothing(
    url: str, alice: RawClient, client: str | None
) -> None:
    await bob_was_here(url)
    await alice.do("PUT", LUNCH, {"subject": "Soup"})
    async with bob_at(url, client) as bob:
        assert await watched(bob) == []


async def test_the_id_of_somebody_else_is_of_no_use(url: str, alice: RawClient) -> None:
    await bob_was_here(url)
    await alice.do("PUT", LUNCH, {"subject": "Soup"})
    async with bob_at(url, user="carol") as carol:
        assert await watched(carol) == []
    async with bob_at(url, user="carol") as carol:
        await alice.do("PUT", LUNCH, {"subject": "Secret"})
        assert await watched(carol) == []


async def test_who_is_not_in_it_any_more_hears_just_that(url: str, alice: RawClient) -> None:
    await bob_was_here(url)
    await alice.do("DELETE", f"{LUNCH}/participants/bob")
    await alice.do("PUT", LUNCH, {"subject": "Secret"})
    async with bob_at(url) as bob:
        assert await watched(bob) == [{"type": "side.deleted", "conversationId": "lunch"}]


WHOLE = [
    "side.created",
    "conversation.edited",
    "conversation.edited",
    "participant.edited",
    "side.edited",
]


@pytest.mark.parametrize("knew", [False, True])
async def test_who_may_have_joined_is_told_of_all_that_is_in_it(
    url: str, alice: RawClient, knew: bool
) -> None:
    if not knew:
        await alice.do("DELETE", f"{LUNCH}/participants/bob")
    await bob_was_here(url)
    if knew:
        await alice.do("DELETE", f"{LUNCH}/participants/bob")
    bob_again = {"actions": [{"id": "bob", "method": "POST"}]}
    await alice.do("POST", f"{LUNCH}/participants", bob_again)
    await alice.do("PUT", LUNCH, {"subject": "Soup", "custom": {"a": None}})
    async with bob_at(url) as bob:
        told = await watched(bob)
        assert [event["type"] for event in told[:5]] == WHOLE
        assert told[0]["state"] == await bob.get(MINE)
        assert (told[1]["diff"], told[2]["diff"]["custom"]) == ({"custom": None}, {"b": "2"})
        await bob.get(f"{MINE}/messages")
        assert await bob.settle() == [], "the rest was replayed"


async def test_what_cannot_be_replayed_is_told_whole(url: str, alice: RawClient) -> None:
    await alice.send("lunch", "hi")
    await bob_was_here(url)
    asked = [
        await alice.say("PUT", LUNCH, {"subject": str(number), "custom": {"a": None}})
        for number in range(MOST_REPLAYED + 1)
    ]
    assert (await alice.answer(asked[-1])).status == 200
    async with bob_at(url) as bob:
        told = await watched(bob)
        assert [event["type"] for event in told] == WHOLE
        assert told[2]["diff"]["subject"] == str(MOST_REPLAYED)
        for path, items in [("messages", 1), ("participants", 2)]:
            page = await bob.get(f"{MINE}/{path}")
            assert len(page["data"]) == items
            told = await bob.settle()
            assert {event["type"] for event in told} == {f"{path[:-1]}.edited"}
            await bob.get(f"{MINE}/{path}")
            assert await bob.settle() == [], "once is enough"


async def test_what_was_pushed_but_has_not_arrived_is_told_again(
    url: str, alice: RawClient
) -> None:
    async with bob_at(url) as bob:
        await watched(bob)
        await alice.do("PUT", LUNCH, {"subject": "heard"})
        await bob.settle()
        await bob.acknowledge()
        await bob.settle()
        await alice.do("PUT", LUNCH, {"subject": "on its way"})
        await bob.settle()
    async with bob_at(url) as bob:
        assert [event["diff"] for event in await watched(bob)] == [{"subject": "on its way"}]


async def test_who_is_lost_again_before_he_has_heard_it_is_told_again(
    url: str, alice: RawClient
) -> None:
    await bob_was_here(url)
    await alice.do("PUT", LUNCH, {"subject": "Soup"})
    for _ in range(3):
        async with bob_at(url) as bob:
            assert await watched(bob, DINNER) == []
    async with bob_at(url) as bob:
        assert len(await watched(bob)) == 1


async def test_a_point_survives_the_process(tmp_path: Path) -> None:
    settings = Settings(database=str(tmp_path / "chat.db"), port=0)
    async with running(settings) as address, join(address.url, "alice") as alice:
        await alice.do("POST", "/users/bob", {"name": "Bob"})
        await alice.found("lunch", "bob")
        await bob_was_here(address.url)
        await alice.do("PUT", LUNCH, {"subject": "before the stop"})
    async with running(settings) as address, join(address.url, "alice") as alice:
        await alice.do("PUT", LUNCH, {"subject": "after it"})
        async with bob_at(address.url) as bob:
            subjects = [event["diff"]["subject"] for event in await watched(bob)]
            assert subjects == ["before the stop", "after it"]


async def test_who_was_connected_when_the_server_was_killed_misses_nothing(
    server_process: StartServer,
) -> None:
    server = await server_process()
    async with join(server.url, "alice") as alice:
        await alice.do("POST", "/users/bob", {"name": "Bob"})
        await alice.found("lunch", "bob")
        async with bob_at(server.url) as bob:
            assert await watched(bob) == []
            await alice.do("PUT", LUNCH, {"subject": "the last words"})
            await server.kill()
    await server.restart()
    async with join(server.url, "alice") as alice, bob_at(server.url) as bob:
        await alice.do("PUT", LUNCH, {"subject": "and new ones"})
        told = await watched(bob)
        subjects = [event["diff"]["subject"] for event in told if "subject" in event["diff"]]
        assert subjects[-2:] == ["the last words", "and new ones"]
    assert "Traceback" not in server.stderr


async def test_what_was_overtaken_by_events_is_told_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stores: list[WaitingStore] = []

    async def open_kept(path: str | Path, publish: Publish) -> WaitingStore:
        stores.append(await open_waiting(path, publish))
        return stores[0]

    monkeypatch.setattr(app, "open_sqlite", open_kept)
    async with (
        running(Settings(database=":memory:", port=0)) as address,
        join(address.url, "alice") as alice,
    ):
        await alice.do("POST", "/users/bob", {"name": "Bob"})
        await alice.found("lunch", "bob")
        await bob_was_here(address.url)
        await alice.do("PUT", LUNCH, {"subject": "old"})
        async with bob_at(address.url) as bob:
            release = stores[0].delay_next()
            await watched(bob)
            await alice.do("PUT", LUNCH, {"subject": "new"})
            await bob.get("/users", {"ids": ["alice"]})
            assert [event["diff"]["subject"] for event in bob.events] == ["new"]
            release()
            await bob.until(lambda: len(bob.events) > 1)
            assert [event["diff"]["subject"] for event in bob.events] == ["new", "old", "new"]


class TestWithTokens:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, secret=SecretStr(SECRET), token_leeway=0.3)

    async def test_who_had_no_token_for_a_while_is_told_what_happened_meanwhile(
        self, url: str
    ) -> None:
        async with (
            join(url, "alice", token("alice")) as alice,
            join(url, "bob", short_token("bob"), client=ID) as bob,
        ):
            await alice.found("lunch", "bob")
            await watched(bob)
            await bob.acknowledge()
            await bob.event("session.expired")
            await alice.do("PUT", LUNCH, {"subject": "Soup"})
            assert (await bob.renew(token("bob"))).status == 200
            assert [event["diff"] for event in await watched(bob)] == [{"subject": "Soup"}]


class TestWhileOthersWrite:
    @pytest.fixture(params=["at once", "waiting"])
    def settings(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
        if request.param == "waiting":
            monkeypatch.setattr(app, "open_sqlite", open_waiting)
        return Settings(database=":memory:", port=0)

    async def test_what_is_told_never_turns_back_the_time(self, url: str, alice: RawClient) -> None:
        def subject_of(bob: RawClient) -> str | None:
            subjects = [event["diff"].get("subject") for event in bob.events]
            return next((subject for subject in reversed(subjects) if subject), None)

        async with bob_at(url) as bob:
            await watched(bob)

        async def write() -> None:
            for number in range(150):
                await alice.do("PUT", LUNCH, {"subject": str(number)})

        for _ in range(4):
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(write())
                async with bob_at(url) as bob:
                    while not writing.done():
                        await bob.do("SUBSCRIBE", MINE)
                        await bob.get(MINE)
                    await bob.do("SUBSCRIBE", MINE)
                    await bob.until(lambda: subject_of(bob) == "149")
                    for _ in range(3):  # what is still on its way does not change it
                        await bob.get(MINE)
                    assert subject_of(bob) == "149"
