"""Worker: one user who writes as fast as he is answered, for many lives of a server.

What he had asked for when the server died he asks for again in its next life, as a client does that
reconnects; it must then be so once, not twice.

Not here: what must be true afterwards (ledger.py), killing (kills.py).
"""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from random import Random
from typing import Any
from urllib.parse import quote

import httpx2
from msgspec import Struct
from websockets.exceptions import WebSocketException

from tests.server.http.uploading import upload
from tests.server.raw import RawClient, join
from tests.torture.ledger import Ledger, Thing, Value

__all__ = ["ROOMS", "Worker"]

ROOMS = ("lunch", "town")  # of few, and of a crowd
EMOJI = "👍"
BURST = 12
LARGEST_UPLOAD = 600_000  # bytes: some pieces


class Said(Struct, frozen=True):
    """A message of his. `mark` is his own name for it, from before it has an id."""

    mark: str
    room: str
    id: str


class Deed(Struct, frozen=True):
    """A request, what it makes of which things, and what a repeat of it may be told."""

    method: str
    path: str
    data: Any  # as it travels
    makes: tuple[tuple[Thing, Value], ...]
    repeated: int = 200
    sends: tuple[str, str] | None = None  # mark and room


class Worker:
    """A user. `faults` are answers that ought not to be."""

    def __init__(self, user: str, ledger: Ledger, random: Random) -> None:
        self.user, self.faults = user, list[str]()
        self.answered = self.repeated = 0
        self._ledger, self._random = ledger, random
        self._numbers = itertools.count(1)
        self._waiting: list[Deed] = []
        self._said: list[Said] = []

    async def live(self, url: str, began: Callable[[], object]) -> None:
        """Work until the server dies. `began` is called when he is connected."""
        headers = {"Authorization": f"Bearer development:{self.user}"}
        try:
            async with (
                httpx2.AsyncClient(base_url=url, headers=headers) as http,
                join(url, self.user, create=False, close_timeout=0.1) as me,
            ):
                try:
                    for room in ROOMS:
                        await me.do("SUBSCRIBE", f"/me/conversations/{room}/messages")
                    began()
                    again, self._waiting = self._waiting, []
                    self.repeated += len(again)
                    await self._carry_out(me, again)
                    while True:
                        await self._do_something(me, http)
                finally:
                    self._hear(me)
        except TimeoutError:
            self.faults.append(f"{self.user} got no answer in time")
        except (WebSocketException, OSError, httpx2.HTTPError):
            return

    async def _do_something(self, me: RawClient, http: httpx2.AsyncClient) -> None:
        choice = self._random.random()
        if choice < 0.4 or not self._said:
            count = self._random.choice((1, 1, 1, BURST))
            await self._carry_out(me, [self._send() for _ in range(count)])
        elif choice < 0.5:
            await self._upload(me, http)
        else:
            make = self._random.choice(
                (self._edit, self._edit, self._delete, self._react, self._rename, self._read)
            )
            await self._carry_out(me, [make(self._random.choice(self._said[-20:]))])

    # Deeds

    def _send(self, block: Any = None, text: str = "") -> Deed:  # Any: as it travels
        mark = f"{self.user} {next(self._numbers)}"
        room = self._random.choice(ROOMS)
        text = text or f"{mark}: hello {self._random.randrange(10**6)}"
        block = block or {"type": "text", "children": [text]}
        key = mark.replace(" ", "-")
        data = {"content": [block], "custom": {"mark": mark}, "idempotencyKey": key}
        made = ((("message", mark), text),)
        return Deed("POST", f"/conversations/{room}/messages", data, made, sends=(mark, room))

    def _edit(self, said: Said) -> Deed:
        text = f"{said.mark}: no, {self._random.randrange(10**6)}"
        data = {"content": [{"type": "text", "children": [text]}]}
        return Deed("PATCH", path_of(said), data, ((("message", said.mark), text),))

    def _delete(self, said: Said) -> Deed:
        self._said.remove(said)
        gone = ((("message", said.mark), None), (("reaction", said.mark), None))
        return Deed("DELETE", path_of(said), None, gone, repeated=404)

    def _react(self, said: Said) -> Deed:
        adds = self._random.random() < 0.7
        path = f"{path_of(said)}/reactions/{quote(EMOJI)}/{quote(self.user)}"
        made = ((("reaction", said.mark), self.user if adds else None),)
        return Deed("PUT" if adds else "DELETE", path, None, made, 200 if adds else 404)

    def _rename(self, _said: Said) -> Deed:
        name = f"{self.user} {self._random.randrange(10**6)}"
        return Deed("PUT", f"/users/{self.user}", {"name": name}, ((("name", self.user), name),))

    def _read(self, said: Said) -> Deed:
        which = self._random.choice(("read", "unread"))
        return Deed("POST", f"/me/conversations/{said.room}/{which}", None, ())

    async def _upload(self, me: RawClient, http: httpx2.AsyncClient) -> None:
        content = self._random.randbytes(self._random.randrange(LARGEST_UPLOAD))
        thing = ("upload", hashlib.sha256(content).hexdigest())
        self._ledger.ask(thing, self.user)
        response = await upload(http, "a.bin", content)
        if response.status_code != 200:
            self.faults.append(f"an upload was answered with {response.status_code}")
            return
        self.answered += 1
        token = str(response.json()["fileToken"])
        self._ledger.settle(thing, self.user)
        block = {"type": "file", "fileToken": token}
        await self._carry_out(me, [self._send(block, token)])

    # Carrying them out

    async def _carry_out(self, me: RawClient, deeds: Sequence[Deed]) -> None:
        """Ask for all, then hear all answers."""
        self._waiting += deeds
        for deed in deeds:
            for thing, value in deed.makes:
                self._ledger.ask(thing, value)
        asked = [await me.say(deed.method, deed.path, deed.data) for deed in deeds]
        for deed, seq in zip(deeds, asked, strict=True):
            status, data = await me.answer(seq)
            self._waiting.remove(deed)
            self.answered += 1
            if status not in (200, deed.repeated):
                self.faults.append(f"{deed.method} {deed.path} was answered with {status} {data}")
                continue
            for thing, value in deed.makes:
                self._ledger.settle(thing, value)
            if deed.sends is not None:
                self._said.append(Said(*deed.sends, data["id"]))

    def _hear(self, me: RawClient) -> None:
        """Take note of what he was told, by anybody."""
        for event in me.events:
            if event["type"] == "message.created":
                self._ledger.tell(("message", event["state"]["custom"]["mark"]))


def path_of(said: Said) -> str:
    return f"/conversations/{said.room}/messages/{said.id}"
