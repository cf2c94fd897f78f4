"""Typing and online over real sockets: who is told of it, when it ends, and who is told nothing."""

import asyncio
import gc
import time
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr

from rtflow.server import Settings, mint_token, running
from tests.server.conftest import People
from tests.server.raw import Json, RawClient, dial, join

TYPING = "/me/conversations/lunch/typing"
ONLINE = "/users/bob/online"
NOBODY: Json = {"many": False, "usersTyping": {}}
MANY: Json = {"many": True, "usersTyping": None}


@pytest.fixture
def settings() -> Settings:
    return Settings(database=":memory:", port=0, offline_delay=0)


def diffs(events: list[Json], kind: str = "typing.changed") -> list[Json]:
    return [event["diff"] for event in events if event["type"] == kind]


async def ended(client: RawClient, user: str) -> None:
    """Hear that somebody has stopped to write."""
    over = {"usersTyping": {user: None}}
    await client.until(lambda: over in diffs(client.events))


async def told_online(client: RawClient, count: int) -> list[bool]:
    """Hear so many changes of whether somebody is online."""

    def found() -> list[Json]:
        heard = diffs(client.events, "user.online.changed")
        return heard if len(heard) >= count else []

    return [diff["isConnected"] for diff in await client.until(found)]


class TestTyping:
    async def test_others_see_it_and_oneself_does_not(self, people: People) -> None:
        alice, bob, again = await people("alice", "bob", "bob")
        await alice.found("lunch", "bob")
        for client in (alice, bob, again):
            await client.do("SUBSCRIBE", TYPING)
            assert await client.get(TYPING) == NOBODY
        before = time.time_ns() // 1_000_000
        assert await bob.do("POST", TYPING) == {}
        (diff,) = diffs(await alice.settle())
        assert before <= diff["usersTyping"]["bob"] <= time.time_ns() // 1_000_000
        assert await alice.get(TYPING) == {"many": False, **diff}
        for client in (bob, again):
            assert await client.settle() == []
            assert await client.get(TYPING) == NOBODY

    async def test_a_thousand_repeats_are_one_event(self, people: People) -> None:
        alice, bob = await people("alice", "bob")
        await alice.found("lunch", "bob")
        await alice.do("SUBSCRIBE", TYPING)
        seqs = [await bob.say("POST", TYPING) for _ in range(1000)]
        for seq in seqs:
            assert (await bob.answer(seq)).status == 200
        assert len(await alice.settle()) == 1

    async def test_saying_it_ends_it_and_all_is_one_frame(self, people: People) -> None:
        alice, bob = await people("alice", "bob")
        await alice.found("lunch", "bob")
        await alice.do("SUBSCRIBE", TYPING)
        await alice.do("SUBSCRIBE", "/me/conversations/lunch/messages")
        await bob.do("POST", TYPING)
        await bob.send("lunch", "hi")
        await ended(alice, "bob")
        kinds = [event["type"] for event in alice.heard[-1][2:]]
        assert kinds == ["message.created", "typing.changed"]
        assert await alice.get(TYPING) == NOBODY
        await bob.do("POST", TYPING)
        assert len(diffs(await alice.settle())) == 1, "he may begin again"

    async def test_leaving_ends_it(self, people: People) -> None:
        alice, bob = await people("alice", "bob")
        await alice.found("lunch", "bob")
        await alice.do("SUBSCRIBE", TYPING)
        for who_removes in (alice, bob):
            await bob.do("POST", TYPING)
            await alice.settle()
            await who_removes.do("DELETE", "/conversations/lunch/participants/bob")
            await ended(alice, "bob")
            assert await alice.get(TYPING) == NOBODY
            alice.heard.clear()
            bob_again = {"actions": [{"id": "bob", "method": "POST"}]}
            await alice.do("POST", "/conversations/lunch/participants", bob_again)

    async def test_the_end_of_the_last_connection_ends_it(self, url: str, people: People) -> None:
        (alice,) = await people("alice")
        async with join(url, "bob") as bob:
            async with join(url, "bob") as again:
                await alice.found("lunch", "bob")
                await alice.do("SUBSCRIBE", TYPING)
                await again.do("POST", TYPING)
            assert len(diffs(await alice.settle())) == 1
            assert (await bob.get(TYPING)) == NOBODY
            await alice.do("SUBSCRIBE", ONLINE)
            bob.socket.transport.abort()
            await ended(alice, "bob")
        assert diffs(alice.events, "user.online.changed") == [{"isConnected": False}]

    async def test_of_many_nobody_is_named_until_they_are_few_again(self, people: People) -> None:
        names = [f"writer{number}" for number in range(7)]
        reader, *writers = await people("reader", *names)
        await reader.found("lunch", *names)
        await reader.do("SUBSCRIBE", TYPING)
        await writers[0].do("SUBSCRIBE", TYPING)
        for writer in writers:
            await writer.do("POST", TYPING)
        await reader.settle()
        told = diffs(reader.events)
        assert [list(diff["usersTyping"]) for diff in told[:5]] == [[name] for name in names[:5]]
        assert told[5:] == [{"many": True}]
        await writers[0].settle()
        told = diffs(writers[0].events)
        assert [list(diff["usersTyping"]) for diff in told[:5]] == [[name] for name in names[1:6]]
        assert told[5:] == [{"many": True}]
        for client in (reader, writers[0]):
            assert await client.get(TYPING) == MANY
        await writers[6].send("lunch", "x")
        assert diffs(await reader.settle()) == []
        (back,) = diffs(await writers[0].settle())
        assert (back["many"], sorted(back["usersTyping"])) == (False, names[1:6])
        await writers[5].send("lunch", "x")
        (back,) = diffs(await reader.settle())
        assert (back["many"], sorted(back["usersTyping"])) == (False, names[:5])
        assert await reader.get(TYPING) == back
        assert diffs(await writers[0].settle()) == [{"usersTyping": {names[5]: None}}]

    async def test_who_joins_is_told_who_writes_in_the_frame_that_tells_him(
        self, people: People
    ) -> None:
        alice, bob, idle = await people("alice", "bob", "bob")
        await alice.found("lunch")
        await bob.do("SUBSCRIBE", TYPING)
        await alice.do("POST", TYPING)
        assert (await bob.ask("GET", TYPING)).code == "CONVERSATION_NOT_FOUND"
        joins = {"actions": [{"id": "bob", "method": "POST"}]}
        await alice.do("POST", "/conversations/lunch/participants", joins)
        available = await bob.event("typing.available")
        assert list(available["state"]["usersTyping"]) == ["alice"]
        assert available["state"] == await bob.get(TYPING)
        (frame,) = [frame for frame in bob.heard if frame[1] == "PUBLISH"]
        assert [event["type"] for event in frame[2:]] == ["side.created", "typing.available"]
        assert "typing.available" not in str(await idle.settle()), "he did not ask for it"

    async def test_strangers_neither_write_nor_see_nor_hear(self, people: People) -> None:
        alice, bob, stranger = await people("alice", "bob", "stranger")
        await alice.found("lunch", "bob", "stranger")
        await stranger.do("SUBSCRIBE", TYPING)
        await alice.do("DELETE", "/conversations/lunch/participants/stranger")
        await stranger.settle()
        await bob.do("POST", TYPING)
        await bob.send("lunch", "hi")
        for method in ("POST", "GET"):
            answer = await stranger.ask(method, TYPING)
            assert (answer.status, answer.code) == (404, "CONVERSATION_NOT_FOUND")
        assert await stranger.settle() == []
        assert await alice.get(TYPING) == NOBODY

    async def test_with_read_access_one_sees_it_and_may_not_do_it(self, people: People) -> None:
        alice, bob = await people("alice", "bob")
        await alice.found("lunch", "bob")
        reads = {"actions": [{"id": "bob", "method": "PUT", "params": {"access": "Read"}}]}
        await alice.do("POST", "/conversations/lunch/participants", reads)
        answer = await bob.ask("POST", TYPING)
        assert (answer.status, answer.code) == (403, "UNAUTHORIZED_TO_SEND")
        await alice.do("POST", TYPING)
        assert list((await bob.get(TYPING))["usersTyping"]) == ["alice"]

    async def test_a_mark_behind_a_write_waits_for_it(self, people: People) -> None:
        (alice,) = await people("alice")
        me = {"actions": [{"id": "alice", "method": "POST"}]}
        await alice.say("POST", "/conversations/lunch")
        await alice.say("POST", "/conversations/lunch/participants", me)
        assert (await alice.ask("POST", TYPING)).status == 200


