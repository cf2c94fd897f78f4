"""The websocket endpoint: one connection over ASGI, from the handshake to its end.

    <where the app is mounted>/public_api/v1/{app}/realtime/{user}

Under our own host a connection has one task, which waits for its end: messages are handed over as
they come, and frames are written without waiting. Under another one that task reads, and a second
one writes (outlet.py). Our own host also notices a client that is gone without a word; of another
one that is not known, so there a client has to say something from time to time, as clients do.

Not here: what a client says (peer.py), tokens (session.py).
Invariant: when the callable returns, nothing of its connection is left.
"""

import asyncio
import logging
from asyncio import TaskGroup
from collections.abc import Collection
from functools import partial
from urllib.parse import parse_qs

from starlette.types import Message, Receive, Scope, Send

from rtflow.errors import Forbidden, RequestRefused, ServerFailed, TooManyRequests
from rtflow.server.gateway.node import Node
from rtflow.server.gateway.outlet import AsgiOutlet, Outlet, TransportOutlet
from rtflow.server.gateway.peer import Peer
from rtflow.server.gateway.transport import SILENT, Transport, transport_of
from rtflow.server.http.requests import ids_in, refused, require_app
from rtflow.server.store.awaited import committed, nothing
from rtflow.wire.server import ServerProtocol

__all__ = ["Endpoint"]

logger = logging.getLogger(__name__)

AGAIN = 0.01  # seconds until a store that was full is asked again
TURN = 32  # messages of one client, after which others have theirs
LONGEST_CLIENT_ID = 64  # characters; they are the digits of a number
RESTART = 1012, "the server restarts"


