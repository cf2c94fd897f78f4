"""The server of python-socketio, to be measured beside ours: it answers, and tells everybody.

Hosted as ours is: uvicorn, uvloop, `websockets` without compression.
"""

import importlib
import socket
from typing import Any

import msgspec
import uvicorn

from benchmarks import bare


def main() -> None:
    """Serve on a free port until killed; say which."""
    library: Any = importlib.import_module("socketio")  # Any: it is optional, and has no types
    server = library.AsyncServer(async_mode="asgi")
    entity = msgspec.to_builtins(bare.ENTITY)

    @server.event  # type: ignore[untyped-decorator] # it has no types
    async def get(_sid: str, _id: str) -> object:
        return entity

    @server.event  # type: ignore[untyped-decorator] # it has no types
    async def say(sid: str, _text: str) -> None:
        await server.emit("said", entity, skip_sid=sid)

    config = uvicorn.Config(
        library.ASGIApp(server),
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="error",
    )
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        print(listener.getsockname()[1], flush=True)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
