"""The log: every step of a connection is in it, with its reason; what people say is not."""

import logging
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus

import rtflow
from rtflow.server import Settings
from rtflow.testing import Link, Recorder
from rtflow.testing.plugin import OpenSession
from tests.server.raw import dial

ROOTS = ("rtflow.client", "rtflow.server", "rtflow.wire")
MARK = "hush-what-people-say"
QUICK = rtflow.Backoff(first=0.01, most=0.05)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG, "rtflow"):
        yield caplog


def lines(log: pytest.LogCaptureFixture, name: str, level: int = logging.DEBUG) -> list[str]:
    return [
        it.getMessage() for it in log.records if it.name.startswith(name) and it.levelno >= level
    ]


async def test_every_step_of_a_connection_is_told_with_its_reason(
    log: pytest.LogCaptureFixture, open_session: OpenSession, link: Link
) -> None:
    alice = await open_session("alice", server=link.url, reconnect=QUICK)
    states = Recorder[rtflow.ConnectionState]()
    await alice.current_user.create_if_not_exists(name="Alice")
    alice.connection.observe().subscribe(states)
    link.cut()
    await states.until(lambda values: [it.status for it in values].count("live") == 2)
    await alice.close()
    steps = lines(log, "rtflow.client.link", logging.INFO)
    told = [step.removeprefix("the connection of 'alice': ") for step in steps]
    assert told[:2] == ["connecting", "live"]
    assert told[2].startswith("waiting (connection reset)")
    assert "trying again in" in told[2]
    assert told[-1] == "closed (it was closed)"
    assert "'alice' has a connection, and shows its token" in lines(log, "rtflow.client.link")
    served = lines(log, "rtflow.server.gateway")
    assert "'alice' has connected from 127.0.0.1" in served
    assert "'alice' has shown a good token" in served
    assert any(it.startswith("a connection of 'alice' has ended with") for it in served)


async def test_what_is_asked_and_answered_is_told_by_name_on_both_sides(
    log: pytest.LogCaptureFixture, open_session: OpenSession
) -> None:
    alice = await open_session("alice")
    await alice.current_user.create_if_not_exists(name="Alice")
    with pytest.raises(rtflow.NotFound):
        await alice.conversation("nowhere").send("hi")
    said = lines(log, "rtflow.wire.client")
    assert any(it.startswith("> 1 POST /users/{user}, ") for it in said)
    assert any(it.startswith("< 1 POST /users/{user}: 200, ") for it in said)
    assert any("/messages: 404 CONVERSATION_NOT_FOUND" in it for it in said)
    heard = lines(log, "rtflow.wire.server")
    assert any(it.startswith("'alice': 1 POST /users/{user}: 200 in ") for it in heard)


async def test_an_app_that_is_not_there_and_a_handshake_that_is_refused_are_told_of(
    log: pytest.LogCaptureFixture, open_session: OpenSession, link: Link
) -> None:
    session = await open_session("bob", app_id="other")
    with pytest.raises(rtflow.SessionExpired):
        await session.current_user.get()
    closed = lines(log, "rtflow.client.link", logging.INFO)
    assert any("there is no app 'other'" in it for it in closed)
    with pytest.raises(InvalidStatus):
        async with dial(link.url, "alice", app="other"):
            pass
    served = lines(log, "rtflow.server.gateway")
    assert "refused a handshake from 127.0.0.1: UNKNOWN_APP" in served


class TestWithoutAToken:
    @pytest.fixture
    def server_settings(self) -> Settings:
        return Settings(database=":memory:", authentication_timeout=0.05)

    async def test_who_shows_none_is_told_of(
        self, log: pytest.LogCaptureFixture, link: Link
    ) -> None:
        async with dial(link.url, "alice") as alice:
            assert (await alice.closed())[0] == 1008
        served = lines(log, "rtflow.server.gateway")
        assert "a connection is closed with 1008 (no valid token was shown in time)" in served


async def test_no_line_holds_what_people_say(
    log: pytest.LogCaptureFixture, open_session: OpenSession
) -> None:
    alice = await open_session("alice")
    lunch = alice.conversation("lunch")
    await alice.current_user.create_if_not_exists(name=MARK, email=[f"{MARK}@example.com"])
    await lunch.create_if_not_exists(subject=MARK, custom={"mark": MARK})
    seen = Recorder[rtflow.Window[rtflow.MessageSnapshot] | None]()
    lunch.messages.window(5).observe().subscribe(seen)
    await lunch.send(MARK)
    await seen.until(lambda values: values[-1] is not None and bool(values[-1].items))
    async for _ in alice.search_messages(MARK):
        break
    await alice.upload(MARK.encode(), filename="a.txt")
    with pytest.raises(rtflow.BadRequest):
        await lunch.send(MARK * 1_000)
    await alice.close()
    assert len(log.records) > 20
    assert MARK not in log.text


async def test_every_logger_is_below_one_of_three_names(
    log: pytest.LogCaptureFixture, open_session: OpenSession
) -> None:
    alice = await open_session("alice")

    def raise_(_: object) -> None:
        raise RuntimeError("no")

    alice.connection.observe().subscribe(raise_)
    await alice.current_user.get()
    names = {name for name in logging.root.manager.loggerDict if name.startswith("rtflow.")}
    ours = {name for name in names if not name.startswith(("rtflow.cli.", "rtflow.testing"))}
    assert [name for name in ours if not name.startswith(ROOTS)] == []
    assert {it.name for it in log.records if it.name.partition(".")[0] == "rtflow"} <= ours
    errors = [it for it in log.records if it.levelno >= logging.ERROR]
    assert [it.name for it in errors] == ["rtflow.client.stream"]
