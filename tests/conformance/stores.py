"""What the conformance suite needs of a kind of store: opening it, and making its storage fail."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from rtflow.model.entities import User
from rtflow.model.events import UserCreated
from rtflow.server.store.interface import (
    Change,
    Command,
    Entry,
    Outcome,
    Reading,
    Steps,
    Store,
    one,
    rows,
    run,
)
from rtflow.server.store.sqlite import SqliteStore, open_sqlite

T = TypeVar("T")


@dataclass
class Kind:
    """One kind of store. `path` is where it keeps its state, None when it forgets."""

    path: Path | None
    published: list[Change] = field(default_factory=list[Change])
    opened: list[SqliteStore] = field(default_factory=list[SqliteStore])

    async def open(self, publish: Callable[[Sequence[Change]], None] | None = None) -> Store:
        """Open it, or open it again."""
        store = await open_sqlite(self.path or ":memory:", publish or self.published.extend)
        self.opened.append(store)
        return store

    def fail(self) -> None:
        """Let every write of the store fail from now on."""
        self.opened[-1].database.writer.execute("PRAGMA query_only = ON")

    def mend(self) -> None:
        """Let writes be possible again."""
        self.opened[-1].database.writer.execute("PRAGMA query_only = OFF")

    async def close(self) -> None:
        """Close all that was opened."""
        for store in self.opened:
            await store.close()


def submitted(store: Store, command: Command[T]) -> "asyncio.Future[Reading[T]]":
    """Submit a command; the future is its answer."""
    answer: asyncio.Future[Reading[T]] = asyncio.get_running_loop().create_future()

    def settle(given: Reading[T] | Exception) -> None:
        if isinstance(given, Exception):
            answer.set_exception(given)
        else:
            answer.set_result(given)

    store.submit(command, settle)
    return answer


async def turn() -> None:
    """Let the loop turn once."""
    loop = asyncio.get_running_loop()
    turned = loop.create_future()
    loop.call_soon(turned.set_result, None)
    await turned


class Name(Struct, frozen=True):
    """A row of the table that the suite plays with."""

    name: str


class Count(Struct, frozen=True):
    """A number of rows."""

    count: int


def write(name: str) -> Steps[None]:
    """Put a row into the database."""
    yield from run(
        "INSERT INTO users (id, name, role, custom, email, phone, push_tokens, created_at)"
        " VALUES (?1, ?1, 'default', '{}', '[]', '[]', '{}', 0)",
        name,
    )


def entry(name: str) -> Entry:
    """Return an entry that tells of a row."""
    return Entry(UserCreated(user_id=name, state=User(id=name, name=name, role="default")))


def add(name: str) -> Command[str]:
    """Make a command that writes a row and tells of it."""

    def command() -> Steps[Outcome[str]]:
        yield from write(name)
        return Outcome(name, (entry(name),))

    return command


def names() -> Steps[list[str]]:
    """Ask for all rows."""
    return [row.name for row in (yield from rows(Name, "SELECT name FROM users ORDER BY name"))]


def count() -> Steps[int]:
    """Ask how many rows there are."""
    found = yield from one(Count, "SELECT count(*) FROM users")
    assert found is not None
    return found.count


def ignore(changes: Sequence[Change]) -> None:
    """Publish to nobody."""
