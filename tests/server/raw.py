"""A client that speaks raw frames and keeps all it hears: for what our own client never says."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

SOON = 5.0  # seconds

Json = Any  # of whatever shape: the point is to see what came


class Answer(NamedTuple):
    """The answer to a request."""

    status: int
    data: Json

    @property
    def code(self) -> str:
        """The error code of a refusal."""
        return str(self.data["errorCode"])


class RawClient:
    """One connection. `heard` has every frame that came so far, in order."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[Json] = []
        self._next = 0

    @property
    def events(self) -> list[Json]:
        """All events so far, in order."""
        return [event for frame in self.heard if frame[1] == "PUBLISH" for event in frame[2:]]

    async def say(self, method: str, path: str, data: Json = None) -> int:
        """Send a request; return its number."""
        seq, self._next = self._next, self._next + 1
        await self.socket.send(json.dumps([seq, method, path, {} if data is None else data, {}]))
        return seq

    async def say_raw(self, message: str | bytes) -> None:
        """Send anything."""
        await self.socket.send(message)

    async def ask(self, method: str, path: str, data: Json = None) -> Answer:
        """Send a request and hear its answer."""
        return await self.answer(await self.say(method, path, data))

    async def get(self, path: str, data: Json = None) -> Json:
        """Read something that must be readable."""
        answer = await self.ask("GET", path, data)
        assert answer.status == 200, answer
        return answer.data

    async def do(self, method: str, path: str, data: Json = None) -> Json:
        """Do something that must succeed."""
        answer = await self.ask(method, path, data)
        assert answer.status == 200, answer
        return answer.data

    async def answer(self, seq: int) -> Answer:
        """Hear the answer to a request; it may have come already."""

        def find() -> Json:
            for frame in self.heard:
                if frame[0] == seq and frame[1] != "PUBLISH":
                    return frame
            return None

        _, status, data = await self.until(find)
        return Answer(status, data)

    async def acknowledge(self) -> None:
        """Say that all that was pushed has arrived."""
        pushed = max((frame[0] for frame in self.heard if frame[1] == "PUBLISH"), default=0)
        await self.say_raw(json.dumps([pushed, "ACK"]))

    async def event(self, kind: str) -> Json:
        """Hear the first event of this type; it may have come already."""
        return await self.until(
            lambda: next((event for event in self.events if event["type"] == kind), None)
        )

    async def until(self, find: Callable[[], Json]) -> Json:
        """Listen until `find()` finds something among what was heard."""
        async with asyncio.timeout(SOON):
            while not (found := find()):
                self.heard.append(json.loads(await self.socket.recv()))
            return found

    async def settle(self) -> list[Json]:
        """Hear all that was sent before now; return the events since the last time."""
        before = len(self.events)
        await self.ask("GET", "/ping")
        return self.events[before:]

    async def closed(self) -> tuple[int, str]:
        """Listen until the server closes; return code and reason."""
        async with asyncio.timeout(SOON):
            with suppress(ConnectionClosed):
                while True:
                    self.heard.append(json.loads(await self.socket.recv()))
        assert self.socket.close_code is not None
        return self.socket.close_code, self.socket.close_reason or ""

    # What every story begins with

    async def renew(self, token: str = "") -> Answer:
        """Show a token."""
        return await self.ask("POST", "/session/renew", {"token": token})

    async def found(self, conversation: str, *others: str) -> None:
        """Make a conversation and take others in."""
        await self.do("POST", f"/conversations/{conversation}")
        me = [{"id": self.user, "method": "POST"}]
        actions = me + [{"id": other, "method": "POST"} for other in others]
        done = await self.do(
            "POST", f"/conversations/{conversation}/participants", {"actions": actions}
        )
        assert [answer["status"] for answer in done["responses"]] == [200] * len(actions)

    async def send(self, conversation: str, text: str, **more: Json) -> str:
        """Say something; return the message's id."""
        content = {"content": [{"type": "text", "children": [text]}], **more}
        sent = await self.do("POST", f"/conversations/{conversation}/messages", content)
        return str(sent["id"])

    @property
    def user(self) -> str:
        """Whose connection it is."""
        assert self.socket.request is not None
        return self.socket.request.path.partition("?")[0].rpartition("/")[2]


@asynccontextmanager
async def dial(
    url: str, user: str, app: str = "demo", client: str | None = None, **options: Json
) -> AsyncGenerator[RawClient]:
    """Connect without showing a token; `client` is the id that the official client gives itself."""
    address = f"{url.replace('http', 'ws', 1)}/public_api/v1/{app}/realtime/{quote(user, safe='')}"
    if client is not None:
        address += f"?talkjs-core=1.11.2&talkjs-client-id={client}"
    async with connect(address, max_size=None, **options) as socket:
        yield RawClient(socket)


@asynccontextmanager
async def join(
    url: str, user: str, token: str = "", *, create: bool = True, **options: Json
) -> AsyncGenerator[RawClient]:
    """Connect, show a token, and be a user."""
    async with dial(url, user, **options) as client:
        assert (await client.renew(token)).status == 200
        if create:
            await client.ask("POST", f"/users/{quote(user, safe='')}", {"name": user.title()})
        client.heard.clear()
        yield client
