"""No token and no secret is ever shown: not in a log at any level, on either side, not in an error,
its traceback, an answer or a `repr`, whatever way a request goes wrong.

What must not be shown are the secret of the server and each token that is used here, good or bad;
of a token also its signature alone, which with the rest (who, until when) would make it whole.
"""

import asyncio
import base64
import io
import json
import logging
import traceback
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import httpx2
import pytest
from pydantic import SecretStr
from websockets.exceptions import WebSocketException

import rtflow
from rtflow.server import Settings, create_app, mint_token, running
from tests.cli.program import rtflow as run_rtflow
from tests.server.raw import dial

SECRET = "hush-hush-this-secret-is-marked-with-XYZZY"
DEAF = logging.Logger("the client of the tests, which shows what it sends", logging.CRITICAL + 1)
QUICK = rtflow.Backoff(first=0.01, most=0.02)


class Ear:
    """Hears everything that is logged or shown, and knows what must not be."""

    def __init__(self) -> None:
        self.heard = io.StringIO()
        self._hidden = {SECRET, base64.b64encode(SECRET.encode()).decode()}

    def hide(self, token: str) -> str:
        """Note a token that must not be heard."""
        signature = token.split(".")[2:3]
        self._hidden.update(it for it in (token, *token.splitlines(), *signature) if it)
        return token

    def hear(self, *shown: object) -> None:
        """Take what a user, or another client, could see."""
        for it in shown:
            if isinstance(it, BaseException):
                self.heard.writelines(traceback.format_exception(it))
            self.heard.write(f"{it} {it!r}\n")

    def leaks(self) -> list[str]:
        heard = self.heard.getvalue()
        return sorted(secret for secret in self._hidden if secret in heard)


@pytest.fixture
def ear() -> Iterator[Ear]:
    """Everything at every level, asyncio's debugging included; ours once more, told explicitly."""
    ear = Ear()
    handler = logging.StreamHandler(ear.heard)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    root, ours = logging.getLogger(), logging.getLogger("rtflow")
    before = root.level, ours.level
    root.addHandler(handler)
    root.setLevel(1)
    ours.setLevel(1)
    yield ear
    root.removeHandler(handler)
    root.setLevel(before[0])
    ours.setLevel(before[1])
    assert ear.leaks() == []


@pytest.fixture
async def url(ear: Ear) -> AsyncGenerator[str]:
    asyncio.get_running_loop().set_debug(True)
    settings = Settings(database=":memory:", port=0, secret=SecretStr(SECRET))
    ear.hear(settings, settings.model_dump(), settings.limits, create_app(settings))
    async with running(settings) as address:
        yield address.url


@asynccontextmanager
async def session(
    url: str, token: Callable[[], object] | str, ear: Ear, *, patience: float = 5
) -> AsyncGenerator[rtflow.Session]:
    """A session of Alice whose steps are heard, and its end."""
    try:
        async with rtflow.Session(
            url,
            app_id="demo",
            user_id="alice",
            token=token,  # type: ignore[arg-type]  # wrong ones, too
            reconnect=QUICK,
            request_timeout=patience,
        ) as alice:
            alice.connection.observe().subscribe(ear.hear, ear.hear)
            ear.hear(alice)
            yield alice
    except (rtflow.RtflowError, TypeError, ValueError) as exc:
        ear.hear(exc)


def good(ear: Ear, user: str = "alice", expires: float = 3600) -> str:
    return ear.hide(mint_token("demo", user, SECRET, expires=expires))


async def test_where_all_goes_well(url: str, ear: Ear) -> None:
    async with session(url, lambda: good(ear), ear) as alice:
        await alice.current_user.create_if_not_exists(name="Alice")
        lunch = alice.conversation("lunch")
        await lunch.create_if_not_exists()
        await lunch.participant("alice").create_if_not_exists()
        await lunch.send("hello")
        token = await alice.upload(b"a file", filename="a.txt")
        ear.hear([found async for found in alice.search_messages("hello")], lunch, token)
    assert "rtflow" in ear.heard.getvalue()
    assert "live" in ear.heard.getvalue()


