"""Pressure: the slow cost a fixed amount and lose nothing, the unruly hurt only themselves."""

import asyncio

import pytest

import rtflow
from rtflow.server import Settings
from rtflow.testing import Link, Recorder, until
from rtflow.testing.plugin import OpenSession
from rtflow.testing.server import RunningServer
from tests.server.scrape import scrape

OUTBOX = 64 * 1024  # bytes
MOST = 4 * OUTBOX + 16 * 1024  # and what one batch holds
QUICK = rtflow.Backoff(first=0.01, most=0.05)
CUT = "too much was left unread"


@pytest.fixture
def server_settings() -> Settings:
    return Settings(database=":memory:", secret=None, max_outbox_bytes=OUTBOX)


@pytest.fixture
async def bob(open_session: OpenSession) -> rtflow.Session:
    """He talks; Alice, behind the link, listens."""
    bob = await open_session("bob")
    await bob.current_user.create_if_not_exists(name="Bob")
    await bob.user("alice").create_if_not_exists(name="Alice")
    await bob.conversation("lunch").create_if_not_exists()
    await bob.conversation("lunch").participant("alice").create_if_not_exists()
    return bob


@pytest.mark.parametrize("fault", ["stuck", "slow"])
async def test_a_client_that_does_not_keep_up_costs_a_fixed_amount_and_catches_up_afterwards(
    server: RunningServer, link: Link, open_session: OpenSession, bob: rtflow.Session, fault: str
) -> None:
    alice = await open_session("alice", server=link.url, reconnect=QUICK)
    lunch = alice.conversation("lunch")
    said = Recorder[rtflow.Window[rtflow.MessageSnapshot] | None]()
    unread, states = Recorder[int](), Recorder[rtflow.ConnectionState]()
    lunch.messages.window(3).observe().subscribe(said)
    lunch.unread.observe().subscribe(unread)
    alice.connection.observe().subscribe(states)
    await said.until(lambda values: values[-1] is not None)
    await unread.until(lambda values: values == [0])
    if fault == "stuck":
        link.stall("down")
    else:
        link.throttle(50_000, "down")
    sent, most = 0, 0.0
    async with asyncio.timeout(20):
        while not (it := await scrape(server.url))("rtflow_connections_closed_total", reason=CUT):
            most = max(most, it("rtflow_outbox_bytes"))
            for _ in range(20):
                await bob.conversation("lunch").send("x" * 9_000)
            sent += 20
    await bob.conversation("lunch").send("the last word")
    assert 0 < most <= MOST
    link.resume("down")
    link.throttle(None, "down")
    await unread.until(lambda values: values[-1] == sent + 1, timeout=20)
    await said.until(lambda values: _first(values[-1]) == "the last word")
    assert unread.values == sorted(set(unread.values))
    assert [it.status for it in states.values][-1] == "live"
    assert alice.stats().reconnects >= 1
    it = await scrape(server.url)
    assert it("rtflow_outbox_bytes") <= OUTBOX


def _first(window: rtflow.Window[rtflow.MessageSnapshot] | None) -> str | None:
    return window.items[0].plaintext if window is not None and window.items else None


async def test_observers_that_raise_re_enter_and_dispose_disturb_nobody_else(
    open_session: OpenSession, bob: rtflow.Session, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await open_session("alice")
    unread = alice.conversation("lunch").unread
    fine, inner = Recorder[int](), [Recorder[int]() for _ in range(3)]
    calls = list[str]()

    def raise_(_: int) -> None:
        calls.append("raise")
        raise RuntimeError("no")

    def enter_again(value: int) -> None:
        if value < len(inner):
            unread.observe().subscribe(inner[value])

    def dispose_all(value: int) -> None:
        calls.append("dispose")
        if value == 1:
            held.dispose()
            other.dispose()

    def dispose_other(_: int) -> None:
        calls.append("other")

    unread.observe().subscribe(raise_)
    unread.observe().subscribe(enter_again)
    held = unread.observe().subscribe(dispose_all)
    other = unread.observe().subscribe(dispose_other)
    unread.observe().subscribe(fine)
    await fine.until(lambda values: values == [0])
    for number in (1, 2):
        await bob.conversation("lunch").send("hi")
        await fine.until(lambda values, number=number: values[-1] == number)  # type: ignore[misc]  # of int
    assert fine.values == [0, 1, 2]
    assert [it.values for it in inner] == [[0, 1, 2], [1, 2], [2]]
    assert sorted(calls) == ["dispose", "dispose", "other", "raise"]
    assert caplog.text.count("an observer raised") == 1
    assert alice.stats().detached == 1
    await until(lambda: alice.stats().observers == 5)
