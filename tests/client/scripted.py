"""A real websocket server that does what a test tells it, and a link that remembers.

The server speaks `rtflow.wire.server`; what it answers is a table that a test may change.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus
from typing import Any, ClassVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from rtflow.client.address import Address
from rtflow.client.backoff import Backoff
from rtflow.client.connection import Heartbeat
from rtflow.client.credentials import Credentials, Token
from rtflow.client.link import Link
from rtflow.errors import RequestRefused, RtflowError, Unauthorized
from rtflow.model.events import Event, SessionExpiredEvent, UserDiff, UserEdited
from rtflow.model.snapshots import ConnectionState
from rtflow.testing.waiting import Bell
from rtflow.wire import codec
from rtflow.wire.endpoints import PING, RENEW, AnyEndpoint, Done, Renewed
from rtflow.wire.server import Call, ServerProtocol

SILENCE: Any = object()  # in `answers`: this request gets no answer


class Peer:
    """One connection, as the server sees it."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.protocol = ServerProtocol()
        self.calls = list[Call]()
        self.frames = list[str | bytes]()
        self.closed = False

    @property
    def path(self) -> str:
        assert self.socket.request is not None
        return self.socket.request.path

    @property
    def lines(self) -> list[str]:
        """What was asked, without renew and ping."""
        return [line(call) for call in self.calls if call.endpoint not in (RENEW, PING)]

    def asked(self, endpoint: AnyEndpoint) -> list[Call]:
        return [call for call in self.calls if call.endpoint is endpoint]

    async def flush(self) -> None:
        for frame in self.protocol.data_to_send():
            await self.socket.send(frame, text=True)

    async def answer(self, call: Call, result: Any = Done()) -> None:  # noqa: B008 - frozen
        self.protocol.answer(call.seq, result)
        await self.flush()

    async def refuse(self, call: Call, error: RequestRefused) -> None:
        self.protocol.refuse(call.seq, error)
        await self.flush()

    async def publish(self, *events: Event) -> None:
        self.protocol.publish([codec.encode(event) for event in events])
        await self.flush()

    async def expire(self) -> None:
        await self.publish(SessionExpiredEvent())
        self.protocol.expire()

    def cut(self) -> None:
        self.socket.transport.abort()


class ScriptedServer:
    """Answers by `answers` (a result, a refusal, a function of the call), else with `Done()`."""

    def __init__(self) -> None:
        self.peers = list[Peer]()
        self.answers: dict[AnyEndpoint, Any] = {}  # whatever the endpoint's result is
        self.accepts: Callable[[str], Any] = lambda token: Renewed()  # None: it is refused
        self.handshake: tuple[int, dict[str, str]] | None = None
        self.handshakes = 0
        self.boken: tuple[int, str] = (200, '{"boken": "a boken"}')
        self.bokens = list[str]()
        self.port = 0
        self.bell = Bell()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Peer:
        return self.peers[-1]

    @property
    def lines(self) -> list[str]:
        return [line for peer in self.peers for line in peer.lines]

    @property
    def tokens(self) -> list[str]:
        """The tokens that were shown."""
        return [call.params.token for peer in self.peers for call in peer.asked(RENEW)]

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.bell.wait(condition, 5.0, lambda: f"not so: {self.lines}, {self.tokens}")

    async def serve(self, socket: ServerConnection) -> None:
        peer = Peer(socket)
        self.peers.append(peer)
        self.bell.ring()
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                peer.frames.append(message)
                call = peer.protocol.receive(message)
                if call is not None:
                    self.take(peer, call)
                    peer.calls.append(call)
                await peer.flush()
                self.bell.ring()
        peer.closed = True
        self.bell.ring()

    def take(self, peer: Peer, call: Call) -> None:
        if call.endpoint is RENEW:
            answer: Any = self.accepts(call.params.token)
            if isinstance(answer, Renewed):
                peer.protocol.accept()
            elif answer is None:
                answer = Unauthorized("INVALID_TOKEN", "it is not valid")
        else:
            answer = self.answers.get(call.endpoint, Done())
            if callable(answer):
                answer = answer(call)
        if isinstance(answer, RequestRefused):
            peer.protocol.refuse(call.seq, answer)
        elif answer is not SILENCE:
            peer.protocol.answer(call.seq, answer)

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if "/bokens/" in request.path:
            self.bokens.append(request.path)
            status, body = self.boken
            return connection.respond(HTTPStatus(status), body)
        self.handshakes += 1
        self.bell.ring()
        if self.handshake is None:
            return None
        status, headers = self.handshake
        response = connection.respond(HTTPStatus(status), "no")
        response.headers.update(headers)
        return response

    async def stop(self, server: Server) -> None:
        for peer in self.peers:
            peer.cut()
        server.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def scripted_server() -> AsyncGenerator[ScriptedServer]:
    script = ScriptedServer()
    server = await serve(
        script.serve,
        "127.0.0.1",
        0,
        process_request=script.admit,
        compression=None,
        ping_interval=None,
        close_timeout=0.1,
    )
    script.port = next(iter(server.sockets)).getsockname()[1]
    try:
        yield script
    finally:
        await script.stop(server)