class Endpoint:
    """The ASGI application for websockets. `origins`: whose pages may connect; None: any."""

    def __init__(self, node: Node, origins: frozenset[str] | None = None) -> None:
        self._node, self._origins = node, origins
        self._peers = set[Peer]()
        self._is_leaving = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        await receive()  # websocket.connect
        try:
            user_id = self._admitted(scope)
        except RequestRefused as error:
            self._refused(error, scope)
            await refuse(scope, receive, send, error)
            return
        address = address_in(scope)
        if (refusal := self._node.admission.refusal(address)) is not None:
            self._refused(refusal.error, scope)
            await refuse(scope, receive, send, refusal.error, refusal.retry_after)
            return
        self._node.admission.enter(address)
        try:
            await self._serve(user_id, scope, receive, send)
        finally:
            self._node.admission.leave(address)

    async def _serve(self, user_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection that was let in."""
        figures = self._node.figures
        figures.connections += 1
        logger.debug("%r has connected from %s", user_id, address_in(scope) or "somewhere")
        await send({"type": "websocket.accept"})
        protocol = ServerProtocol()
        limits, on_stuck = self._node.limits, partial(self._is_stuck, user_id)
        if (transport := transport_of(scope)) is not None:
            outlet = TransportOutlet(protocol, limits, figures, on_stuck, transport)
            peer = Peer(self._node, user_id, protocol, outlet, client_id_in(scope))
            self._listen(peer, outlet, transport)
            await self._converse(peer, receive)
        else:
            plain = AsgiOutlet(protocol, limits, figures, on_stuck, send)
            peer = Peer(self._node, user_id, protocol, plain, client_id_in(scope))
            async with TaskGroup() as tasks:
                heard = impatient(receive, limits.silence)
                reader = tasks.create_task(self._converse(peer, heard))
                writer = tasks.create_task(plain.run())
                reader.add_done_callback(lambda _: writer.cancel())
                writer.add_done_callback(lambda _: reader.cancel())

    async def drain(self) -> None:
        """Carry out what clients have asked so far and nothing more, answer it, say goodbye."""
        self._is_leaving = True
        try:
            await self._settled()
        finally:
            for peer in list(self._peers):
                peer.leave(*RESTART)

    async def _settled(self) -> None:
        """Wait until all that was submitted is settled, well or not."""
        while True:
            try:
                await committed(self._node.store, nothing)
            except TooManyRequests:  # it cannot even be asked; soon it can
                await asyncio.sleep(AGAIN)
            except RequestRefused:  # for the same reason as what was before it
                return
            else:
                return

    def _listen(self, peer: Peer, outlet: Outlet, transport: Transport) -> None:
        """Have messages handed over as they come, a turn's worth at a time, and held while the peer
        is full."""
        loop, taken = asyncio.get_running_loop(), 0

        def take(message: str | None) -> None:
            nonlocal taken
            if self._is_leaving:  # who gets no answer asks again elsewhere
                return
            outlet.gather()
            peer.receive(message)
            taken += 1
            if peer.is_full:
                transport.hold()
                peer.when_room(go_on)
            elif taken % TURN == 0:
                transport.hold()
                loop.call_soon(go_on)

        def go_on() -> None:
            if peer.is_full:
                peer.when_room(go_on)
            else:
                transport.go_on()

        transport.hand_to(take, outlet.let_go)

    async def _converse(self, peer: Peer, receive: Receive) -> None:
        """Read what is not handed over, until the connection ends.

        What is there already is received without waiting: the thousands of messages that one read
        of a socket may bring would be one turn of the loop.
        """
        self._peers.add(peer)
        taken = 0
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                if not self._is_leaving:
                    peer.receive(message.get("text"))
                    if peer.is_full:
                        await peer.room()
                taken += 1
                if taken % TURN == 0:
                    await asyncio.sleep(0)
            if message.get("reason") == SILENT:
                self._node.figures.cut_off[SILENT] += 1
            code, words = message.get("code", 1006), message.get("reason") or "no reason given"
            logger.debug("a connection of %r has ended with %d (%s)", peer.user_id, code, words)
        finally:
            self._peers.discard(peer)
            peer.end()

    def _admitted(self, scope: Scope) -> str:
        """Return whose connection it is to be. Raises what the handshake is refused with."""
        app_id, user_id = ids_in(scope, "public_api", "v1", None, "realtime", None)
        require_app(scope, app_id, self._node.authenticator)
        origin = origin_in(scope)
        if origin is not None and self._origins is not None and origin not in self._origins:
            raise Forbidden("FORBIDDEN_ORIGIN", f"pages of {origin[:100]!r} may not connect")
        if self._is_leaving:
            raise ServerFailed("SHUTTING_DOWN", "the server is stopping", status=503)
        if self._node.is_full(user_id):
            raise ServerFailed(
                "TOO_MANY_CONNECTIONS", "this user has too many connections", status=503
            )
        return user_id

    @property
    def peers(self) -> Collection[Peer]:
        """The connections that there are. Not to be changed."""
        return self._peers

    def _refused(self, error: RequestRefused, scope: Scope) -> None:
        self._node.figures.refused_handshakes[error.code] += 1
        logger.debug(
            "refused a handshake from %s: %s", address_in(scope) or "somewhere", error.code
        )

    def _is_stuck(self, user_id: str, waiting: int) -> None:
        logger.warning("cut off a connection of %r, which left %d bytes unread", user_id, waiting)


def address_in(scope: Scope) -> str:
    """Return the client's address; empty when unknown."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def origin_in(scope: Scope) -> str | None:
    """Return whose page connects; None: it is no browser."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    given = [value for name, value in headers if name == b"origin"]
    return given[-1].decode("latin-1").lower() if given else None


def client_id_in(scope: Scope) -> str | None:
    """Return the id that the official client gives itself, the same on all its connections."""
    query: bytes = scope.get("query_string", b"")
    (given, *_) = parse_qs(query.decode("latin-1")).get("talkjs-client-id", [""])
    return given if 0 < len(given) <= LONGEST_CLIENT_ID else None


def impatient(receive: Receive, seconds: float) -> Receive:
    """Make a `receive` that takes silence for the end of the connection."""

    async def receive_in_time() -> Message:
        try:
            async with asyncio.timeout(seconds):
                return await receive()
        except TimeoutError:
            return {"type": "websocket.disconnect", "code": 1006, "reason": SILENT}

    return receive_in_time


async def refuse(
    scope: Scope,
    receive: Receive,
    send: Send,
    refusal: RequestRefused,
    retry_after: int | None = None,
) -> None:
    """Refuse a handshake: with a status that says why, if the host can do that (else it is 403)."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await refused(refusal, retry_after)(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.code})
