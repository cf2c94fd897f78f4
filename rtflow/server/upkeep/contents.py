"""Contents: the bytes of uploads in their folder, compared with the rows that name them.

Not here: reading them; their names are their sums, so whoever doubts one can ask `sha256sum`.
"""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from rtflow.server.files import place_of
from rtflow.server.store.sqlite.visitor import Visitor, visiting
from rtflow.server.upkeep.amounts import amount

__all__ = ["Named", "complaints_of_contents", "named"]

NAMED: Final = "SELECT sha256, max(size), max(filename) FROM files GROUP BY sha256"
STILL: Final = "SELECT count(*) FROM files WHERE sha256 = ?1"
HELD: Final = (
    "SELECT h.message_id, h.token FROM message_files h WHERE"
    " NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = h.message_id)"
    " OR NOT EXISTS (SELECT 1 FROM files f WHERE f.token = h.token)"
)
MISJUDGED: Final = (
    "SELECT f.filename, f.unused_since IS NULL FROM files f WHERE (f.unused_since IS NULL) <>"
    " EXISTS (SELECT 1 FROM message_files h WHERE h.token = f.token)"
)


class Named(Struct, frozen=True):
    """A content that rows name, its size, and a name that somebody gave it."""

    sha256: str
    size: int
    filename: str


def named(visitor: Visitor) -> Iterator[Named]:
    """Return each content that a row names."""
    return (Named(*row) for row in visitor.rows(NAMED))


def complaints_of_contents(visitor: Visitor, folder: Path) -> Generator[str, None, str]:
    """Look for each content, and whether rows agree on who holds what. Returns what there is."""
    contents = total = 0
    for content in named(visitor):
        place = place_of(folder, content.sha256)
        contents, total = contents + 1, total + content.size
        try:
            there = place.stat().st_size
        except FileNotFoundError:
            if not _was_collected(visitor, content):
                yield f"{place}, the content of {content.filename!r}, is missing"
        except OSError as exc:
            yield f"the content of {content.filename!r} cannot be looked at: {exc}"
        else:
            if there != content.size:
                yield f"{place} has {there} bytes instead of {content.size}"
    for message, token in visitor.rows(HELD):
        yield f"message {message!r} holds the file {token!r}, and one of the two is not there"
    for filename, is_held in visitor.rows(MISJUDGED):
        yield f"the file {filename!r} is {'' if is_held else 'not '}kept as held by a message"
    return f"{amount(contents, 'content')}, {amount(total, 'byte')}"


def _was_collected(visitor: Visitor, content: Named) -> bool:
    """Tell whether a server has forgotten a file since the visitor came."""
    with visiting(visitor.file) as later:
        return later.number(STILL, content.sha256) == 0