class Rig:
    """A link that runs, and what it said. `ended` is what `run()` raised."""

    running: ClassVar[set["Rig"]] = set()

    def __init__(
        self,
        url: str,
        token: Token = "a token",
        *,
        request_timeout: float = 5.0,
        backoff: Backoff = Backoff(first=0.01, most=0.02),  # noqa: B008 - frozen
        heartbeat: Heartbeat = Heartbeat(),  # noqa: B008 - frozen
        patience: float = 5.0,
        chance: Callable[[], float] = lambda: 0.5,
    ) -> None:
        address = Address.of(url, "demo")
        self.events = list[tuple[Event, ...]]()
        self.states = list[ConnectionState]()
        self.on_live = list[Callable[[], None]]()
        self.on_events = list[Callable[[tuple[Event, ...]], None]]()
        self.lives = 0
        self.ended: BaseException | None = None
        self.bell = Bell()
        self.link = Link(
            address,
            "alice",
            Credentials(token, address, "alice"),
            request_timeout=request_timeout,
            backoff=backoff,
            on_events=self.take_events,
            on_live=self.become_live,
            on_state=self.take_state,
            heartbeat=heartbeat,
            patience=patience,
            chance=chance,
        )

    @property
    def statuses(self) -> list[str]:
        return [state.status for state in self.states]

    @property
    def reasons(self) -> list[str]:
        return [state.reason for state in self.states if state.status == "waiting" and state.reason]

    def take_events(self, events: tuple[Event, ...]) -> None:
        self.events.append(events)
        for callback in self.on_events:
            callback(events)
        self.bell.ring()

    def become_live(self) -> None:
        self.lives += 1
        for callback in self.on_live:
            callback()
        self.bell.ring()

    def take_state(self, state: ConnectionState) -> None:
        self.states.append(state)
        self.bell.ring()

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.bell.wait(condition, 5.0, lambda: f"not so: {self.link!r} {self.states}")

    @staticmethod
    async def turn() -> None:
        """Let the loop turn once."""
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, None)
        await future

    async def live(self) -> None:
        """Wait until it is live, wanting it."""
        self.link.want()
        await self.until(lambda: self.link.live)

    async def keep(self) -> None:
        try:
            await self.link.run()
        except RtflowError as exc:
            self.ended = exc
        finally:
            self.bell.ring()

    async def __aenter__(self) -> "Rig":
        self.tasks = asyncio.TaskGroup()
        await self.tasks.__aenter__()
        self.task = self.tasks.create_task(self.keep())
        self.running.add(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.link.close()
        await self.tasks.__aexit__(None, None, None)
        self.running.remove(self)
        assert self.running or timers() == []


def timers() -> list[str]:
    """The timers of the client that run on this loop: after the end there is none."""
    loop: Any = asyncio.get_running_loop()  # asyncio shows them nowhere else
    return [
        repr(handle)
        for handle in loop._scheduled
        if not handle.cancelled() and handle._callback.__module__.startswith("rtflow.client")
    ]


def line(call: Call) -> str:
    return f"{call.endpoint.method} {call.endpoint.path(*call.ids)}"


def edited(name: str) -> UserEdited:
    """An event that tests can tell from others."""
    return UserEdited(user_id="alice", diff=UserDiff(name=name))


async def outcome(rig: Rig, endpoint: AnyEndpoint, ids: tuple[str, ...], params: Any) -> Any:
    try:
        return await rig.link.ask(endpoint, ids, params)
    except RtflowError as exc:
        return exc
