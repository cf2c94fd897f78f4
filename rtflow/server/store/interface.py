"""What the server needs of a database: durable commands, reads at a known number, a change log.

A *command* is a generator of statements: it decides in plain Python and does no I/O itself, so the
same command runs on every store. It is made by a factory because it may have to run again. It
refuses (raises a `RequestRefused`) before its first write; whatever it wrote then commits together
with its entries, or not at all. A *joint* command can be carried out in one go with its like.

Guarantees that every store gives, proven by tests/conformance:
* A command is settled only after its writes are durable. Numbers follow commits, without holes.
* Changes are published in number order, before their command is settled, in the same turn.
* A read sees the state after exactly the number it returns, and everything settled before it began.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from msgspec import UNSET, Struct, UnsetType

from rtflow.errors import RequestRefused, RtflowError
from rtflow.model.events import Event
from rtflow.server.figures import StoreFigures

__all__ = [
    "Change",
    "Command",
    "Entry",
    "Joint",
    "Outcome",
    "ReactionsTouched",
    "Reading",
    "SideTouched",
    "Statement",
    "Steps",
    "Store",
    "Touched",
    "UnusableDatabase",
    "one",
    "rows",
    "run",
    "run_late",
    "run_many",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
S = TypeVar("S")


class UnusableDatabase(RtflowError):
    """A database that cannot be opened, or must not be touched; `what_to_do` says how to go on."""

    def __init__(self, database: str, reason: str, what_to_do: str) -> None:
        super().__init__(database, reason, what_to_do)
        self.database, self.reason, self.what_to_do = database, reason, what_to_do

    def __str__(self) -> str:
        return f"cannot use the database {self.database}: {self.reason}; {self.what_to_do}"


class SideTouched(Struct, frozen=True, tag_field="type", tag="side.touched", rename="camel"):
    """Somebody's view of a conversation changed in ways that are read when it is delivered.

    `user_id` null: every participant's (a message came). The node that delivers turns it into one
    `side.edited` with absolute values per online participant, so a message costs O(online), not
    O(participants).
    """

    conversation_id: str
    user_id: str | None = None


class ReactionsTouched(
    Struct, frozen=True, tag_field="type", tag="reactions.touched", rename="camel"
):
    """An emoji was added to a message, or taken from it: how often it is there now, and whether the
    receiver added it, is read when it is delivered, as one `message.edited` for each."""

    conversation_id: str
    message_id: str
    emoji: str


Touched: TypeAlias = SideTouched | ReactionsTouched
"""What each receiver is told in his own way."""


class Entry(Struct, frozen=True, omit_defaults=True, gc=False):
    """One event of a change. `to`: only this user's connections; unset: all whom it entitles."""

    event: Event | Touched
    to: str | UnsetType = UNSET


class Change(Struct, frozen=True, gc=False):
    """What one command did: its number in the log, and its events in order."""

    number: int
    entries: tuple[Entry, ...]


class Statement(Struct, frozen=True, gc=False):
    """One SQL statement with `?1`-style parameters. `kind` makes what a row becomes of its columns.

    `many`: instead of `args`, to write once with each of these. `is_late`: it may wait until the
    end of the transaction, behind those of later commands.
    """

    sql: str
    args: tuple[Any, ...]  # Any: what the driver binds (str, int, float, bytes, None)
    kind: Callable[..., Any] | None  # Any: mostly a Struct, whose fields are the columns
    many: Sequence[tuple[Any, ...]] | None = None
    is_late: bool = False


Steps: TypeAlias = Generator[Statement, Any, T]  # Any: the rows that the statement's kind promises


def one(kind: Callable[..., S], sql: str, *args: object) -> Steps[S | None]:
    """Ask for one row, or None."""
    found: list[S] = yield Statement(sql, args, kind)
    return found[0] if found else None


def rows(kind: Callable[..., S], sql: str, *args: object) -> Steps[list[S]]:
    """Ask for all rows."""
    found: list[S] = yield Statement(sql, args, kind)
    return found


def run(sql: str, *args: object) -> Steps[None]:
    """Write."""
    yield Statement(sql, args, None)


def run_many(sql: str, many: Sequence[tuple[object, ...]]) -> Steps[None]:
    """Write once with each of these, in order."""
    if many:
        yield Statement(sql, (), None, many)


def run_late(sql: str, many: Sequence[tuple[object, ...]]) -> Steps[None]:
    """Do the same with what no command reads, nor depends on: at the end of the transaction if that
    is better.

    SQLite's full-text index spills what it has gathered at each savepoint, so at each command.
    """
    yield Statement(sql, (), None, many, is_late=True)


class Outcome(Struct, Generic[T], frozen=True):
    """What a command returns: the answer, and what to tell whom. No entries: nothing changed."""

    result: T
    entries: tuple[Entry, ...] = ()


class Joint(Struct, Generic[T], frozen=True):
    """A command that may be carried out in one go with others, if they have the same `work` and
    follow one another in the queue.

    `work` takes the parts of all of them, and returns for each what comes of it: just what would
    come of each alone, one after the other. Refusals are returned, before the first write.
    """

    work: Callable[[Sequence[Any]], Steps[list[Outcome[T] | RequestRefused]]]
    part: Any  # what the work is done with; each work has a kind of its own

    def __call__(self) -> Steps[Outcome[T]]:
        """Do it alone, like any command."""
        (outcome,) = yield from self.work((self.part,))
        if isinstance(outcome, RequestRefused):
            raise outcome
        return outcome


class Reading(Struct, Generic[T], frozen=True):
    """A value, and the number of the last change that it includes."""

    value: T
    number: int


Command: TypeAlias = Callable[[], Steps[Outcome[T]]]
Query: TypeAlias = Callable[[], Steps[T]]
Settle: TypeAlias = Callable[[Reading[T] | Exception], None]
Publish: TypeAlias = Callable[[Sequence[Change]], None]


class Store(Protocol):
    """A database. Made open; `close` finishes what was submitted."""

    @property
    def number(self) -> int:
        """The number of the last committed change; 0 when there is none."""
        ...

    @property
    def figures(self) -> StoreFigures:
        """What it has done so far."""
        ...

    @property
    def waiting(self) -> int:
        """How many commands wait."""
        ...

    def submit(self, command: Command[T], settle: Settle[T]) -> None:
        """Run a command. Commands of one caller run in the order of their calls.

        `settle` is called once, on the loop, with the result and its number (for a command that
        changed nothing: a number that includes all it saw), or with the exception. Never waits.
        """
        ...

    async def read(self, query: Query[T]) -> Reading[T]:
        """Run a query that only reads, on the last committed state."""
        ...

    async def search(self, query: Query[T]) -> Reading[T]:
        """Run a query that may take long, as `read` does, beside all else.

        Being cancelled stops it. It still ought to look at a bounded piece at a time: those of
        several callers take turns.
        """
        ...

    async def changes(self, after: int, limit: int = 1000) -> Sequence[Change] | None:
        """Return the changes above a number, in order; None when the log does not reach back."""
        ...

    async def changes_at(self, numbers: Sequence[int]) -> Sequence[Change]:
        """Return the changes with these numbers, in order, as far as the log still has them."""
        ...

    async def close(self) -> None:
        """Commit what was submitted, then let go of the database. Idempotent."""
        ...
