"""The whole application: mounted elsewhere, stopped, killed, and with clients that do not read."""

import asyncio
import gc
import logging
import socket
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain, repeat
from pathlib import Path

import pytest
import uvicorn
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Scope
from websockets.exceptions import ConnectionClosed, InvalidStatus

from rtflow.server import Settings, create_app, running, serve
from rtflow.server.gateway.limits import Limits
from rtflow.server.store.sqlite import store
from rtflow.testing import Link, ServerProcess
from rtflow.wire.cutting import text_frame
from tests.conformance.stores import turn
from tests.server.conftest import People
from tests.server.raw import SOON, RawClient, dial, join

LEFT = "websocket.disconnect"


@asynccontextmanager
async def hosted(app: ASGIApp) -> AsyncGenerator[str]:
    """Serve with a plain uvicorn, which knows nothing of ours."""
    config = uvicorn.Config(
        app, log_config=None, timeout_graceful_shutdown=1, ws_per_message_deflate=False
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve([listener]))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True


async def test_mounted_in_another_application_it_works_the_same() -> None:
    chat = create_app(Settings(database=":memory:"))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        async with chat.lifespan():
            yield

    outer = Starlette(routes=[Mount("/my/chat", chat)], lifespan=lifespan)
    async with hosted(outer) as url:
        address = f"{url}/my/chat"
        async with join(address, "al/ice") as alice, join(address, "bob") as bob:
            await alice.do("SUBSCRIBE", "/users", {"ids": ["bob"]})
            await bob.do("PUT", "/users/bob", {"name": "Bobby"})
            assert (await alice.event("user.edited"))["diff"] == {"name": "Bobby"}
            await alice.say_raw(b"binary")
            assert (await alice.answer(-1)).code == "INVALID_FRAME"
        with pytest.raises(InvalidStatus) as refused:
            async with dial(url, "alice"):
                pass
        assert refused.value.response.status_code in (403, 404)
        with pytest.raises(InvalidStatus) as refused:
            async with dial(address, "alice", "other"):
                pass
        assert refused.value.response.status_code == 404


async def test_under_another_host_a_deadline_closes_too() -> None:
    app = create_app(Settings(database=":memory:", authentication_timeout=0.1))
    async with hosted(app) as url, dial(url, "alice") as alice:
        assert (await alice.closed())[0] == 1008


async def test_an_app_that_was_not_started_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL):
        async with hosted(Starlette(routes=[Mount("/", create_app(Settings()))])) as url:
            with pytest.raises(InvalidStatus) as refused:
                async with dial(url, "alice"):
                    pass
    assert refused.value.response.status_code == 503


async def test_the_switch_interval_is_short_while_it_runs_and_then_as_before() -> None:
    before = sys.getswitchinterval()
    async with create_app(Settings(database=":memory:")).lifespan():
        assert sys.getswitchinterval() <= 0.0001
    assert sys.getswitchinterval() == before


async def test_garbage_is_sought_less_often_in_a_process_of_its_own_and_then_as_before() -> None:
    before, meanwhile = gc.get_threshold(), asyncio.get_running_loop().create_future()

    def listening(_host: str, _port: int) -> None:
        meanwhile.set_result(gc.get_threshold())

    settings = Settings(database=":memory:", port=0)
    async with asyncio.TaskGroup() as tasks:
        server = tasks.create_task(serve(settings, on_listening=listening))
        assert (await meanwhile)[0] >= 50_000
        server.cancel()
    assert gc.get_threshold() == before


async def test_what_a_body_raises_passes_a_lifespan_unchanged() -> None:
    with pytest.raises(KeyError):
        async with create_app(Settings(database=":memory:")).lifespan():
            raise KeyError


@pytest.mark.parametrize(
    ("secret", "words"), [(None, "DEVELOPMENT MODE"), ("short", "shorter than 32 bytes")]
)
async def test_a_server_that_is_open_to_guests_says_so_once(
    caplog: pytest.LogCaptureFixture, secret: str | None, words: str
) -> None:
    settings = Settings.model_validate({"database": ":memory:", "secret": secret})
    async with create_app(settings).lifespan():
        pass
    assert [words in record.message for record in caplog.records] == [True]
    assert "'short'" not in caplog.text


@pytest.mark.parametrize(("url", "warnings"), [(None, 1), ("https://chat.example.org", 0)])
async def test_a_server_for_others_says_when_it_does_not_know_its_name(
    caplog: pytest.LogCaptureFixture, url: str | None, warnings: int
) -> None:
    given = {"database": ":memory:", "secret": "x" * 32, "host": "0.0.0.0", "public_url": url}
    async with create_app(Settings.model_validate(given)).lifespan():
        pass
    assert ["public_url" in record.message for record in caplog.records] == [True] * warnings


