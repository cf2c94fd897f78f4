"""The session on a connection: how it is kept authenticated, and when it ends."""

import asyncio
import logging

import pytest

from rtflow.client.backoff import Backoff
from rtflow.errors import (
    BadRequest,
    Forbidden,
    RequestRefused,
    ServerFailed,
    SessionExpired,
    Unauthorized,
)
from rtflow.model.params import Empty
from rtflow.model.snapshots import ConnectionState
from rtflow.wire.endpoints import (
    WATCH_CONVERSATION,
    WATCH_CONVERSATIONS,
    Renewed,
)
from tests.client.scripted import SILENCE, Rig, ScriptedServer


def watch(rig: Rig, *conversations: str) -> None:
    """Subscribe without waiting, as the registry does."""
    for conversation in conversations:
        rig.link.ask_soon(WATCH_CONVERSATION, (conversation,), Empty(), lambda _: None)


async def test_a_token_is_refreshed_before_it_expires_and_the_session_goes_on(
    scripted: ScriptedServer,
) -> None:
    tokens = iter(["first", "second", "third"])
    scripted.accepts = lambda token: Renewed(expires_in_seconds=2 if token == "first" else None)
    async with Rig(scripted.url, lambda: next(tokens)) as rig:
        await rig.live()
        await scripted.until(lambda: scripted.tokens == ["first", "second"])
        await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
    assert rig.lives == 1
    assert scripted.handshakes == 1


async def test_a_refresh_that_fails_is_tried_again_while_the_session_goes_on(
    scripted: ScriptedServer,
) -> None:
    asked = list[str]()

    def token() -> str:
        asked.append("once more")
        if len(asked) in (2, 3):
            raise OSError("the token service is down")
        return f"token {len(asked)}"

    scripted.accepts = lambda token: Renewed(expires_in_seconds=2 if token == "token 1" else None)
    async with Rig(scripted.url, token) as rig:
        await rig.live()
        await scripted.until(lambda: scripted.tokens == ["token 1", "token 4"])
    assert rig.lives == 1
    assert rig.statuses == ["connecting", "live", "closed"]


async def test_an_expired_session_is_renewed_on_the_same_socket_and_announced_again(
    scripted: ScriptedServer,
) -> None:
    tokens = iter(["first", "second"])
    async with Rig(scripted.url, lambda: next(tokens)) as rig:
        rig.on_live.append(lambda: watch(rig, "lunch"))
        await rig.live()
        await scripted.until(lambda: bool(scripted.lines))
        await scripted.last.expire()
        await rig.until(lambda: rig.lives == 2)
        await rig.link.ask(WATCH_CONVERSATIONS, (), Empty())
    assert scripted.tokens == ["first", "second"]
    assert scripted.handshakes == 1
    assert scripted.lines[:2] == ["SUBSCRIBE /me/conversations/lunch"] * 2
    assert rig.statuses == ["connecting", "live", "connecting", "live", "closed"]


async def test_requests_wait_while_an_expired_session_is_renewed(
    scripted: ScriptedServer,
) -> None:
    fetched = asyncio.Event()
    tokens = list[str]()

    async def token() -> str:
        tokens.append("a token")
        if len(tokens) == 2:
            await fetched.wait()
        return f"token {len(tokens)}"

    async with Rig(scripted.url, token) as rig, asyncio.TaskGroup() as tasks:
        await rig.live()
        await scripted.last.expire()
        await rig.until(lambda: len(tokens) == 2 and not rig.link.live)
        asked = tasks.create_task(rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty()))
        await Rig.turn()
        assert "<Requests: 1 waiting" in repr(rig.link)
        fetched.set()
        await asked
    assert scripted.tokens == ["token 1", "token 2"]


async def test_renewals_that_do_not_last_are_paced(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url, lambda: "a token", backoff=Backoff(30, most=60)) as rig:
        await rig.live()
        await scripted.last.expire()
        await rig.until(lambda: rig.lives == 2)  # at once
        await scripted.last.expire()
        await rig.until(lambda: not rig.link.live)
        async with Rig(scripted.url, "another") as other:
            await other.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
        assert scripted.tokens == ["a token", "a token", "another"]


async def test_what_was_asked_soon_and_is_refused_with_401_is_asked_anew_by_its_asker(
    scripted: ScriptedServer,
) -> None:
    settled = list[object]()
    async with Rig(scripted.url) as rig:
        await rig.live()
        scripted.last.protocol.expire()
        rig.link.ask_soon(WATCH_CONVERSATION, ("lunch",), Empty(), settled.append)
        await rig.until(lambda: rig.lives == 2)
        await rig.link.ask(WATCH_CONVERSATIONS, (), Empty())
    assert settled == []
    assert scripted.lines == ["SUBSCRIBE /me/conversations"]


async def test_a_request_refused_with_401_is_sent_again_after_a_new_token(
    scripted: ScriptedServer,
) -> None:
    tokens = iter(["first", "second"])
    async with Rig(scripted.url, lambda: next(tokens)) as rig:
        await rig.live()
        scripted.last.protocol.expire()  # silently, as after a restart of the server
        await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
    assert scripted.tokens == ["first", "second"]
    assert rig.lives == 2


