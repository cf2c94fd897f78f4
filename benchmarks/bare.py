"""The bare loop: `websockets` and `msgspec`, nothing between. Our figures are measured against it.

Run as a program it is the server: it answers, pushes and broadcasts, with no state and no rules.
"""

import asyncio
import sys
from contextlib import suppress

import msgspec
from msgspec import Raw, Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import broadcast
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

__all__ = ["Ask", "Connection", "Entity", "Reply", "dial"]

Connection = ClientConnection


class Entity(Struct, frozen=True, rename="camel"):
    """Twelve fields, about 300 bytes as JSON: the size of a conversation on the wire."""

    id: str
    subject: str
    custom: dict[str, str]
    created_at: int
    joined_at: int
    last_message_at: int
    unread_message_count: int
    is_unread: bool
    read_until: int
    everyone_read_until: int
    access: str
    notify: bool


class Ask(Struct, frozen=True, array_like=True):
    """What a client sends."""

    seq: int
    method: str
    path: str
    data: Raw = Raw(b"{}")


class Reply(Struct, frozen=True, array_like=True):
    """What it gets."""

    seq: int
    status: int
    data: Raw


ENTITY = Entity(
    "lunch", "Lunch", {"team": "red"}, *(1_700_000_000_000,) * 3, 3, True, 0, 0, "ReadWrite", True
)
_ask = msgspec.json.Decoder(Ask)
_encode = msgspec.json.Encoder().encode


def dial(url: str) -> connect:
    """Connect as the bare loop does."""
    return connect(url, compression=None, ping_interval=None)


async def answer(connection: ServerConnection) -> None:
    """GET: the entity. PUSH n: n events, a frame each. SAY: the same frame to everybody."""
    event = _encode(ENTITY)
    with suppress(ConnectionClosed):
        async for message in connection:
            ask = _ask.decode(message)
            match ask.method:
                case "PUSH":
                    for number in range(msgspec.json.decode(ask.data, type=int)):
                        await connection.send(b'[%d,"PUBLISH",%b]' % (number, event), text=True)
                case "SAY":
                    everybody = connection.server.connections
                    broadcast(everybody, (b'[1,"PUBLISH",%b]' % event).decode())
                case _:
                    await connection.send(
                        _encode(Reply(ask.seq, 200, Raw(_encode(ENTITY)))), text=True
                    )


async def main() -> None:
    """Serve on a free port until killed; say which."""
    server: Server
    async with serve(answer, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    with suppress(ImportError):
        import uvloop

        uvloop.run(main())
        sys.exit()
    asyncio.run(main())