async def test_a_stop_answers_what_was_begun_and_says_goodbye(tmp_path: Path) -> None:
    settings = Settings(database=str(tmp_path / "chat.db"), port=0)
    text = {"content": [{"type": "text", "children": ["hi"]}]}
    async with AsyncExitStack() as client:
        async with running(settings) as address:
            alice = await client.enter_async_context(join(address.url, "alice"))
            await alice.found("lunch")
            seqs = [
                await alice.say("POST", "/conversations/lunch/messages", text) for _ in range(500)
            ]
            await alice.answer(seqs[0])
        assert await alice.closed() == (1012, "the server restarts")
    answered = [frame[2]["id"] for frame in alice.heard if frame[0] in seqs and frame[1] == 200]
    async with running(settings) as address, join(address.url, "alice") as again:
        assert await everything_said(again) == answered


async def test_a_stop_waits_for_what_was_begun_also_when_no_more_could_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "MOST_WAITING", 3)
    settings = Settings(database=str(tmp_path / "chat.db"), port=0)
    shell = sqlite3.connect(tmp_path / "chat.db", isolation_level=None)
    async with AsyncExitStack() as client:
        async with running(settings) as address:
            alice = await client.enter_async_context(join(address.url, "alice"))
            shell.execute("BEGIN IMMEDIATE")  # so that commands wait
            seqs = [await alice.say("PUT", "/users/alice", {"name": "Ada"}) for _ in range(4)]
            assert (await alice.answer(seqs[3])).code == "TOO_BUSY"
            asyncio.get_running_loop().call_later(0.2, shell.close)
        assert [(await alice.answer(seq)).status for seq in seqs[:3]] == [200] * 3
        assert await alice.closed() == (1012, "the server restarts")
    assert "farewell" not in caplog.text


async def everything_said(client: RawClient) -> list[str]:
    """Page to the beginning; return the ids, oldest first."""
    page = await client.get("/me/conversations/lunch/messages", {"limit": 100})
    said = page["data"]
    while page["cursor"] is not None:
        more = {"limit": 100, "cursor": page["cursor"]}
        page = await client.get("/me/conversations/lunch/messages", more)
        said += page["data"]
    return [message["id"] for message in reversed(said)]


async def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    text = {"content": [{"type": "text", "children": ["hi"]}]}
    async with ServerProcess(tmp_path / "chat.db") as server:
        async with join(server.url, "alice") as alice:
            await alice.found("lunch")
            seqs = [
                await alice.say("POST", "/conversations/lunch/messages", text) for _ in range(300)
            ]
            await alice.answer(seqs[20])
            await server.kill()
            with pytest.raises(ConnectionClosed):
                await alice.answer(-1)  # which never comes: hear all that was said
        answered = [frame[2]["id"] for frame in alice.heard if frame[0] in seqs]
        await server.restart()
        async with join(server.url, "alice") as again:
            said = await everything_said(again)
    assert answered
    assert said[: len(answered)] == answered


