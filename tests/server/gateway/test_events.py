"""What happens reaches those who watch and may see it, in order, once."""

import asyncio
from itertools import product

import pytest

from rtflow.server import Settings
from rtflow.server.gateway import commands
from rtflow.wire import endpoints
from tests.server.conftest import People
from tests.server.raw import SOON, Json, RawClient

EVERYTHING = ("/me/conversations", "/me/conversations/lunch", "/me/conversations/lunch/messages")


async def watch_everything(client: RawClient) -> None:
    for path in EVERYTHING:
        await client.do("SUBSCRIBE", path)
    await client.do("SUBSCRIBE", "/users", {"ids": ["alice", "bob", "carol", "dave"]})


def kinds(events: list[Json]) -> list[str]:
    return [event["type"] for event in events]


def test_every_request_is_carried_out_by_one_table() -> None:
    tables = (
        commands.WRITES,
        commands.JOINT,
        commands.QUERIES,
        commands.CHECKS,
        commands.ERRANDS,
        commands.WATCHES,
    )
    for endpoint in endpoints.ALL:
        found = sum(endpoint in table for table in tables)
        assert found == (endpoint.kind is not endpoints.Kind.SESSION), endpoint
    assert commands.LATE.keys() <= commands.QUERIES.keys()


async def test_the_events_of_a_write_come_before_its_answer(people: People) -> None:
    (alice,) = await people("alice")
    await alice.found("lunch")
    await watch_everything(alice)
    writes: list[tuple[str, str, Json, list[str]]] = [
        ("PUT", "/users/alice", {"name": "Ada"}, ["user.edited"]),
        ("PUT", "/conversations/lunch", {"subject": "Soup"}, ["conversation.edited"]),
        ("POST", "/me/conversations/lunch/unread", {}, ["side.edited"]),
        ("POST", "/me/conversations/lunch/read", {}, ["side.edited"]),
        (
            "POST",
            "/conversations/lunch/messages",
            {"content": [{"type": "text", "children": ["hi"]}]},
            ["message.created", "side.edited"],
        ),
        (
            "POST",
            "/conversations/lunch/participants",
            {"actions": [{"id": "alice", "method": "PATCH", "params": {"notify": False}}]},
            ["participant.edited"],
        ),
        ("DELETE", "/conversations/lunch/participants/alice", {}, ["side.deleted"]),
    ]
    for method, path, data, events in writes:
        alice.heard.clear()
        await alice.do(method, path, data)
        assert kinds(alice.events) == events, path
        assert len(alice.heard) == 2, "one frame of events, then the answer"


async def test_a_writer_reads_what_he_wrote_without_waiting_for_answers(people: People) -> None:
    (alice,) = await people("alice")
    asked: list[tuple[int, int]] = []
    for number in range(20):
        await alice.say("PUT", "/users/alice", {"custom": {"n": str(number)}})
        asked.append((number, await alice.say("GET", "/users", {"ids": ["alice"]})))
    for number, seq in asked:
        assert int((await alice.answer(seq)).data["alice"]["custom"]["n"]) >= number


async def test_a_conversation_is_made_and_joined_in_one_breath(people: People) -> None:
    (alice,) = await people("alice")
    me = {"actions": [{"id": "alice", "method": "POST"}]}
    await alice.say("POST", "/conversations/lunch")
    await alice.say("POST", "/conversations/lunch/participants", me)
    seq = await alice.say("GET", "/me/conversations/lunch")
    assert (await alice.answer(seq)).data["id"] == "lunch"


async def test_an_event_reaches_each_connection_once_however_much_it_watches(
    people: People,
) -> None:
    alice, again, bob = await people("alice", "alice", "bob")
    await alice.found("lunch", "bob")
    for client in (again, bob):
        await watch_everything(client)
        await watch_everything(client)
    await alice.send("lunch", "hi")
    await alice.do("PUT", "/conversations/lunch", {"subject": "Soup"})
    sides: list[Json] = []
    for client in (again, bob):
        events = await client.settle()
        assert kinds(events) == ["message.created", "side.edited", "conversation.edited"]
        sides.append(events[1]["diff"])
    assert [side["unreadMessageCount"] for side in sides] == [0, 1]
    assert [side["isUnread"] for side in sides] == [False, True]


WRITES_SEEN = [
    ("/me/conversations", ["side.edited", "conversation.edited"]),
    ("/me/conversations/lunch", ["side.edited", "conversation.edited"]),
    ("/me/conversations/lunch/messages", ["message.created"]),
]


@pytest.mark.parametrize(("path", "expected"), WRITES_SEEN)
async def test_each_subscription_brings_its_own_events(
    people: People, path: str, expected: list[str]
) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    await bob.do("SUBSCRIBE", path)
    await alice.send("lunch", "hi")
    await alice.do("PUT", "/conversations/lunch", {"subject": "Soup"})
    assert kinds(await bob.settle()) == expected
    await bob.do("UNSUBSCRIBE", path)
    await bob.do("UNSUBSCRIBE", path)
    await alice.send("lunch", "hi again")
    assert await bob.settle() == []


