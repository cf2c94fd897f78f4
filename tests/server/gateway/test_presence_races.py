"""Presence is in no log, so nothing numbers it: reads, events and messages race all the same.

A client ignores events that come before the answer to its read and applies those that come after.
On a store that answers at once, and on one that makes everybody wait.
"""

import asyncio
from pathlib import Path

import pytest

from rtflow.server import Settings, app, running
from rtflow.server.store.interface import Publish
from tests.server.conftest import People
from tests.server.gateway.waiting_store import WaitingStore, open_waiting
from tests.server.raw import Json, RawClient, dial, join

ROUNDS = 30
TYPING = "/me/conversations/lunch/typing"
WRITERS = [f"writer{number}" for number in range(7)]  # enough to be many


def after(client: RawClient, seq: int) -> tuple[Json, list[Json]]:
    """Return an answer, and the events that came after it."""
    place = next(
        index
        for index, frame in enumerate(client.heard)
        if frame[0] == seq and frame[1] != "PUBLISH"
    )
    assert client.heard[place][1] == 200
    later = [e for f in client.heard[place + 1 :] if f[1] == "PUBLISH" for e in f[2:]]
    return client.heard[place][2], later


def with_events(answer: Json, events: list[Json]) -> Json:
    """What a client sees that got this answer and then these events (protocol.md 6)."""
    many, users = answer["many"], answer["usersTyping"]
    for event in events:
        diff = event["diff"]
        if diff.get("many"):
            many, users = True, None
        elif diff.get("many") is False:
            many, users = False, diff["usersTyping"]
        elif users is not None:
            users = {u: at for u, at in {**users, **diff["usersTyping"]}.items() if at is not None}
    return {"many": many, "usersTyping": users}


async def write(writer: RawClient, number: int) -> None:
    """Begin and stop, as fast as answers come."""
    text = {"content": [{"type": "text", "children": ["hi"]}]}
    for turn in range(ROUNDS):
        seq = await writer.say("POST", TYPING)
        if (turn + number) % 3 == 0:
            seq = await writer.say("POST", "/conversations/lunch/messages", text)
        assert (await writer.answer(seq)).status == 200
    if number % 2:
        await writer.send("lunch", "that was it")
    else:
        await writer.do("POST", TYPING)


async def read(reader: RawClient) -> list[int]:
    """Read again and again, sometimes two at a time; return the requests' numbers."""
    seqs = list[int]()
    for number in range(2 * ROUNDS):
        seqs.append(await reader.say("GET", TYPING))
        await reader.say("GET", "/me/conversations/lunch")  # whose end lets events pass, too
        if number % 3:
            await reader.answer(seqs[-1])
    for seq in seqs:
        await reader.answer(seq)
    return seqs


