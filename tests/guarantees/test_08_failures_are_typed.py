"""8. Failures are typed: on_error is for what no event can mend; the session's end completes."""

import logging

import pytest
from msgspec import UNSET
from pydantic import SecretStr

import rtflow
from rtflow.model.entities import Page
from rtflow.server import Settings
from rtflow.testing import Recorder, serving, until
from rtflow.testing.plugin import OpenSession
from rtflow.wire.endpoints import GET_CONVERSATIONS, GET_USERS, WATCH_CONVERSATION
from rtflow.wire.server import Call
from tests.client.scripted import SILENCE, scripted_server
from tests.client.world import a_conversation
from tests.guarantees.conftest import Company

URL = "http://127.0.0.1:1"
SECRET = SecretStr("a secret of at least 32 characters")
TOO_LARGE = {"subject": ["==", "x" * 2_000_000]}


async def test_the_end_of_the_session_completes_every_stream(company: Company) -> None:
    unread, late = Recorder[int](), Recorder[int]()
    steps = Recorder[rtflow.ConnectionState]()
    company.lunch.unread.observe().subscribe(unread)
    company.alice.connection.observe().subscribe(steps)
    await unread.until(lambda values: values == [0])
    await company.alice.close()
    assert unread.completed
    assert steps.completed
    assert steps.last.status == "closed"
    company.lunch.unread.observe().subscribe(late)
    assert isinstance(late.error, rtflow.SessionClosed)
    with pytest.raises(rtflow.SessionClosed):
        await company.lunch.get()
    with pytest.raises(rtflow.SessionClosed):
        await company.lunch.send("anybody?")
    with pytest.raises(rtflow.SessionClosed):
        async for _ in company.lunch:
            pass


async def test_a_token_that_is_refused_for_good_fails_every_stream_and_every_call() -> None:
    async with (
        serving(Settings(database=":memory:", secret=SECRET)) as server,
        rtflow.Session(server.url, app_id="demo", user_id="alice", token="no good") as session,
    ):
        unread = Recorder[int]()
        steps = Recorder[rtflow.ConnectionState]()
        session.connection.observe().subscribe(steps)
        session.conversation("lunch").unread.observe().subscribe(unread)
        with pytest.raises(rtflow.SessionExpired):
            await session.current_user.get()
        with pytest.raises(rtflow.SessionExpired):
            async for _ in session.conversation("lunch"):
                pass
        assert isinstance(unread.error, rtflow.SessionExpired)
        assert isinstance(steps.error, rtflow.SessionExpired)
        with pytest.raises(rtflow.SessionExpired):
            await session.conversation("lunch").send("hello?")


async def test_what_the_server_cannot_do_fails_the_streams_that_need_it_and_no_others() -> None:
    async with (
        scripted_server() as script,
        rtflow.Session(script.url, app_id="demo", user_id="alice", token="t") as session,
    ):
        script.answers[GET_CONVERSATIONS] = rtflow.BadRequest("BAD_FILTER", "no such filter")
        script.answers[WATCH_CONVERSATION] = rtflow.BadRequest("TOO_MANY", "subscriptions")
        script.answers[GET_USERS] = dict[str, object]()
        listed = Recorder[rtflow.Window[rtflow.ConversationSnapshot]]()
        lunch = Recorder[rtflow.ConversationSnapshot | None]()
        bob = Recorder[rtflow.UserSnapshot | None]()
        session.conversations.observe().subscribe(listed)
        session.conversation("lunch").observe().subscribe(lunch)
        session.user("bob").observe().subscribe(bob)
        await bob.until(lambda values: values == [None])
        assert isinstance(listed.error, rtflow.BadRequest)
        assert isinstance(lunch.error, rtflow.BadRequest)
        assert bob.error is None
        with pytest.raises(rtflow.BadRequest):
            async for _ in session.conversations:
                pass