def bad_tokens(ear: Ear) -> list[str]:
    whole = good(ear)
    head, claims, signature = whole.split(".")
    return [
        ear.hide(token)
        for token in (
            good(ear, expires=-60),
            good(ear, user="bob"),
            mint_token("other", "alice", SECRET),
            mint_token("demo", "alice", "another secret of more than 32 bytes"),
            f"{head}.{claims}.{signature}x",
            f"{head}.{signature}.{claims}-turned",
            "no-token-at-all-XYZZY",
            "XYZZY" * 5_000,
            "XYZZY with spaces\r\nX-Injected: yes",
            f"{whole}\n",
            "XYZZY-\ud800-surrogate",
        )
    ]


async def test_where_tokens_are_refused(url: str, ear: Ear) -> None:
    for token in bad_tokens(ear):
        async with session(url, token, ear) as alice:
            await alice.conversation("lunch").get()
        tokens = iter([token] * 10)
        async with session(url, partial(next, tokens), ear) as alice:
            ear.hear([found async for found in alice.search_messages("hello")])


def itself(value: object) -> object:
    return value


async def test_where_token_functions_fail(url: str, ear: Ear) -> None:
    good(ear)
    for wrong in (None, 7, b"XYZZY-bytes", [ear.hide("XYZZY-in-a-list")]):
        async with session(url, partial(itself, wrong), ear, patience=0.2) as alice:
            await alice.conversation("lunch").get()
    for no_source in (7, b"XYZZY-bytes", "", [ear.hide("XYZZY-in-another-list")]):
        with pytest.raises((TypeError, ValueError)) as refused:
            rtflow.Session(
                url,
                app_id="demo",
                user_id="alice",
                token=no_source,  # type: ignore[arg-type]  # that is what is tried
            )
        ear.hear(refused.value)


async def test_where_the_server_is_not_there(ear: Ear) -> None:
    for token in (good(ear), *bad_tokens(ear)):
        async with session("http://127.0.0.1:1", token, ear, patience=0.1) as alice:
            ear.hear([found async for found in alice.search_messages("hello")])
    async with session("http://127.0.0.1:1", good(ear), ear, patience=0.1) as alice:
        await alice.conversation("lunch").get()


async def test_where_frames_are_wrong(url: str, ear: Ear) -> None:
    for token in [good(ear), *bad_tokens(ear)[:-1]]:
        quoted = json.dumps(token)
        async with dial(url, "alice", logger=DEAF) as alice:
            for frame in (
                f'[1,"POST","/session/renew",{{"token":{quoted}',
                f'[2,"POST","/session/renew",{{"token":[{quoted}]}},{{}}]',
                f'[3,"POST","/session/renew",{{"token":{{{quoted}:1}}}},{{}}]',
                f'[4,"POST","/session/renew",{quoted},{{}}]',
                f'[5,"POST",{quoted},{{}},{{}}]',
                f'[6,{quoted},"/session/renew",{{}},{{}}]',
                f'[{quoted},"POST","/session/renew",{{}},{{}}]',
                f'[7,"GET","/users",{{"ids":[{quoted}]}},{{}}]',
            ):
                with suppress(WebSocketException):
                    await alice.say_raw(frame)
            with suppress(WebSocketException):
                await alice.ask("GET", "/ping")
            # What a client has sent in the place of a path is told to it, and to nobody else.
            ear.hear([frame for frame in alice.heard if frame[0] not in (5, 6)])


async def test_where_http_goes_wrong(url: str, ear: Ear) -> None:
    async with httpx2.AsyncClient(base_url=url) as client:
        for token in [good(ear), *bad_tokens(ear)[:7]]:
            for scheme in ("Bearer", "bearer ", "Basic", ""):
                headers = {"Authorization": f"{scheme} {token}".strip()}
                for path in ("me/messages/search", "me/conversations/search?limit=x", "nowhere"):
                    answer = await client.get(f"/public_api/v1/demo/{path}", headers=headers)
                    ear.hear(answer.text, answer.headers)
                answer = await client.post("/public_api/v1/demo/files", headers=headers)
                ear.hear(answer.text)


async def test_where_the_command_line_is_wrong(ear: Ear) -> None:
    token = good(ear)
    for arguments in (
        ("serve", "--secret", SECRET, "--port", "99999"),
        ("serve", "--secret", SECRET, "--database", "postgresql://x"),
        ("token", "--secret", SECRET, "--user", ""),
        ("get", "user", "bob", "--user", "alice", "--token", token, "--server", "http://[::1]:1x"),
    ):
        ended = await run_rtflow(*arguments)
        assert ended.status != 0
        ear.hear(ended.stdout, ended.stderr)