class TestOnEachStore:
    @pytest.fixture(params=["at once", "waiting"])
    def settings(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
        if request.param == "waiting":
            monkeypatch.setattr(app, "open_sqlite", open_waiting)
        return Settings(database=":memory:", port=0, offline_delay=0)

    async def test_a_read_and_the_events_after_it_are_the_truth(self, people: People) -> None:
        reader, *writers = await people("reader", *WRITERS)
        await reader.found("lunch", *WRITERS)
        await reader.do("SUBSCRIBE", TYPING)
        async with asyncio.TaskGroup() as tasks:
            for number, writer in enumerate(writers):
                tasks.create_task(write(writer, number))
            reading = tasks.create_task(read(reader))
        truth = await reader.get(TYPING)
        assert sorted(truth["usersTyping"]) == WRITERS[::2]
        await reader.settle()
        for seq in reading.result():
            assert with_events(*after(reader, seq)) == truth

    async def test_whether_somebody_is_online_is_the_truth_after_each_read(
        self, url: str, people: People
    ) -> None:
        (reader,) = await people("reader")
        await reader.do("POST", "/users/bob", {"name": "Bob"})
        await reader.do("SUBSCRIBE", "/users/bob/online")
        seqs = list[int]()
        for _ in range(ROUNDS):
            seqs.append(await reader.say("GET", "/users/bob/online"))
            async with dial(url, "bob") as bob:
                await bob.say("POST", "/session/renew", {"token": ""})
                seqs.append(await reader.say("GET", "/users/bob/online"))
                await bob.say("GET", "/ping")
                await bob.answer(1)
        await reader.until(
            lambda: [e["diff"] for e in reader.events][2 * ROUNDS - 1 :] == [{"isConnected": False}]
        )
        for seq in seqs:
            await reader.answer(seq)
        for seq in seqs:
            answer, later = after(reader, seq)
            assert [answer, *(event["diff"] for event in later)][-1] == {"isConnected": False}


class TestOneAfterTheOther:
    """With the reads of the store in the test's hand."""

    @pytest.fixture
    def stores(self, monkeypatch: pytest.MonkeyPatch) -> list[WaitingStore]:
        stores: list[WaitingStore] = []

        async def open_kept(path: str | Path, publish: Publish) -> WaitingStore:
            stores.append(await open_waiting(path, publish))
            return stores[0]

        monkeypatch.setattr(app, "open_sqlite", open_kept)
        return stores

    @pytest.fixture
    def settings(self, stores: list[WaitingStore]) -> Settings:
        return Settings(database=":memory:", port=0, offline_delay=0)

    async def test_what_begins_while_a_read_is_under_way_is_in_its_answer(
        self, stores: list[WaitingStore], people: People
    ) -> None:
        alice, bob = await people("alice", "bob")
        await alice.found("lunch", "bob")
        await alice.do("SUBSCRIBE", TYPING)
        release = stores[0].delay_next()
        reading = await alice.say("GET", TYPING)
        await alice.settle()  # its right to read has been found by now
        await bob.do("POST", TYPING)
        assert await alice.settle() == [], "held back"
        release()
        answer = (await alice.answer(reading)).data
        assert list(answer["usersTyping"]) == ["bob"]

    async def test_who_is_removed_while_he_reads_ends_up_with_nothing(
        self, stores: list[WaitingStore], people: People
    ) -> None:
        alice, bob = await people("alice", "bob")
        await alice.found("lunch", "bob")
        await bob.do("SUBSCRIBE", TYPING)
        bob.heard.clear()
        release = stores[0].delay_next()
        reading = await bob.say("GET", TYPING)
        await bob.settle()
        await alice.do("DELETE", "/conversations/lunch/participants/bob")
        await alice.do("POST", TYPING)
        release()
        answer = await bob.answer(reading)
        await bob.event("side.deleted")
        kinds = [frame[2]["type"] for frame in bob.heard if frame[1] == "PUBLISH"]
        assert kinds == ["side.deleted"]
        if answer.status == 200:
            assert bob.heard[-1][1] == "PUBLISH", "what takes it away comes after it"
        else:
            assert answer.code == "CONVERSATION_NOT_FOUND"

    async def test_a_message_forestalls_the_mark_that_was_asked_for_before_it(
        self, stores: list[WaitingStore], people: People
    ) -> None:
        alice, bob = await people("alice", "bob")
        await alice.found("lunch", "bob")
        await alice.do("SUBSCRIBE", TYPING)
        release = stores[0].delay_next()
        marking = await bob.say("POST", TYPING)
        await bob.send("lunch", "hi")
        release()
        assert (await bob.answer(marking)).status == 200
        assert await alice.get(TYPING) == {"many": False, "usersTyping": {}}
        assert await alice.settle() == []

    async def test_who_is_removed_while_his_mark_is_asked_for_writes_nothing(
        self, stores: list[WaitingStore], people: People
    ) -> None:
        alice, bob = await people("alice", "bob")
        await alice.found("lunch", "bob")
        await alice.do("SUBSCRIBE", TYPING)
        release = stores[0].delay_next()
        marking = await bob.say("POST", TYPING)
        await bob.settle()
        await alice.do("DELETE", "/conversations/lunch/participants/bob")
        release()
        await bob.answer(marking)
        assert await alice.get(TYPING) == {"many": False, "usersTyping": {}}

    async def test_whose_connection_ends_while_his_mark_is_asked_for_writes_nothing(
        self, stores: list[WaitingStore]
    ) -> None:
        async with (
            running(Settings(database=":memory:", port=0, offline_delay=0)) as address,
            join(address.url, "alice") as alice,
        ):
            async with join(address.url, "bob") as bob:
                await alice.found("lunch", "bob")
                await alice.do("SUBSCRIBE", TYPING)
                await alice.do("SUBSCRIBE", "/users/bob/online")
                release = stores[0].delay_next()
                await bob.say("POST", TYPING)
                await bob.settle()
            await alice.event("user.online.changed")
            release()
            assert await alice.get(TYPING) == {"many": False, "usersTyping": {}}
            assert "typing.changed" not in str(await alice.settle())
