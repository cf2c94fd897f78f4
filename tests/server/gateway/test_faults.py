"""Faults of program and disk: answered, logged, and no client misses anything unknowingly."""

from pathlib import Path
from typing import TypeVar

import pytest

from rtflow.errors import ServerFailed
from rtflow.server import Settings, app
from rtflow.server.auth import Authenticator
from rtflow.server.gateway import commands, fanout
from rtflow.server.store.interface import Publish, Query, Reading
from tests.server.conftest import People
from tests.server.gateway.waiting_store import WaitingStore, open_waiting
from tests.server.raw import dial
from tests.server.scrape import scrape

T = TypeVar("T")


async def test_a_fault_in_one_request_costs_that_request(
    people: People, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (alice,) = await people("alice")

    def fail(*_: object) -> object:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(commands, "watched", fail)
    monkeypatch.setattr(commands, "query", fail)
    for method in ("SUBSCRIBE", "GET"):
        answer = await alice.ask(method, "/me/conversations")
        assert (answer.status, answer.code) == (500, "INTERNAL")
        assert "mistake" not in str(answer.data)
    assert caplog.text.count("RuntimeError: a mistake of ours") == 2
    await alice.do("PUT", "/users/alice", {"name": "Ada"})


async def test_a_fault_at_renew_closes_the_connection(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The official client makes nothing of a 500 there, and stays logged out (protocol.md 3)."""

    def fail(*_: object) -> object:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(Authenticator, "identify", fail)
    async with dial(url, "alice") as alice:
        await alice.say("POST", "/session/renew", {"token": "a secret"})
        assert (await alice.closed())[0] == 1011
    assert "a mistake of ours" in caplog.text
    assert "a secret" not in caplog.text


class BreakableStore(WaitingStore):
    """One whose reads can fail."""

    is_broken = False

    async def read(self, query: Query[T]) -> Reading[T]:
        if self.is_broken:
            raise ServerFailed("STORAGE_UNAVAILABLE", "the disk has gone")
        return await super().read(query)


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> list[BreakableStore]:
    opened: list[BreakableStore] = []

    async def open_breakable(path: str | Path, publish: Publish) -> BreakableStore:
        opened.append(await open_waiting(path, publish, BreakableStore))
        return opened[0]

    monkeypatch.setattr(app, "open_sqlite", open_breakable)
    return opened


async def test_who_cannot_be_told_of_an_event_is_sent_away_to_read_again(
    stores: list[BreakableStore], url: str, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    await bob.do("SUBSCRIBE", "/me/conversations/lunch")
    stores[0].is_broken = True
    assert (await alice.ask("GET", "/me/conversations/lunch")).code == "STORAGE_UNAVAILABLE"
    await alice.send("lunch", "can you hear me?")
    assert (await bob.closed())[0] == 1011
    assert "could not be delivered" in caplog.text
    stores[0].is_broken = False
    (bob,) = await people("bob")
    await bob.do("SUBSCRIBE", "/me/conversations/lunch")
    assert (await bob.get("/me/conversations/lunch"))["unreadMessageCount"] == 1
    await alice.send("lunch", "and now?")
    assert (await bob.event("side.edited"))["diff"]["unreadMessageCount"] == 2


async def test_who_would_have_to_wait_for_too_many_changes_is_sent_away_to_read_again(
    stores: list[BreakableStore],
    url: str,
    people: People,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fanout, "MOST_BEHIND", 50)
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    await bob.do("SUBSCRIBE", "/me/conversations/lunch")
    release = stores[0].hold()
    text = {"content": [{"type": "text", "children": ["hi"]}]}
    sent = [await alice.say("POST", "/conversations/lunch/messages", text) for _ in range(120)]
    assert (await bob.closed())[0] == 1011
    it = await scrape(url)
    assert 1 <= it("rtflow_fallen_behind_total") <= 3
    assert it("rtflow_changes_behind") <= 50
    release()
    for seq in sent:
        assert (await alice.answer(seq)).status == 200
    (bob,) = await people("bob")
    assert (await bob.get("/me/conversations/lunch"))["unreadMessageCount"] == 120


class TestWhatIsHeld:
    @pytest.fixture
    def settings(self, stores: list[BreakableStore]) -> Settings:
        return Settings(database=":memory:", port=0, max_outbox_bytes=64 * 1024)

    async def test_events_held_for_a_read_that_does_not_end_are_bounded(
        self, stores: list[BreakableStore], people: People
    ) -> None:
        alice, bob = await people("alice", "bob")
        await alice.found("lunch", "bob")
        await bob.do("SUBSCRIBE", "/users", {"ids": ["alice"]})
        release = stores[0].hold()
        await bob.say("GET", "/me/conversations")
        for number in range(20):
            await alice.do("PUT", "/users/alice", {"welcomeMessage": str(number) + "x" * 9_000})
        assert (await bob.closed())[0] == 1013
        release()