async def test_a_request_that_is_always_refused_with_401_fails_in_the_end(
    scripted: ScriptedServer,
) -> None:
    scripted.answers[WATCH_CONVERSATION] = Unauthorized("NOT_YOU")
    async with Rig(scripted.url) as rig:
        with pytest.raises(Unauthorized, match="NOT_YOU"):
            await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
        await rig.until(lambda: rig.link.live)
        await rig.link.ask(WATCH_CONVERSATIONS, (), Empty())


async def test_a_refused_str_token_ends_the_session(
    scripted: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    scripted.accepts = lambda token: None
    async with Rig(scripted.url, "geheim") as rig:
        with pytest.raises(SessionExpired, match="INVALID_TOKEN") as refused:
            await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
        await rig.until(lambda: isinstance(rig.ended, SessionExpired))
        assert "geheim" not in repr((rig.link, rig.link.__dict__, refused.value, rig.states))
    ours = [record for record in caplog.records if record.name != "websockets.server"]
    assert not [record for record in ours if "geheim" in record.getMessage()]
    assert scripted.tokens == ["geheim"]


async def test_the_third_fresh_token_that_is_refused_ends_the_session(
    scripted: ScriptedServer,
) -> None:
    scripted.accepts = lambda token: None
    tokens = iter("abcdef")
    async with Rig(scripted.url, lambda: next(tokens)) as rig:
        rig.link.want()
        await rig.until(lambda: rig.ended is not None)
    assert scripted.tokens == ["a", "b", "c"]
    assert isinstance(rig.ended, SessionExpired)
    assert "3 tokens in a row" in str(rig.ended)


async def test_a_refused_refresh_holds_requests_back_until_the_next_token(
    scripted: ScriptedServer,
) -> None:
    tokens = iter(["good 1", "bad", "good 2"])
    scripted.accepts = lambda token: (
        None if token == "bad" else Renewed(2 if token == "good 1" else None)
    )
    async with Rig(scripted.url, lambda: next(tokens)) as rig:
        await rig.live()
        await rig.until(lambda: rig.lives == 2)
        await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
    assert scripted.tokens == ["good 1", "bad", "good 2"]


async def test_a_server_that_cannot_check_tokens_is_left_and_tried_again(
    scripted: ScriptedServer,
) -> None:
    scripted.accepts = lambda token: (
        ServerFailed("STORAGE_UNAVAILABLE") if scripted.handshakes == 1 else Renewed()
    )
    async with Rig(scripted.url) as rig:
        await rig.live()
    assert rig.reasons == ["the server could not check the token (500 STORAGE_UNAVAILABLE)"]
    assert scripted.handshakes == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (BadRequest("INVALID_PARAMETERS", "token"), "for good (400 INVALID_PARAMETERS; token)"),
        (Forbidden("BANNED"), "for good (403 BANNED)"),
    ],
)
async def test_a_refusal_that_no_other_token_can_mend_ends_the_session(
    scripted: ScriptedServer, answer: RequestRefused, reason: str
) -> None:
    scripted.accepts = lambda token: answer
    async with Rig(scripted.url, lambda: "a token") as rig:
        rig.link.want()
        await rig.until(lambda: rig.ended is not None)
    assert isinstance(rig.ended, SessionExpired)
    assert reason in rig.ended.reason
    assert rig.states[-1] == ConnectionState(status="closed", reason=rig.ended.reason)
    assert len(scripted.tokens) == 1


async def test_an_answer_to_the_token_that_cannot_be_read_is_a_lost_connection(
    scripted: ScriptedServer,
) -> None:
    scripted.accepts = lambda token: (
        {"expiresInSeconds": "soon"} if scripted.handshakes == 1 else Renewed()
    )
    async with Rig(scripted.url) as rig:
        await rig.live()
    assert rig.reasons[0].startswith("the answer to POST /session/renew: Expected `float | null`")


async def test_trouble_with_the_next_token_is_shown_while_the_session_is_not_live(
    scripted: ScriptedServer,
) -> None:
    answers: list[str | Exception] = ["first", OSError("down"), "second"]

    def token() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with Rig(scripted.url, token) as rig:
        await rig.live()
        await scripted.last.expire()
        await rig.until(lambda: rig.lives == 2)
    reasons = [state.reason for state in rig.states if state.status == "connecting"]
    assert reasons[1] == "the session has expired"
    assert reasons[2] is not None
    assert reasons[2].endswith("token raised OSError")
    assert scripted.handshakes == 1


async def test_a_token_that_nobody_answers_for_is_shown_again_on_another_connection(
    scripted: ScriptedServer,
) -> None:
    scripted.accepts = lambda token: SILENCE if scripted.handshakes == 1 else Renewed()
    async with Rig(scripted.url, patience=0.1) as rig:
        await rig.live()
    assert rig.reasons == ["no answer to the token within 0.1 s"]


async def test_a_link_lost_while_a_token_is_fetched_does_not_wait_for_it(
    scripted: ScriptedServer,
) -> None:
    asked = list[str]()

    async def token() -> str:
        asked.append("a token")
        if len(asked) == 2:
            await asyncio.Event().wait()
        return f"token {len(asked)}"

    async with Rig(scripted.url, token) as rig:
        await rig.live()
        await scripted.last.expire()
        await rig.until(lambda: len(asked) == 2 and not rig.link.live)
        scripted.last.cut()
        await rig.until(lambda: rig.lives == 2)
    assert scripted.tokens == ["token 1", "token 3"]