class TestTypingEndsByItself:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, typing_timeout=0.4, offline_delay=0)

    async def test_when_it_is_not_repeated(self, people: People) -> None:
        alice, bob, carol = await people("alice", "bob", "carol")
        await alice.found("lunch", "bob", "carol")
        await alice.do("SUBSCRIBE", TYPING)
        began = time.monotonic()
        await bob.do("POST", TYPING)
        await carol.do("POST", TYPING)
        await ended(alice, "bob")
        await ended(alice, "carol")
        assert 0.4 <= time.monotonic() - began < 2
        assert await alice.get(TYPING) == NOBODY

    async def test_and_goes_on_while_it_is(self, people: People) -> None:
        alice, bob, carol = await people("alice", "bob", "carol")
        await alice.found("lunch", "bob", "carol")
        await alice.do("SUBSCRIBE", TYPING)
        await bob.do("POST", TYPING)
        for _ in range(2):  # as long as a mark of somebody else's lasts, each time
            alice.heard.clear()
            await carol.do("POST", TYPING)
            while {"usersTyping": {"carol": None}} not in diffs(alice.events):
                await bob.do("POST", TYPING)
                await alice.settle()
            assert {"usersTyping": {"bob": None}} not in diffs(alice.events)
        await ended(alice, "bob")


