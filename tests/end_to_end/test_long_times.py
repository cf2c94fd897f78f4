"""What takes hours, with the times of production and a clock in the hand."""

from collections import Counter

import pytest

import rtflow
from rtflow.server import Settings, mint_token
from rtflow.testing import Clock, Link, Recorder
from rtflow.testing.plugin import OpenSession

SECRET = "a secret of the tests, of more than thirty-two bytes"
HOUR = 3600.0


async def test_a_server_that_is_away_for_an_hour_is_waited_for_and_then_found_within_15_seconds(
    clock: Clock, link: Link, open_session: OpenSession
) -> None:
    alice = await open_session("alice", server=link.url)
    elsewhere = await open_session("alice")
    await alice.current_user.create_if_not_exists(name="Alice")
    steps = Recorder[rtflow.ConnectionState]()
    seen = Recorder[rtflow.UserSnapshot | None]()
    alice.connection.observe().subscribe(steps)
    alice.current_user.observe().subscribe(seen)
    await seen.until(bool)
    link.refuse()
    link.cut()
    await clock.advance(HOUR)
    await elsewhere.current_user.set(name="Alicia")
    link.accept()
    await clock.advance(15)
    await steps.until(lambda states: states[-1].status == "live")
    await seen.until(lambda users: users[-1] is not None and users[-1].name == "Alicia")
    waits = [state for state in steps.values if state.status == "waiting"]
    assert len(waits) > HOUR / 15, "full jitter: half of the ceiling, on average"
    assert all(it.retry_in is not None and it.retry_in <= 15 for it in waits)
    assert {it.reason for it in waits[1:]} == {"connection refused"}
    assert len(seen.values) == 2


async def test_a_client_behind_a_dead_network_is_offline_for_others_after_a_minute(
    clock: Clock, link: Link, open_session: OpenSession
) -> None:
    alice = await open_session("alice", server=link.url)
    bob = await open_session("bob")
    await alice.current_user.create_if_not_exists(name="Alice")
    seen = Recorder[rtflow.UserOnlineSnapshot | None]()
    bob.user("alice").online.observe().subscribe(seen)
    await seen.until(bool)
    link.stall(lose=True)
    await clock.advance(30)
    assert [it and it.is_connected for it in seen.values] == [True]
    await clock.advance(35)
    await seen.until(lambda values: len(values) == 2)
    assert [it and it.is_connected for it in seen.values] == [True, False]


class TestTokens:
    @pytest.fixture
    def server_settings(self) -> Settings:
        return Settings(database=":memory:", secret=SECRET)  # type: ignore[arg-type]  # pydantic reads it

    async def test_a_stream_outlives_its_tokens(
        self, clock: Clock, link: Link, open_session: OpenSession
    ) -> None:
        minted = Counter[str]()

        def token(user: str) -> str:
            minted[user] += 1
            return mint_token("demo", user, SECRET, expires=600)

        alice = await open_session("alice", server=link.url, token=lambda: token("alice"))
        await alice.current_user.create_if_not_exists(name="Alice")
        before = link.opened
        seen = Recorder[rtflow.UserSnapshot | None]()
        steps = Recorder[rtflow.ConnectionState]()
        alice.current_user.observe().subscribe(seen)
        alice.connection.observe().subscribe(steps)
        await seen.until(bool)
        await clock.advance(HOUR)
        bob = await open_session("bob", token=lambda: token("bob"))
        await bob.user("alice").set(name="Alicia")
        await seen.until(lambda users: users[-1] is not None and users[-1].name == "Alicia")
        assert minted["alice"] >= HOUR / 600
        assert [it.status for it in steps.values] == ["live"], "refreshed before they ran out"
        assert link.opened == before
