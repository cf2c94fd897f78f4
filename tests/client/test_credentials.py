"""Where tokens come from, and when there are none any more."""

import asyncio
import contextlib
import logging
import random
import traceback
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from rtflow.client.address import Address
from rtflow.client.credentials import Credentials, Token, Unavailable, refresh_after
from rtflow.errors import SessionExpired
from rtflow.model.params import Empty
from rtflow.wire.endpoints import WATCH_CONVERSATION
from tests.client.scripted import Rig, ScriptedServer

NOWHERE = Address.of("http://127.0.0.1:1", "demo")


def credentials(
    token: Token, *, patience: float = 5.0, chance: Callable[[], float] = random.random
) -> Credentials:
    return Credentials(token, NOWHERE, "alice", patience=patience, chance=chance)


def counting(start: str = "token") -> Callable[[], str]:
    numbers = iter(range(1, 1_000))
    return lambda: f"{start} {next(numbers)}"


# Kinds


async def test_a_str_is_the_token() -> None:
    source = credentials("a token")
    assert [await source.get(), await source.get()] == ["a token"] * 2
    assert not source.can_refresh


async def test_a_function_is_asked_once_until_its_token_is_of_no_use() -> None:
    source = credentials(counting())
    assert [await source.get(), await source.get()] == ["token 1"] * 2
    source.forget()
    assert await source.get() == "token 2"
    assert await source.another() == "token 3"
    assert await source.get() == "token 3"


async def test_an_async_function_is_awaited() -> None:
    async def token() -> str:
        return "a token"

    assert await credentials(token).get() == "a token"


async def test_an_object_that_can_be_called_will_do() -> None:
    class Source:
        async def __call__(self) -> str:
            return "a token"

    assert await credentials(Source()).get() == "a token"


async def test_a_function_that_returns_an_awaitable_is_awaited() -> None:
    async def token() -> str:
        return "a token"

    assert await credentials(lambda: token()).get() == "a token"


@pytest.mark.parametrize(
    ("token", "error"), [(b"bytes", TypeError), (5, TypeError), ("", ValueError)]
)
def test_what_cannot_be_a_token_is_refused(token: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="token is"):
        credentials(token)


# One flight


async def test_several_who_need_a_token_share_one_flight() -> None:
    flights = list[str]()
    landing = asyncio.Event()

    async def token() -> str:
        flights.append("one")
        await landing.wait()
        return "a token"

    source = credentials(token)
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(source.get()) for _ in range(3)]
        for _ in range(3):
            await Rig.turn()
        landing.set()
    assert [task.result() for task in waiting] == ["a token"] * 3
    assert flights == ["one"]


async def test_the_next_one_takes_over_when_who_flew_is_cancelled() -> None:
    flights = list[str]()
    started = asyncio.Event()

    async def token() -> str:
        flights.append("one")
        started.set()
        if len(flights) == 1:
            await asyncio.Event().wait()
        return "a token"

    source = credentials(token)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(source.get())
        await started.wait()
        second = tasks.create_task(source.get())
        first.cancel()
        assert await second == "a token"
    assert first.cancelled()


# Failures


@contextlib.asynccontextmanager
async def unavailable(words: str) -> AsyncGenerator[None]:
    with pytest.raises(Unavailable) as why:
        yield
    assert words in why.value.reason


async def test_a_function_that_raises_can_be_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[str | Exception] = [OSError("the wall has ears"), "a token"]

    def token() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    source = credentials(token)
    async with unavailable("raised OSError"):
        await source.get()
    assert "raised OSError at" in caplog.text
    assert "test_credentials.py" in caplog.text, "it says where"
    assert await source.get() == "a token"