class TestOnline:
    async def test_it_is_the_first_connection_and_the_last_that_count(
        self, url: str, people: People
    ) -> None:
        (alice,) = await people("alice")
        await alice.do("POST", "/users/bob", {"name": "Bob"})
        await alice.do("SUBSCRIBE", ONLINE)
        assert await alice.get(ONLINE) == {"isConnected": False}
        async with AsyncExitStack() as others:
            async with join(url, "bob", create=False):
                assert await told_online(alice, 1) == [True]
                assert await alice.get(ONLINE) == {"isConnected": True}
                for _ in range(2):
                    await others.enter_async_context(join(url, "bob", create=False))
            assert await alice.get(ONLINE) == {"isConnected": True}
            assert len(await told_online(alice, 1)) == 1
        assert await told_online(alice, 2) == [True, False]
        assert await alice.get(ONLINE) == {"isConnected": False}

    async def test_one_of_two_connections_dies_and_the_user_stays(
        self, url: str, people: People
    ) -> None:
        alice, bob, again = await people("alice", "bob", "bob")
        await alice.do("SUBSCRIBE", ONLINE)
        again.socket.transport.abort()
        async with join(url, "bob"):  # by now the server knows
            await bob.settle()
        assert await alice.settle() == []
        bob.socket.transport.abort()
        assert await told_online(alice, 1) == [False]

    async def test_who_has_shown_no_token_is_not_there(self, url: str, people: People) -> None:
        (alice,) = await people("alice")
        await alice.do("POST", "/users/bob", {"name": "Bob"})
        await alice.do("SUBSCRIBE", ONLINE)
        async with dial(url, "bob") as bob:
            await bob.ask("GET", "/ping")
            assert await alice.get(ONLINE) == {"isConnected": False}
            await bob.renew()
            assert await alice.get(ONLINE) == {"isConnected": True}
        assert await told_online(alice, 2) == [True, False]

    async def test_of_a_user_who_does_not_exist_there_is_nothing_to_see(
        self, people: People
    ) -> None:
        (alice,) = await people("alice")
        (bob,) = await people("bob", create=False)
        await alice.do("SUBSCRIBE", ONLINE)
        assert (await alice.ask("GET", ONLINE)).code == "USER_NOT_FOUND"
        await alice.do("POST", "/users/bob", {"name": "Bob"})
        assert await alice.event("user.created")
        assert await alice.get(ONLINE) == {"isConnected": True}
        await bob.settle()

    async def test_who_watches_no_more_is_told_no_more(self, url: str, people: People) -> None:
        (alice,) = await people("alice")
        await alice.do("SUBSCRIBE", ONLINE)
        await alice.do("UNSUBSCRIBE", ONLINE)
        async with join(url, "bob"):
            pass
        assert await alice.settle() == []


class TestFlapping:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, offline_delay=1)

    async def test_who_comes_back_at_once_was_never_away(self, url: str, people: People) -> None:
        (alice,) = await people("alice")
        async with join(url, "bob") as bob:
            await alice.found("lunch", "bob")
            await alice.do("SUBSCRIBE", ONLINE)
            await alice.do("SUBSCRIBE", TYPING)
            await bob.do("POST", TYPING)
        for _ in range(3):
            async with join(url, "bob"):
                assert await alice.get(ONLINE) == {"isConnected": True}
        assert list((await alice.get(TYPING))["usersTyping"]) == ["bob"]
        assert diffs(alice.events, "user.online.changed") == []
        assert await told_online(alice, 1) == [False]
        await ended(alice, "bob")


def timers() -> list[str]:
    """What the signals of any server wait for on this loop."""
    handles = [it for it in gc.get_objects() if type(it) is asyncio.TimerHandle]
    return [repr(it) for it in handles if not it.cancelled() and "Signals" in repr(it)]


async def test_one_timer_waits_for_everything_and_none_is_left_by_a_stop(
    settings: Settings,
) -> None:
    async with (
        running(settings.model_copy(update={"offline_delay": 5})) as address,
        join(address.url, "alice") as alice,
        join(address.url, "bob") as bob,
    ):
        for conversation in ("lunch", "dinner"):
            await alice.found(conversation, "bob")
            for client in (alice, bob):
                await client.do("POST", f"/me/conversations/{conversation}/typing")
        async with join(address.url, "carol"):
            pass
        await alice.settle()
        assert len(timers()) == 1
    assert timers() == []


SECRET = "a secret of more than thirty-two bytes"


class TestTokens:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            database=":memory:",
            port=0,
            secret=SecretStr(SECRET),
            token_leeway=0,
            authentication_timeout=0.3,
            offline_delay=0,
        )

    async def test_a_user_whose_token_ends_is_there_until_his_connection_ends(
        self, url: str, people: People
    ) -> None:
        (alice,) = await people("alice", token=mint_token("demo", "alice", SECRET, expires=60))
        await alice.do("POST", "/users/bob", {"name": "Bob"})
        await alice.do("SUBSCRIBE", ONLINE)
        soon = int(time.time()) + 2 - time.time()
        token = mint_token("demo", "bob", SECRET, expires=soon)
        async with join(url, "bob", token, create=False) as bob:
            assert await bob.event("session.expired")
            assert await alice.get(ONLINE) == {"isConnected": True}
            assert (await bob.ask("POST", TYPING)).code == "NOT_AUTHENTICATED"
            assert (await bob.closed())[0] == 1008
        assert await told_online(alice, 2) == [True, False]
