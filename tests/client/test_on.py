"""`live.on(callback)`: one call at a time, the newest value next, and nothing is left of it."""

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

import rtflow
from rtflow.testing import Recorder, until
from tests.guarantees.conftest import Company, company

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["company"]


class Slow:
    """An async callback that takes as long as the test wants."""

    def __init__(self) -> None:
        self.called = list[object]()
        self.go_on = asyncio.Event()
        self.at_once = self.most_at_once = 0
        self.was_cancelled = False

    async def __call__(self, value: object) -> None:
        self.called.append(value)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        finally:
            self.at_once -= 1


async def seen(company: Company, values: list[int]) -> None:
    """Wait until an observer beside it has seen these."""
    recorder = Recorder[int]()
    with company.lunch.unread.observe().subscribe(recorder):
        await recorder.until(lambda found: found[-1:] == values[-1:])


async def test_an_async_function_is_called_with_the_current_value_and_each_newer_one(
    company: Company,
) -> None:
    called = list[int]()

    async def note(unread: int) -> None:
        await company.alice.current_user.get()
        called.append(unread)

    company.lunch.unread.on(note)
    await until(lambda: called == [0])
    for number in (1, 2):
        await company.bobs_lunch.send("hungry?")
        await until(lambda number=number: called[-1] == number)  # type: ignore[misc]  # of int
    assert called == [0, 1, 2]


async def test_a_plain_function_is_fine_too(company: Company) -> None:
    called = list[int]()
    company.lunch.unread.on(called.append)
    await until(lambda: called == [0])


async def test_a_slow_one_is_called_once_at_a_time_and_then_with_the_newest(
    company: Company,
) -> None:
    slow = Slow()
    company.lunch.unread.on(slow)
    await until(lambda: slow.called == [0])
    before = company.alice.stats().conflated
    for number in range(1, 6):
        await company.bobs_lunch.send("hungry?")
        await seen(company, [number])
    slow.go_on.set()
    await until(lambda: slow.called == [0, 5])
    assert slow.most_at_once == 1
    assert company.alice.stats().conflated - before == 4


@pytest.mark.parametrize("error", [RuntimeError("no"), asyncio.CancelledError()], ids=type)
async def test_one_that_raises_is_logged_once_and_called_no_more(
    company: Company, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    called, others = list[int](), list[int]()

    async def raise_(unread: int) -> None:
        called.append(unread)
        raise error

    watching = company.lunch.unread.on(raise_)
    company.lunch.unread.on(others.append)
    await until(lambda: watching.is_over)
    await company.bobs_lunch.send("hungry?")
    await until(lambda: others == [0, 1])
    assert called == [0]
    errors = [it for it in caplog.records if it.levelno >= logging.ERROR]
    assert [it.name for it in errors] == ["rtflow.client.watching"]
    assert company.alice.stats().detached == 1


async def test_disposing_cancels_the_call_that_runs_and_none_follows(company: Company) -> None:
    slow = Slow()
    watching = company.lunch.unread.on(slow)
    await until(lambda: slow.called == [0])
    watching.dispose()
    watching.dispose()
    await until(lambda: slow.was_cancelled)
    assert watching.is_over
    await company.bobs_lunch.send("hungry?")
    await seen(company, [1])
    assert slow.called == [0]


async def test_one_that_disposes_itself_goes_on_to_its_end(company: Company) -> None:
    watchings, ended = list[rtflow.Watching](), asyncio.Event()

    async def once(_: int) -> None:
        watchings[0].dispose()
        await company.alice.current_user.get()
        ended.set()

    watchings.append(company.lunch.unread.on(once))
    await ended.wait()
    await until(lambda: company.alice.stats().observers == 0)


async def test_a_block_disposes_it_and_leaves_nothing(company: Company) -> None:
    slow = Slow()
    async with company.lunch.unread.on(slow):
        await until(lambda: slow.called == [0])
    assert slow.was_cancelled
    assert company.alice.stats().observers == 0


async def test_it_may_be_disposed_on_another_thread(company: Company) -> None:
    slow = Slow()
    watching = company.lunch.unread.on(slow)
    await until(lambda: slow.called == [0])
    await asyncio.to_thread(watching.dispose)
    await until(lambda: slow.was_cancelled)


async def test_one_that_is_disposed_before_its_first_call_is_never_called(company: Company) -> None:
    called = list[int]()
    company.lunch.unread.on(called.append).dispose()
    await seen(company, [0])
    assert called == []


async def test_the_end_of_the_session_ends_it_and_the_call_that_runs(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    slow = Slow()

    async def ask_on(_: object) -> None:
        while True:
            await company.alice.user("nobody").get()
            await company.lunch.mark_as_read()

    watchings = [company.lunch.unread.on(slow), company.lunch.on(ask_on)]
    watchings.append(company.alice.connection.on(lambda _: None))
    await until(lambda: slow.called == [0])
    await company.alice.close()
    assert slow.was_cancelled
    assert all(it.is_over for it in watchings)
    assert [
        it for it in caplog.records if it.name.startswith("rtflow.client") and it.levelno > 20
    ] == []


async def test_one_that_closes_the_session_goes_on_to_its_end(company: Company) -> None:
    ended = asyncio.Event()

    async def close(_: int) -> None:
        await company.alice.close()
        ended.set()

    watching = company.lunch.unread.on(close)
    await ended.wait()
    await until(lambda: watching.is_over)


async def test_one_that_does_not_stop_when_cancelled_holds_the_end_up_for_a_moment_only(
    company: Company, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtflow.client.watching.LAST_WISHES", 0.01)
    go_on, called = asyncio.Event(), asyncio.Event()

    async def stubborn(_: int) -> None:
        called.set()
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    watching = company.lunch.unread.on(stubborn)
    await called.wait()
    await company.alice.close()
    assert "has not ended within" in caplog.text
    go_on.set()
    await until(lambda: watching.is_over)


@pytest.mark.parametrize("callback", [None, 1, "print"])
async def test_what_is_no_function_is_refused(company: Company, callback: Any) -> None:
    with pytest.raises(TypeError, match=r"on\(\) takes a function"):
        company.lunch.on(callback)


async def test_a_generator_is_refused_because_it_would_not_run(company: Company) -> None:
    async def generate(_: object) -> Any:
        yield

    with pytest.raises(TypeError, match="generator"):
        company.lunch.on(generate)


async def test_it_needs_an_open_session_on_its_own_loop(company: Company) -> None:
    unopened = rtflow.Session("http://localhost:1", app_id="demo", user_id="alice")
    with pytest.raises(rtflow.SessionClosed, match="not opened"):
        unopened.conversation("lunch").on(print)
    with pytest.raises(rtflow.RtflowError, match="another event loop"):
        await asyncio.to_thread(company.lunch.on, print)
    await company.alice.close()
    with pytest.raises(rtflow.SessionClosed):
        company.lunch.on(print)


async def test_what_cannot_be_watched_is_logged_and_ends_it(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    window = company.alice.conversations.window(1, filter={"subject": ["==", "x" * 2_000_000]})
    watching = window.on(print)
    await until(lambda: watching.is_over)
    assert "has failed" in caplog.text


async def test_all_kinds_of_functions_are_called(company: Company) -> None:
    called = list[str]()

    class Method:
        async def method(self, _: object) -> None:
            called.append("method")

    async def nested(_: object, name: str = "partial") -> None:
        called.append(name)

    callbacks: list[Callable[[object], object]] = [Method().method, lambda it: nested(it, "lambda")]
    for callback in [*callbacks, nested]:
        company.lunch.on(callback)
    await until(lambda: sorted(called) == ["lambda", "method", "partial"])