async def test_what_a_function_says_when_it_raises_is_kept_for_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It may be a URL with a secret in it, or an answer as a whole."""

    def token() -> str:
        try:
            raise KeyError("geheim 1")
        except KeyError as exc:
            raise ValueError("https://tokens.example/?key=geheim") from exc

    caplog.set_level("DEBUG")
    with pytest.raises(Unavailable) as why:
        await credentials(token).get()
    shown = "".join(traceback.format_exception(why.value))
    assert "geheim" not in caplog.text + shown


@pytest.mark.parametrize("returned", [None, b"bytes", "", 5])
async def test_a_function_that_returns_no_token_is_told_so(returned: Any) -> None:
    async with unavailable("instead of a token"):
        await credentials(lambda: returned).get()


async def test_a_function_that_takes_for_ever_is_left() -> None:
    async def token() -> str:
        await asyncio.Event().wait()
        return "never"

    async with unavailable("no token within 0.02 s"):
        await credentials(token, patience=0.02).get()


async def test_a_function_that_is_cancelled_inside_does_not_cancel_us() -> None:
    async def token() -> str:
        raise asyncio.CancelledError

    async with unavailable("was cancelled inside"):
        await credentials(token).get()


async def test_a_function_that_keeps_a_cancellation_to_itself_does_not_keep_us() -> None:
    waits = asyncio.Event()

    async def token() -> str:
        waits.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "a token nobody waits for"

    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(credentials(token).get())
        await waits.wait()
        asked.cancel()
    assert asked.cancelled()


async def test_a_function_may_say_that_there_will_be_no_token() -> None:
    def token() -> str:
        raise SessionExpired("logged out")

    with pytest.raises(SessionExpired, match="logged out"):
        await credentials(token).get()


async def test_a_failed_refresh_keeps_the_old_token() -> None:
    answers = ["a token"]
    source = credentials(lambda: answers.pop())
    await source.get()
    async with unavailable("raised IndexError"):
        await source.another()
    assert await source.get() == "a token"


# Refusals


async def test_a_refused_str_is_final() -> None:
    source = credentials("geheim")
    await source.get()
    with pytest.raises(SessionExpired, match="401 NO") as refused:
        source.refused("401 NO")
    assert "geheim" not in str(refused.value)


async def test_only_fresh_tokens_that_are_refused_in_a_row_count() -> None:
    source = credentials(counting())
    for _ in range(5):
        await source.get()
        source.accepted(None)
        source.refused("it has expired")
        await source.get()
        source.refused("fresh")
        await source.get()
        source.refused("fresh")
        await source.get()
        source.accepted(None)
    for _ in range(2):
        source.refused("it has expired")
        await source.get()
    source.refused("fresh")
    await source.get()
    with pytest.raises(SessionExpired, match="3 tokens in a row"):
        source.refused("fresh")


def test_no_repr_shows_a_token() -> None:
    assert "geheim" not in repr(credentials("geheim"))
    assert repr(credentials("geheim")) == "<Credentials of 'alice', token: str>"
    assert repr(credentials(counting())) == "<Credentials of 'alice', token: callable>"
    assert repr(credentials(None)) == "<Credentials of 'alice', token: none>"


@pytest.mark.parametrize(
    ("expires_in", "after"),
    [(3_600, 3_300), (601, 301), (600, 300), (125, 62.5), (1, 1), (0, 1), (1e12, 1_728_000)],
)
def test_a_token_is_refreshed_five_minutes_or_half_its_time_before_it_expires(
    expires_in: float, after: float
) -> None:
    assert refresh_after(expires_in, 0) == after


def test_those_who_were_let_in_together_do_not_come_for_tokens_together() -> None:
    chances = iter([0, 0.5, 1])
    source = credentials(counting(), chance=lambda: next(chances))
    assert [source.accepted(3_600) for _ in range(3)] == [3_300, 3_135, 2_970]
    assert refresh_after(1, 1) == 1, "never at once"


def test_only_a_token_that_expires_and_has_a_source_is_refreshed() -> None:
    assert credentials(counting(), chance=lambda: 0).accepted(100) == 50
    assert credentials(counting()).accepted(None) is None
    assert credentials("a token").accepted(100) is None
    assert credentials(None, chance=lambda: 0).accepted(100) == 50


# Development mode


async def test_without_a_token_the_server_is_asked_for_one(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url, None) as rig:
        await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
    assert scripted.bokens == ["/api/v0/demo/bokens/alice?signature="]
    assert scripted.tokens == ["a boken"]


@pytest.mark.parametrize(
    ("status", "words"), [(404, "there is no app 'demo'"), (401, "pass token="), (403, "403")]
)
async def test_a_server_that_gives_no_tokens_ends_the_session(
    scripted: ScriptedServer, status: int, words: str
) -> None:
    scripted.boken = (status, "no")
    async with Rig(scripted.url, None) as rig:
        with pytest.raises(SessionExpired, match=words):
            await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
        await rig.until(lambda: rig.ended is not None)
    assert scripted.handshakes == 0


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (502, "", "the token endpoint answered with 502"),
        (429, "", "the token endpoint answered with 429"),
        (200, "hello", "the token endpoint answered with something else"),
        (200, '{"boken": 5}', "the token endpoint answered with something else"),
    ],
)
async def test_a_token_endpoint_in_trouble_is_asked_again(
    scripted: ScriptedServer, status: int, body: str, reason: str
) -> None:
    good, scripted.boken = scripted.boken, (status, body)
    async with Rig(scripted.url, None) as rig:
        rig.link.want()
        await rig.until(lambda: bool(rig.reasons))
        scripted.boken = good
        await rig.until(lambda: rig.link.live)
    assert set(rig.reasons) == {reason}


async def test_a_server_that_is_down_has_no_tokens_for_now(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with Rig("http://127.0.0.1:1", None) as rig:
        rig.link.want()
        await rig.until(lambda: bool(rig.reasons))
    assert rig.reasons[0] == "connection refused"
    assert "trying again" in caplog.text


async def test_a_token_endpoint_that_does_not_answer_is_left(scripted: ScriptedServer) -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0)
    address = Address.of(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "demo")
    async with unavailable("within 0.05 s"):
        await Credentials(None, address, "alice", patience=0.05).get()
    server.close()
    await server.wait_closed()