async def test_after_a_failure_a_new_observer_tries_anew() -> None:
    async with (
        scripted_server() as script,
        rtflow.Session(script.url, app_id="demo", user_id="alice", token="t") as session,
    ):
        script.answers[GET_USERS] = rtflow.BadRequest("NOT_NOW")
        first, second = (Recorder[rtflow.UserSnapshot | None]() for _ in range(2))
        session.user("bob").observe().subscribe(first)
        await until(lambda: first.error is not None)
        script.answers[GET_USERS] = dict[str, object]()
        session.user("bob").observe().subscribe(second)
        await second.until(lambda values: values == [None])


async def test_a_failure_that_nobody_takes_is_logged(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    company.lunch.unread.observe().map(lambda unread: 1 / unread).subscribe(lambda _: None)
    await company.lunch.unread.get()
    await company.alice.user("stranger").get()
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert ["ZeroDivisionError" in str(record.exc_info) for record in errors] == [True]


async def test_wrong_arguments_are_refused_at_the_call(open_session: OpenSession) -> None:
    session = await open_session("alice")
    lunch = session.conversation("lunch")
    for wrong in ("", "x" * 256):
        with pytest.raises(ValueError, match="1 to 255 characters"):
            session.user(wrong)
    with pytest.raises(TypeError, match="a conversation id must be a str"):
        session.conversation(None)  # type: ignore[arg-type]  # that is the point, here and below
    with pytest.raises(TypeError, match="nmae"):
        await session.current_user.set(nmae="Alice")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'name'"):
        await session.current_user.create_if_not_exists()  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="not a conversation filter"):
        session.conversations.window(5, filter={"subjekt": ["==", "x"]})
    with pytest.raises(ValueError, match="at least 1"):
        lunch.messages.window(0)
    with pytest.raises(TypeError, match="a message is a str"):
        await lunch.send(5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not empty"):
        await lunch.send("")
    with pytest.raises(ValueError, match="linger"):
        rtflow.Session(URL, app_id="demo", user_id="alice", linger=-1)
    with pytest.raises(TypeError, match="request_timeout"):
        rtflow.Session(URL, app_id="demo", user_id="alice", request_timeout="1")  # type: ignore[arg-type]


async def test_what_cannot_even_be_sent_fails_its_observers(company: Company) -> None:
    await company.alice.user("stranger").get()
    window = company.alice.conversations.window(5, filter=TOO_LARGE)
    for _ in range(2):  # and a new observer tries anew
        refused = Recorder[rtflow.Window[rtflow.ConversationSnapshot]]()
        window.observe().subscribe(refused)
        await until(lambda: refused.has_ended)  # noqa: B023 - awaited
        assert isinstance(refused.error, rtflow.RtflowError)
        with pytest.raises(rtflow.RtflowError):
            async for _ in window:
                pass
    assert await company.lunch.unread.get() == 0


async def test_an_observer_may_watch_the_same_again_when_it_fails(company: Company) -> None:
    await company.alice.user("stranger").get()
    window = company.alice.conversations.window(5, filter=TOO_LARGE)
    last = Recorder[rtflow.Window[rtflow.ConversationSnapshot]]()

    def again(_: Exception) -> None:
        window.observe().subscribe(last)

    window.observe().subscribe(lambda _: None, on_error=again)
    await until(lambda: last.has_ended)
    assert isinstance(last.error, rtflow.RtflowError)


async def test_a_list_of_two_pages_that_is_not_answered_in_time_times_out() -> None:
    async with (
        scripted_server() as script,
        rtflow.Session(
            script.url, app_id="demo", user_id="alice", token="t", request_timeout=0.2
        ) as session,
    ):
        page = Page(tuple(a_conversation(f"c{n:02}", 99 - n) for n in range(30)), "more")

        def first_page(call: Call) -> object:
            return page if call.params.cursor is UNSET else SILENCE

        script.answers[GET_CONVERSATIONS] = first_page
        with pytest.raises(rtflow.RequestTimedOut, match="GET /me/conversations"):
            await session.conversations.window(40).get()
        assert "SUBSCRIBE /me/conversations" in script.lines
