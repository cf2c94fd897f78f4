"""Files: what was uploaded, by whom, and which messages hold it.

An upload is its sender's alone until a message holds it, and garbage when none has for a day: when
it was never sent, or when all that held it are deleted.

Not here: bytes (rtflow.server.files), names (filenames.py), types (media.py).
"""

from typing import Final

from msgspec import Struct

from rtflow.errors import BadRequest
from rtflow.model.content import Block, FileBlock
from rtflow.model.params import ValidateFile
from rtflow.server.domain.filenames import MAX_NAME, harmless, has_ending
from rtflow.server.domain.many import rows_among
from rtflow.server.domain.media import Subtype
from rtflow.server.domain.rules import Rules
from rtflow.server.store.interface import Outcome, Steps, one, rows, run
from rtflow.wire.endpoints import Done

__all__ = [
    "Stored",
    "add_file",
    "checked_name",
    "collect_files",
    "file_block",
    "file_by_token",
    "hold_files",
    "known_contents",
    "release_files",
    "too_large",
    "validate_file",
]

DAY: Final = 24 * 60 * 60 * 1000  # milliseconds

COLUMNS: Final = (
    "token, user_id, sha256, filename, size, media_type, subtype, width, height, duration, url"
)


class Stored(Struct, frozen=True):
    """`COLUMNS`, in their order. `media_type` is what it is served as."""

    token: str
    user_id: str
    sha256: str
    filename: str
    size: int
    media_type: str
    subtype: Subtype | None
    width: int | None
    height: int | None
    duration: float | None
    url: str

    def block(self) -> FileBlock:
        """Return it as a message shows it."""
        return FileBlock(
            file_token=self.token,
            url=self.url,
            size=self.size,
            filename=self.filename,
            subtype=self.subtype,
            width=self.width,
            height=self.height,
            duration=self.duration,
        )


# Before and at the upload


def validate_file(params: ValidateFile, rules: Rules) -> Steps[Done]:
    """Tell whether a file may be uploaded."""
    yield from ()
    checked_name(params.filename, rules)
    if params.filesize > rules.max_file_bytes:
        raise too_large(rules)
    return Done()


def checked_name(filename: str, rules: Rules) -> str:
    """Return the name that a file gets. Raises `BadRequest` for one that it may not have."""
    if len(filename) > MAX_NAME:
        raise BadRequest("FILENAME_TOO_LONG", f"a file name has at most {MAX_NAME} characters")
    name = harmless(filename)
    if rules.file_types is not None and not has_ending(name, rules.file_types):
        allowed = ", ".join(sorted(rules.file_types))
        raise BadRequest("FILE_TYPE_NOT_ALLOWED", f"files may end with: {allowed}")
    return name


def too_large(rules: Rules, status: int = 400) -> BadRequest:
    """Return the refusal of a file that is too large."""
    most = rules.max_file_bytes
    return BadRequest("FILE_TOO_LARGE", f"a file has at most {most} bytes", status=status)


def add_file(file: Stored, now: int) -> Steps[Outcome[None]]:
    """Take note of an upload whose content is in the vault."""
    yield from run(
        f"INSERT INTO files ({COLUMNS}, created_at, unused_since)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)",
        *(getattr(file, name) for name in Stored.__struct_fields__),
        now,
    )
    return Outcome(None)


# In messages


def file_block(actor: str, token: str) -> Steps[FileBlock]:
    """Return what a message of the actor shows of a file that he has uploaded.

    Raises `BadRequest` (`FILE_NOT_FOUND`) for a token that is nobody's, or somebody else's.
    """
    file = yield from file_by_token(token)
    if file is None or file.user_id != actor:
        raise BadRequest("FILE_NOT_FOUND", "you have not uploaded this file, or it has expired")
    return file.block()


def hold_files(message_id: str, content: tuple[Block, ...]) -> Steps[None]:
    """Let a message hold its files: when it is sent, and, after `release_files`, edited."""
    for token in {block.file_token for block in content if isinstance(block, FileBlock)}:
        yield from run(
            "INSERT INTO message_files (message_id, token) VALUES (?1, ?2)", message_id, token
        )
        yield from run("UPDATE files SET unused_since = NULL WHERE token = ?1", token)


def release_files(message_id: str, now: int) -> Steps[None]:
    """Let a message hold no files any more: when it is deleted, and before it is edited."""
    held = yield from rows(
        _Token, "SELECT token FROM message_files WHERE message_id = ?1", message_id
    )
    if not held:
        return
    yield from run("DELETE FROM message_files WHERE message_id = ?1", message_id)
    for it in held:
        yield from run(
            "UPDATE files SET unused_since = ?2 WHERE token = ?1 AND NOT EXISTS"
            " (SELECT 1 FROM message_files h WHERE h.token = ?1)",
            it.token,
            now,
        )


def file_by_token(token: str) -> Steps[Stored | None]:
    """Find a file."""
    return (yield from one(Stored, f"SELECT {COLUMNS} FROM files WHERE token = ?1", token))


# Garbage


def collect_files(now: int, most: int) -> Steps[Outcome[tuple[int, frozenset[str]]]]:
    """Forget files that nothing has held for a day; so many at once.

    Returns how many, and the contents (sha256) that no other file has.
    """
    found = yield from rows(
        _Token,
        "SELECT token, sha256 FROM files WHERE unused_since < ?1 ORDER BY unused_since LIMIT ?2",
        now - DAY,
        most,
    )
    for file in found:
        yield from run("DELETE FROM files WHERE token = ?1", file.token)
    contents = {file.sha256 for file in found}
    known = yield from known_contents(tuple(contents))
    return Outcome((len(found), frozenset(contents - known)))


def known_contents(contents: tuple[str, ...]) -> Steps[frozenset[str]]:
    """Return those of these contents (sha256) that a file has."""
    found = yield from rows_among(
        _Content, "SELECT DISTINCT sha256 FROM files WHERE sha256 IN ({ids})", ids=contents
    )
    return frozenset(it.sha256 for it in found)


class _Content(Struct, frozen=True):
    sha256: str


class _Token(Struct, frozen=True):
    token: str
    sha256: str = ""
