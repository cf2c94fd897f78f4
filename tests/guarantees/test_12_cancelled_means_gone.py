"""12. Cancelled means gone. (After each test the plugin proves that nothing is left.)"""

import asyncio
import gc
from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

import rtflow
from rtflow.client.registry import Lease
from rtflow.server import Settings
from rtflow.testing import Link, Recorder, serving
from rtflow.testing.plugin import OpenSession
from rtflow.testing.server import RunningServer
from tests.guarantees.conftest import Company

SECRET = SecretStr("a secret of at least 32 characters")


async def test_a_cancelled_request_is_gone_and_its_late_answer_ignored(company: Company) -> None:
    company.link.stall("down")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await company.lunch.get()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await company.lunch.set(subject="both halves")
    company.link.resume()
    snapshot = await company.lunch.get()
    assert snapshot is not None
    assert snapshot.subject == "both halves"


async def test_a_request_that_takes_too_long_is_given_up(
    open_session: OpenSession, link: Link
) -> None:
    link.refuse()
    session = await open_session("alice", server=link.url, request_timeout=0.05)
    with pytest.raises(rtflow.RequestTimedOut) as caught:
        await session.current_user.get()
    assert str(caught.value) == (
        "no connection to the server within 0.05 s (connection refused): GET /users was not sent"
    )
    link.accept()


async def test_what_was_sent_and_takes_too_long_may_have_happened(
    open_session: OpenSession, link: Link
) -> None:
    session = await open_session("alice", server=link.url, request_timeout=0.3)
    await session.current_user.get()
    link.stall("down")
    with pytest.raises(rtflow.RequestTimedOut, match="may have happened") as caught:
        await session.user("bob").get()
    assert caught.value.unsent_because is None
    link.resume()


@pytest.mark.parametrize("error", [KeyError("mine"), asyncio.CancelledError("mine")])
async def test_an_exception_of_the_body_passes_unchanged(
    server: RunningServer, error: BaseException
) -> None:
    async def body() -> None:
        async with rtflow.Session(server.url, app_id="demo", user_id="alice") as session:
            session.conversations.observe().subscribe(lambda _: None)
            await session.current_user.get()
            raise error

    with pytest.raises(type(error)) as caught:
        await body()
    assert caught.value is error


async def test_a_session_that_was_never_used_leaves_nothing(server: RunningServer) -> None:
    async with rtflow.Session(server.url, app_id="demo", user_id="alice"):
        pass


async def test_a_failure_inside_ends_the_session_and_not_the_users_task() -> None:
    settings = Settings(database=":memory:", secret=SECRET)
    async with (
        serving(settings) as server,
        rtflow.Session(server.url, app_id="demo", user_id="alice", token="no good") as session,
    ):
        seen = Recorder[rtflow.ConversationSnapshot | None]()
        session.conversation("lunch").observe().subscribe(seen)
        with pytest.raises(AssertionError, match=r"ended too early.*SessionExpired"):
            await seen.until(lambda values: False)
        await asyncio.to_thread(lambda: None)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


class NoPause(rtflow.Backoff, frozen=True):
    """A part that fails inside the session."""

    def delays(self, chance: Callable[[], float]) -> Iterator[float]:
        raise TypeError("no pauses here")


async def test_a_failure_inside_is_told_to_whoever_waits_already(server: RunningServer) -> None:
    why = "it has failed: TypeError: no pauses here"
    async with rtflow.Session(
        server.url, app_id="demo", user_id="alice", reconnect=NoPause()
    ) as session:
        seen = Recorder[rtflow.UserSnapshot | None]()
        session.current_user.observe().subscribe(seen)
        for _ in range(2):
            with pytest.raises(rtflow.SessionClosed, match=why):
                await session.user("bob").get()
        assert isinstance(seen.error, rtflow.SessionClosed)
        assert why in str(seen.error)
        assert (await session.connection.get()).reason == why


async def test_cancelling_while_it_closes_closes_all_the_same(company: Company) -> None:
    company.link.stall()
    await company.alice.connection.get()

    async def use() -> None:
        async with rtflow.Session(company.link.url, app_id="demo", user_id="alice") as session:
            session.conversations.observe().subscribe(lambda _: None)

    async with asyncio.TaskGroup() as tasks:
        user = tasks.create_task(use())
        await company.bob.current_user.get()
        user.cancel()
    company.link.resume()


async def test_closing_is_idempotent_and_in_any_order(server: RunningServer) -> None:
    first = rtflow.Session(server.url, app_id="demo", user_id="alice")
    second = rtflow.Session(server.url, app_id="demo", user_id="bob")
    await first.__aenter__()
    await second.__aenter__()
    await first.current_user.get()
    await second.current_user.get()
    await first.close()
    assert await second.current_user.get() is None
    await asyncio.gather(first.close(), second.close(), second.close())
    with pytest.raises(rtflow.SessionClosed, match="opened once"):
        await first.__aenter__()


async def test_a_session_that_is_not_open_cannot_be_used() -> None:
    session = rtflow.Session("http://127.0.0.1:1", app_id="demo", user_id="alice")
    with pytest.raises(rtflow.SessionClosed, match="not opened yet"):
        await session.current_user.get()
    with pytest.raises(rtflow.SessionClosed, match="not opened yet"):
        session.current_user.observe().subscribe(lambda _: None)
    await session.close()


async def test_whoever_waits_when_the_session_closes_is_told(company: Company) -> None:
    for live in (company.lunch, company.lunch.messages, company.alice.conversations):
        live.observe().subscribe(lambda _: None)
    company.link.stall("down")

    async def ask() -> None:
        with pytest.raises(rtflow.SessionClosed):
            await company.alice.user("stranger").get()

    before = company.link.bytes_up
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask())
        await company.link.until(lambda it: it.bytes_up > before)
        await company.alice.close()
    company.link.resume()


async def test_a_closed_session_that_somebody_holds_keeps_no_lease(
    company: Company,
) -> None:
    held = list[rtflow.ConversationRef]()
    for n in range(5):
        room = company.alice.conversation(f"held {n}")
        await room.create_if_not_exists(subject="to be forgotten")
        seen = Recorder[object]()
        room.observe().subscribe(seen)
        await seen.until(bool)
        held.append(room)
        del seen
    await company.alice.close()
    gc.collect()
    leases = [it for it in gc.get_objects() if isinstance(it, Lease)]
    assert [it.key for it in leases if "held" in repr(it.key)] == []
    assert len(held) == 5