@pytest.mark.parametrize("path", EVERYTHING)
async def test_joining_and_leaving_reach_whoever_watches_anything_of_it(
    people: People, path: str
) -> None:
    alice, bob = await people("alice", "bob")
    await bob.do("SUBSCRIBE", path)
    await alice.found("lunch", "bob")
    (joined,) = await bob.settle()
    assert joined["type"] == "side.created"
    assert joined["state"]["id"] == "lunch"
    await alice.do("DELETE", "/conversations/lunch/participants/bob")
    assert kinds(await bob.settle()) == ["side.deleted"]


STRANGERS = ["carol", "dave"]  # never in it; no longer in it


@pytest.mark.parametrize(("stranger", "path"), list(product(STRANGERS, EVERYTHING)))
async def test_a_stranger_hears_nothing_from_any_subscription(
    people: People, stranger: str, path: str
) -> None:
    alice, outsider = await people("alice", stranger)
    await alice.ask("POST", "/users/bob", {"name": "Bob"})
    await alice.found("lunch", *({stranger} & {"dave"}))
    assert (await outsider.ask("SUBSCRIBE", path)).status == 200
    if stranger == "dave":
        await alice.do("DELETE", "/conversations/lunch/participants/dave")
        assert kinds(await outsider.settle()) == ["side.deleted"]
    await alice.send("lunch", "a secret")
    await alice.do("PUT", "/conversations/lunch", {"subject": "secret"})
    await alice.do("POST", "/me/conversations/lunch/read")
    bob = {"actions": [{"id": "bob", "method": "POST"}]}
    await alice.do("POST", "/conversations/lunch/participants", bob)
    await alice.do("DELETE", "/conversations/lunch/participants/bob")
    assert await outsider.settle() == []
    for read in EVERYTHING[1:]:
        assert (await outsider.ask("GET", read)).code == "CONVERSATION_NOT_FOUND"
    assert await outsider.get("/me/conversations") == {"data": [], "cursor": None}
    assert (await outsider.ask("SUBSCRIBE", "/me/conversations/nowhere")).status == 200


PRIVATE = {"email": ["a@secret.example"], "phone": "+31secret", "pushTokens": {"fcm:secret": True}}


async def test_private_fields_never_come_back(people: People) -> None:
    alice, bob = await people("alice", "bob")
    for client in (alice, bob):
        await client.do("SUBSCRIBE", "/users", {"ids": ["alice", "carol"]})
    await alice.do("POST", "/users/carol", {"name": "Carol", **PRIVATE})
    await alice.do("PUT", "/users/alice", {"name": "Ada", **PRIVATE})
    await alice.do("PUT", "/users/alice", {"email": "b@secret.example"})
    await alice.found("lunch", "bob", "carol")
    await alice.send("lunch", "hi")
    for client in (alice, bob):
        everything = {"ids": ["alice", "carol"], "includePrivateFields": True}
        await client.get("/users", everything)
        await client.get("/me/conversations/lunch", {"expand": ["lastMessage"]})
        await client.get("/me/conversations", {"expand": ["lastMessage"]})
        await client.get("/me/conversations/lunch/messages")
        assert "secret" not in str(client.heard)
        seen = ["user.created", "user.edited", "side.created"]
        assert kinds(client.events) == seen, "a private edit is no event"


async def test_reading_users_watches_them(people: People) -> None:
    alice, bob = await people("alice", "bob")
    await bob.get("/users", {"ids": ["alice", "nobody"]})
    await alice.do("PUT", "/users/alice", {"name": "Ada"})
    await alice.do("PUT", "/users/nobody", {"name": "Nobody"})
    assert kinds(await bob.settle()) == ["user.edited", "user.created"]
    await bob.do("UNSUBSCRIBE", "/users/alice")
    await alice.do("PUT", "/users/alice", {"name": "Ada L."})
    assert await bob.settle() == []


async def test_who_watches_his_list_before_he_exists_is_told_that_he_does(people: People) -> None:
    (alice,) = await people("alice")
    (new,) = await people("new", create=False)
    assert (await new.ask("GET", "/me/conversations")).code == "USER_NOT_FOUND"
    await new.do("SUBSCRIBE", "/me/conversations")
    await alice.do("POST", "/users/new", {"name": "New"})
    assert kinds(await new.settle()) == ["user.created"]