class TestAClientThatDoesNotRead:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, max_outbox_bytes=64 * 1024)

    async def test_it_is_cut_off_and_nobody_else_waits_for_it(
        self, url: str, people: People, caplog: pytest.LogCaptureFixture
    ) -> None:
        alice, carol = await people("alice", "carol")
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect(("127.0.0.1", int(url.rpartition(":")[2])))
        small.setblocking(False)
        async with join(url, "bob", sock=small, max_queue=1) as bob:
            await alice.found("lunch", "bob", "carol")
            for client in (bob, carol):
                await client.do("SUBSCRIBE", "/me/conversations/lunch/messages")
            carol.heard.clear()
            sent = list[str]()
            async with asyncio.timeout(4 * SOON):
                while "cut off a connection of 'bob'" not in caplog.text:
                    sent.append(await alice.send("lunch", "x" * 10_000))
            await carol.settle()
            assert [event["messageId"] for event in carol.events] == sent
            with pytest.raises(ConnectionClosed):
                await bob.answer(-1)
        async with join(url, "bob") as again:
            page = await again.get("/me/conversations/lunch/messages")
            assert page["data"][0]["id"] == sent[-1]

    async def test_under_another_host_it_is_cut_off_too(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = create_app(Settings(database=":memory:", max_outbox_bytes=64 * 1024))
        async with hosted(app) as url, join(url, "alice") as alice:
            await alice.found("lunch")
            async with join(url, "alice", max_queue=1, close_timeout=0.1) as deaf:
                await deaf.do("SUBSCRIBE", "/me/conversations/lunch/messages")
                async with asyncio.timeout(4 * SOON):
                    while "cut off a connection of 'alice'" not in caplog.text:
                        await alice.send("lunch", "x" * 10_000)


class Impatient(Settings):
    """A server that waits for clients which take nothing, but not for long."""

    @property
    def limits(self) -> Limits:
        return replace(super().limits, standstill=0.3)


class TestAClientBehindASlowLink:
    @pytest.fixture
    def settings(self) -> Settings:
        return Impatient(database=":memory:", port=0, max_outbox_bytes=64 * 1024)

    async def talk(self, alice: RawClient) -> str:
        """Say more than the outbox holds, several times; return where to read it."""
        await alice.found("lunch")
        for number in range(60):
            await alice.send("lunch", str(number) + "x" * 9_000)
        return "/me/conversations/lunch/messages"

    async def test_it_hears_all_that_it_asks_for(
        self, url: str, people: People, caplog: pytest.LogCaptureFixture
    ) -> None:
        (alice,) = await people("alice")
        path = await self.talk(alice)
        async with Link("127.0.0.1", int(url.rpartition(":")[2])) as link:
            link.throttle(6_000_000, "down")
            async with join(link.url, "alice") as slow:
                pages = [await slow.say("GET", path, {"limit": 60}) for _ in range(12)]
                for seq in pages:
                    assert len((await slow.answer(seq)).data["data"]) == 60
        assert "cut off" not in caplog.text

    async def test_reads_that_wait_for_a_write_do_not_pile_up(
        self, url: str, people: People, caplog: pytest.LogCaptureFixture
    ) -> None:
        (alice,) = await people("alice")
        path = await self.talk(alice)
        async with Link("127.0.0.1", int(url.rpartition(":")[2])) as link:
            link.throttle(6_000_000, "down")
            async with join(link.url, "alice") as slow:
                await slow.say("PUT", "/users/alice", {"name": "Alicia"})
                pages = [await slow.say("GET", path, {"limit": 60}) for _ in range(12)]
                me = await slow.say("GET", "/users", {"ids": ["alice"]})
                assert (await slow.answer(me)).data["alice"]["name"] == "Alicia"
                order = [frame[0] for frame in slow.heard if frame[0] in pages]
                assert order == pages
        assert "cut off" not in caplog.text

    async def test_it_is_cut_off_when_it_takes_nothing_any_more(
        self, url: str, people: People, caplog: pytest.LogCaptureFixture
    ) -> None:
        (alice,) = await people("alice")
        path = await self.talk(alice)
        async with (
            Link("127.0.0.1", int(url.rpartition(":")[2])) as link,
            join(link.url, "alice", close_timeout=0.1) as slow,
        ):
            link.stall("down")
            for _ in range(40):
                await slow.say("GET", path, {"limit": 60})
            async with asyncio.timeout(4 * SOON):
                while "cut off a connection of 'alice'" not in caplog.text:
                    await alice.settle()
            link.resume()
            with pytest.raises(ConnectionClosed):
                await slow.answer(-1)


async def test_who_asks_very_much_at_once_lets_others_have_their_turn() -> None:
    app, asked, sent = create_app(Settings(database=":memory:")), 1000, list[Message]()
    ping = {"type": "websocket.receive", "text": '[7,"GET","/ping",{},{}]'}
    there = chain([{"type": "websocket.connect"}], repeat(ping, asked), [{"type": LEFT}])
    path = "/public_api/v1/demo/realtime/alice"
    scope: Scope = {"type": "websocket", "path": path, "headers": []}

    async def receive() -> Message:
        return next(there)  # without waiting, as from one read of a socket

    async def send(message: Message) -> None:
        sent.append(message)

    async with app.lifespan(), asyncio.TaskGroup() as tasks:
        serving, turns = tasks.create_task(app(scope, receive, send)), 0
        while not serving.done():
            await turn()
            turns += 1
    answers = len(sent)
    assert answers > asked - 50, "the last have nobody to go to"
    assert turns > asked / 100


async def test_who_asks_very_much_at_once_has_turns_like_others_under_our_own_host(
    people: People,
) -> None:
    (alice,) = await people("alice")
    loop, turns, asked = asyncio.get_running_loop(), 0, 3000
    answered = Counter[int]()  # by the turn of the loop
    going: asyncio.Handle | None = None

    def go_round() -> None:
        nonlocal turns, going
        turns += 1
        going = loop.call_soon(go_round)

    class Count(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            answered[turns] += 1

    wire, count = logging.getLogger("rtflow.wire.server"), Count()
    go_round()
    wire.addHandler(count)
    wire.setLevel(logging.DEBUG)
    try:
        pings = (b'[%d,"GET","/ping",{},{}]' % (1000 + n) for n in range(asked))
        alice.socket.transport.write(b"".join(text_frame(ping, bytes(4)) for ping in pings))
        await alice.answer(999 + asked)
    finally:
        assert going is not None
        going.cancel()
        wire.removeHandler(count)
        wire.setLevel(logging.NOTSET)
    assert answered.total() == asked
    assert max(answered.values()) <= 32


class TestRequestsInFlight:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, max_requests_in_flight=4)

    async def test_more_than_may_be_under_way_wait_and_are_all_done(self, people: People) -> None:
        (alice,) = await people("alice")
        writes = [
            await alice.say("PUT", "/users/alice", {"custom": {"n": str(n)}}) for n in range(200)
        ]
        last = await alice.say("GET", "/users", {"ids": ["alice"]})
        for seq in writes:
            assert (await alice.answer(seq)).status == 200
        assert (await alice.answer(last)).data["alice"]["custom"] == {"n": "199"}
