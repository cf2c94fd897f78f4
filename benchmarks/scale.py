"""What does it cost that there is much? The same request of one user, among few and among many.

Here "bare" is the small case and "rtflow" the large one; both are asked of one `rtflow serve`, on a
bare socket, one request at a time, in turns. The file is seeded as the first schema has it, in
bulk, and opened once: that fills in what later schemas keep.
"""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from importlib.resources import files
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import bare
from benchmarks.measure import Line, Side, compare
from benchmarks.programs import Running, rtflow_server
from rtflow.server.store.sqlite.database import APPLICATION, open_database

FEW, MANY = 10, 100_000  # conversations of one user
SMALL, LARGE = 10, 10_000  # participants of one conversation
SHORT, LONG = 100, 200_000  # messages of one conversation; a million takes a minute to seed
UNREAD = 5  # conversations with unread messages, among few and among many
ONLINE = 20  # connections that watch while somebody says something
BATCH = 100  # joinings in one request
REQUESTS = 100  # timed together
NOON = 1_700_000_000_000  # unix ms
TEXT = '[{"type":"text","children":["Soup today?"]}]'

Json = Any  # whatever an answer holds


# Seeding


def seed(file: Path) -> None:
    """Make a database of the first schema, fill it, and bring it up to date."""
    schema = files("rtflow.server.store.sqlite") / "schema" / "0001.sql"
    with closing(sqlite3.connect(file, isolation_level=None)) as to:
        to.executescript(schema.read_text(encoding="utf-8"))
        to.executescript(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 1; BEGIN")
        crowd = [f"user{n}" for n in range(LARGE)]
        guests = [f"guest{n}" for n in range(BATCH)]
        _users(to, ["few", "many", "reader", *crowd, *guests])
        for who, rooms in (("few", FEW), ("many", MANY)):
            for n in range(rooms):
                room = f"{who}{n}"
                _conversation(to, room, [who, crowd[n % LARGE]], messages=1, at=NOON + n)
            to.execute("UPDATE participants SET read_number = 1 WHERE user_id = ?1", (who,))
            to.execute(
                "UPDATE participants SET read_number = 0 WHERE user_id = ?1 AND conversation_id IN"
                " (SELECT p.conversation_id FROM participants p WHERE p.user_id = ?1"
                " ORDER BY p.joined_at LIMIT ?2)",
                (who, UNREAD),
            )
        for room, size in (("small", SMALL), ("large", LARGE)):
            _conversation(to, room, crowd[:size], messages=1, at=NOON)
        for room, size in (("joined-small", SMALL), ("joined-large", LARGE)):
            _conversation(to, room, crowd[:size], messages=1, at=NOON)
        for room, length in (("short", SHORT), ("long", LONG)):
            _conversation(to, room, ["reader"], messages=length, at=NOON)
        to.execute("COMMIT")
    open_database(file).close()


def _users(to: sqlite3.Connection, ids: list[str]) -> None:
    to.executemany(
        "INSERT INTO users VALUES (?1, ?1, 'default', '{}', NULL, NULL, NULL, '[]', '[]', '{}', 1)",
        [(id,) for id in ids],
    )


def _conversation(
    to: sqlite3.Connection, id: str, participants: list[str], *, messages: int, at: int
) -> None:
    to.execute(
        "INSERT INTO conversations VALUES (?1, ?1, NULL, '[]', '{}', ?2, ?3, ?4, ?5)",
        (id, at, participants[0], messages, at + messages),
    )
    to.executemany(
        "INSERT INTO participants (conversation_id, user_id, access, notify, joined_at,"
        " read_number, read_until) VALUES (?1, ?2, 'ReadWrite', 'true', ?3, 0, ?3)",
        [(id, user, at - n) for n, user in enumerate(participants)],
    )
    to.executemany(
        "INSERT INTO messages VALUES (?1, ?2, ?3, ?4, NULL, ?5, 'web', NULL, ?6, '{}')",
        [(f"{id}/{n}", id, n, at + n, participants[0], TEXT) for n in range(1, messages + 1)],
    )


# Asking


class Client:
    """One user's bare socket: a request, its answer, and whatever else comes is let go."""

    def __init__(self, socket: bare.Connection) -> None:
        self._socket, self._seq = socket, count()

    async def ask(self, method: str, path: str, params: Json = None) -> Json:
        """Ask, and wait for the answer."""
        seq = next(self._seq)
        data = msgspec.Raw(msgspec.json.encode(params or {}))
        await self._socket.send(msgspec.json.encode(bare.Ask(seq, method, path, data)), text=True)
        while True:
            frame = msgspec.json.decode(await self._socket.recv(), type=list[msgspec.Raw])
            if len(frame) == 3 and int(bytes(frame[0])) == seq and bytes(frame[1]) != b'"PUBLISH"':
                assert bytes(frame[1]) == b"200", bytes(frame[2])
                return msgspec.json.decode(frame[2])

    async def listen(self) -> None:
        """Take all that comes."""
        async for _ in self._socket:
            pass


@asynccontextmanager
async def client(server: Running, user: str) -> AsyncIterator[Client]:
    """Connect as a user."""
    url = f"{server.url.replace('http', 'ws', 1)}/public_api/v1/demo/realtime/{user}"
    async with bare.dial(url) as socket:
        it = Client(socket)
        await it.ask("POST", "/session/renew", {"token": ""})
        yield it


async def each(ask: Callable[[], Awaitable[Json]], times: int = REQUESTS) -> float:
    """Return the µs that one request takes."""
    start = time.perf_counter()
    for _ in range(times):
        await ask()
    return (time.perf_counter() - start) * 1e6 / times


def read(who: Client, path: str, items: int, **params: Json) -> Side:
    """Read a page that must have so many items."""

    async def ask() -> None:
        page = await who.ask("GET", path, params)
        assert len(page["data"]) == items, page

    return lambda: each(ask)


@asynccontextmanager
async def said(server: Running, room: str, size: int) -> AsyncIterator[Side]:
    """Say something in a conversation that many connections watch, the same number in each."""
    people = [f"user{n}" for n in range(min(size, ONLINE))]
    text = {"content": [{"type": "text", "children": ["Soup today?"]}]}
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        speaker = await stack.enter_async_context(client(server, people[0]))
        listening: list[asyncio.Task[None]] = []
        for person in islice(cycle(people), ONLINE):
            watcher = await stack.enter_async_context(client(server, person))
            for path in (f"/me/conversations/{room}", f"/me/conversations/{room}/messages"):
                await watcher.ask("SUBSCRIBE", path)
            listening.append(tasks.create_task(watcher.listen()))
        yield lambda: each(lambda: speaker.ask("POST", f"/conversations/{room}/messages", text))
        for task in listening:
            task.cancel()


def join(who: Client, room: str) -> Side:
    """Let a batch of guests in; afterwards, out again."""
    path = f"/conversations/{room}/participants"
    guests = [f"guest{n}" for n in range(BATCH)]
    actions = {"actions": [{"id": guest, "method": "POST"} for guest in guests]}

    async def batch() -> float:
        took = await each(lambda: who.ask("POST", path, actions), 1)
        for guest in guests:
            await who.ask("DELETE", f"{path}/{guest}")
        return took

    return batch


async def lines() -> list[Line]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rtflow.db"
        seed(file)
        async with (
            rtflow_server(file) as server,
            client(server, "few") as few,
            client(server, "many") as many,
            client(server, "reader") as reader,
            client(server, "user0") as user,
            said(server, "large", LARGE) as said_to_many,
            said(server, "small", SMALL) as said_to_few,
        ):
            mine, unread = "/me/conversations", {"isUnread": True}
            return [
                await line(
                    "list10",
                    f"first 10 of my conversations, among {MANY:,} and {FEW}",
                    read(many, mine, 10, limit=10),
                    read(few, mine, 10, limit=10),
                ),
                await line(
                    "list20",
                    f"first 20 of {MANY:,} conversations, against all of {FEW}",
                    read(many, mine, 20, limit=20),
                    read(few, mine, 10, limit=20),
                ),
                await line(
                    "unread",
                    f"my {UNREAD} unread conversations, among {MANY:,} and {FEW}",
                    read(many, mine, UNREAD, limit=20, filter=unread),
                    read(few, mine, UNREAD, limit=20, filter=unread),
                ),
                await line(
                    "participants",
                    f"first 10 participants, of {LARGE:,} and {SMALL}",
                    read(user, f"{mine}/large/participants", 10, limit=10),
                    read(user, f"{mine}/small/participants", 10, limit=10),
                ),
                await line(
                    "send",
                    f"send() to {LARGE:,} participants and {SMALL}, on {ONLINE} connections",
                    said_to_many,
                    said_to_few,
                ),
                await line(
                    "window30",
                    f"newest 30 messages, of {LONG:,} and {SHORT}",
                    read(reader, f"{mine}/long/messages", 30, limit=30),
                    read(reader, f"{mine}/short/messages", 30, limit=30),
                ),
                await line(
                    "join100",
                    f"{BATCH} joinings in one request, to {LARGE:,} participants and {SMALL}",
                    join(user, "joined-large"),
                    join(user, "joined-small"),
                ),
            ]


async def line(name: str, question: str, large: Side, small: Side) -> Line:
    """Compare the two cases."""
    ours, plain = await compare(large, small)
    return Line(
        name=name, question=question, unit="µs", ours=ours, bare=plain, goal=1.5, better="lower"
    )