async def test_many_writes_in_one_breath_are_few_frames(people: People) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    await watch_everything(bob)
    bob.heard.clear()
    text = {"content": [{"type": "text", "children": ["x" * 5000]}]}
    seqs = [await alice.say("POST", "/conversations/lunch/messages", text) for _ in range(200)]
    for seq in seqs:
        assert (await alice.answer(seq)).status == 200
    events = await bob.settle()
    assert kinds(events).count("message.created") == 200
    assert events[-1]["type"] == "side.edited"
    assert events[-1]["diff"]["unreadMessageCount"] == 200
    frames = [frame for frame in bob.heard if frame[1] == "PUBLISH"]
    assert all(frame[-1]["type"] == "side.edited" for frame in frames), "a command's events part"
    assert len(frames) < 100
    numbers = [frame[0] for frame in frames]
    assert numbers == sorted(set(numbers))
    assert numbers[0] >= 1


class TestSyncingOff:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            database=":memory:",
            port=0,
            client_side_user_syncing=False,
            client_side_conversation_syncing=False,
        )

    async def test_clients_cannot_write_what_their_app_writes(self, people: People) -> None:
        (alice,) = await people("alice", create=False)
        for method, path, code in [
            ("POST", "/users/alice", "USER_SYNC_DISABLED"),
            ("PUT", "/users/alice", "USER_SYNC_DISABLED"),
            ("POST", "/conversations/lunch", "CONVERSATION_SYNC_DISABLED"),
        ]:
            answer = await alice.ask(method, path, {"name": "A"})
            assert (answer.status, answer.code) == (403, code)
        assert await alice.get("/users", {"ids": ["alice"]}) == {}


class TestSubscriptionLimit:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            database=":memory:", port=0, max_subscriptions=3, max_subscriptions_per_user=4
        )

    async def test_too_many_subscriptions_are_refused_and_nothing_is_lost(
        self, people: People
    ) -> None:
        alice, bob = await people("alice", "bob")
        await bob.do("SUBSCRIBE", "/users", {"ids": ["alice", "u1"]})
        answer = await bob.ask("SUBSCRIBE", "/users", {"ids": ["u2", "u3", "u1"]})
        assert (answer.status, answer.code) == (400, "TOO_MANY_SUBSCRIPTIONS")
        await bob.do("SUBSCRIBE", "/users", {"ids": ["u1", "alice", "u2"]})
        assert await bob.get("/users", {"ids": ["u4"]}) == {}, "reading goes on without watching"
        for user in ("u1", "u2", "u4"):
            await alice.do("POST", f"/users/{user}", {"name": user})
        assert [event["userId"] for event in await bob.settle()] == ["u1", "u2"]
        await bob.do("UNSUBSCRIBE", "/users/u1")
        await bob.do("SUBSCRIBE", "/me/conversations")

    async def test_whoever_has_watched_too_much_on_all_connections_can_watch_when_he_stops(
        self, people: People
    ) -> None:
        first, second, bob = await people("alice", "alice", "bob")
        await first.do("SUBSCRIBE", "/users", {"ids": ["u1", "u2"]})
        await second.do("SUBSCRIBE", "/users", {"ids": ["u1", "u2"]})
        answer = await second.ask("SUBSCRIBE", "/users", {"ids": ["u3"]})
        assert (answer.status, answer.code) == (400, "TOO_MANY_SUBSCRIPTIONS")
        await second.do("SUBSCRIBE", "/users", {"ids": ["u2"]})
        await bob.do("SUBSCRIBE", "/users", {"ids": ["u1", "u2", "u3"]})
        await first.do("UNSUBSCRIBE", "/users/u1")
        await second.do("SUBSCRIBE", "/users", {"ids": ["u3"]})
        (third,) = await people("alice", create=False)
        answer = await third.ask("SUBSCRIBE", "/users", {"ids": ["u1"]})
        assert (answer.status, answer.code) == (400, "TOO_MANY_SUBSCRIPTIONS")
        await first.socket.close()
        async with asyncio.timeout(SOON):  # the server may hear of the end a moment later
            while answer.status != 200:
                answer = await third.ask("SUBSCRIBE", "/users", {"ids": ["u1"]})

    async def test_users_that_were_only_read_make_room_for_what_is_watched(
        self, people: People
    ) -> None:
        alice, bob = await people("alice", "bob")
        for n in range(5):
            await bob.get("/users", {"ids": [f"u{n}"]})
        for n in range(5):
            await alice.do("POST", f"/users/u{n}", {"name": "Ada"})
        assert [event["userId"] for event in await bob.settle()] == ["u2", "u3", "u4"], "the newest"
        await bob.do("SUBSCRIBE", "/users", {"ids": ["alice", "u4"]})
        await bob.do("SUBSCRIBE", "/me/conversations")
        answer = await bob.ask("SUBSCRIBE", "/users", {"ids": ["u3"]})
        assert (answer.status, answer.code) == (400, "TOO_MANY_SUBSCRIPTIONS")
        await bob.get("/users", {"ids": ["u3"]})
        for n in range(5):
            await alice.do("PUT", f"/users/u{n}", {"name": "Bea"})
        assert [event["userId"] for event in await bob.settle()] == ["u4"]
