"""Doctor: is all that a server has stored whole, and does it agree with itself?

Each check asks one question and answers in one line. All of them see one state of the database,
that of the moment when the first began, whatever a server writes meanwhile.

Not here: recounting (recount.py), the index of search (words.py), uploads (contents.py), showing it
(rtflow.cli).
Invariant: nothing is changed, and nothing repaired: what was damaged is not to be trusted because
a count was corrected.
"""

from collections.abc import Generator, Iterator
from typing import Final, TypeAlias

from msgspec import DecodeError, Struct

from rtflow.server.settings import Settings
from rtflow.server.store.interface import Entry, UnusableDatabase
from rtflow.server.store.sqlite.visitor import NEWEST_SCHEMA, Visitor, visiting
from rtflow.server.upkeep.amounts import amount
from rtflow.server.upkeep.contents import complaints_of_contents
from rtflow.server.upkeep.recount import Numbered, Room, Seat, complaints_of_room
from rtflow.server.upkeep.words import complaints_of_words
from rtflow.wire.codec import decoder

__all__ = ["Check", "examine"]

Complaints: TypeAlias = Generator[str, None, str]
"""Faults, one by one; then what is told when there was none."""

TOLD: Final = 3  # complaints of one check that are told in full

ROOMS: Final = "SELECT id, last_number, last_message_at, is_crowded FROM conversations"
NUMBERED: Final = (
    "SELECT number, created_at FROM messages WHERE conversation_id = ?1 ORDER BY created_at"
)
SEATS: Final = (
    "SELECT user_id, joined_at, read_number, deleted_unread, marked_unread, activity, is_unread"
    " FROM participants WHERE conversation_id = ?1"
)
REACTIONS: Final = (
    "SELECT r.message_id, r.emoji, count(*), coalesce((SELECT json_extract(t.value, '$[1]')"
    " FROM messages m, json_each(m.reactions) t"
    " WHERE m.id = r.message_id AND t.key = r.emoji), 0) AS kept"
    " FROM reactions r GROUP BY r.message_id, r.emoji HAVING count(*) <> kept"
    " UNION ALL SELECT m.id, t.key, 0, json_extract(t.value, '$[1]')"
    " FROM messages m, json_each(m.reactions) t WHERE m.reactions <> '{}' AND NOT EXISTS"
    " (SELECT 1 FROM reactions r WHERE r.message_id = m.id AND r.emoji = t.key)"
)

_entries = decoder(tuple[Entry, ...])


class Check(Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    """What it was."""

    told: str
    """What was found, in one line."""

    faults: int = 0
    """How many faults; 0 when all is well."""


def examine(settings: Settings | None = None) -> Iterator[Check]:
    """Check what a server with these `settings` has stored: one `Check` after the other.

    `settings` are those of the environment when not given; only `database` and `files` count. It
    changes nothing, and the server may run. It reads the whole database, so it takes as long as
    the disk needs, and blocks; of uploaded files it looks at the sizes. A database that cannot be
    opened at all is a fault of the first check.
    """
    settings = Settings() if settings is None else settings
    try:
        with visiting(settings.database) as visitor:
            folder = settings.file_folder
            assert folder is not None, "only a database in memory has none, and is no file"
            yield _check("database", _file(visitor))
            yield _check("pages", _pages(visitor))
            if visitor.schema < NEWEST_SCHEMA:
                yield Check("schema", f"{visitor.schema}; the next start makes it {NEWEST_SCHEMA}")
                return  # for the rest knows only what the newest has
            yield Check("schema", f"{visitor.schema}, the newest")
            yield _check("references", _references(visitor))
            yield _check("change log", _log(visitor))
            yield _check("unread counts", _rooms(visitor))
            yield _check("reactions", _reactions(visitor))
            yield _check("search", complaints_of_words(visitor))
            yield _check("files", complaints_of_contents(visitor, folder))
    except UnusableDatabase as exc:
        yield Check("database", str(exc), 1)


def _check(name: str, complaints: Complaints) -> Check:
    """Carry out a check. That it cannot be carried out is a fault, too."""
    told, faults = list[str](), 0
    try:
        while True:
            complaint = next(complaints)
            faults += 1
            if faults <= TOLD:
                told.append(complaint)
    except StopIteration as stop:
        if not faults:
            return Check(name, stop.value)
    except UnusableDatabase as exc:
        faults += 1
        told.append(exc.reason)
    if faults > len(told):
        told.append(f"and {faults - len(told)} more")
    return Check(name, "; ".join(told), faults)


def _file(visitor: Visitor) -> Complaints:
    yield from ()
    size = visitor.number("PRAGMA page_count") * visitor.number("PRAGMA page_size")
    return f"{visitor.file}, {size:,} bytes"


def _pages(visitor: Visitor) -> Complaints:
    yield from visitor.complaints()
    return "SQLite finds all of them whole"


def _references(visitor: Visitor) -> Complaints:
    for table, _, target, _ in visitor.rows("PRAGMA foreign_key_check"):
        yield f"a row of {table} refers to one of {target} that is not there"
    return "each leads somewhere"


def _log(visitor: Visitor) -> Complaints:
    first = last = 0
    for number, entries in visitor.rows("SELECT number, entries FROM log ORDER BY number"):
        if first and number != last + 1:
            yield f"after change {last} comes {number}"
        first, last = first or number, number
        try:
            _entries.decode(entries)
        except DecodeError as exc:
            yield f"change {number} cannot be read: {exc}"
    return f"{first:,} to {last:,} without a hole" if last else "nothing has happened yet"


def _rooms(visitor: Visitor) -> Complaints:
    rooms = seats = messages = 0
    for row in visitor.rows(ROOMS):
        room = Room(*row)
        numbered = [Numbered(*it) for it in visitor.rows(NUMBERED, room.id)]
        seated = [Seat(*it) for it in visitor.rows(SEATS, room.id)]
        yield from complaints_of_room(room, numbered, seated)
        rooms, seats, messages = rooms + 1, seats + len(seated), messages + len(numbered)
    there = f"{amount(rooms, 'conversation')} with {amount(messages, 'message')}"
    return f"as recounted: {seats:,} in {there}"


def _reactions(visitor: Visitor) -> Complaints:
    for message, emoji, there, kept in visitor.rows(REACTIONS):
        yield f"{emoji!r} was added to message {message!r} {there} times, not {kept}"
    return f"as recounted: {visitor.number('SELECT count(*) FROM reactions'):,}"
