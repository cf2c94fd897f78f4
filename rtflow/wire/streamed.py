"""Streamed pages: what a search finds, line by line, as it is found (protocol.md 8.1).

    {"data":[
    {...}
    ,{...}
    ],"cursor":"..."}

Not here: HTTP. The lines make up one JSON document, but each can be read as soon as it is there,
whatever the pieces in which it comes. Whole documents without these lines can be read as well.
"""

from typing import Final, Generic, TypeVar

from msgspec import Raw, Struct

from rtflow.errors import InvalidFrame
from rtflow.model.entities import Message
from rtflow.wire.codec import MAX_SERVER_FRAME, decode_part, decoder

__all__ = ["FoundConversation", "FoundMessage", "StreamedPage"]

T = TypeVar("T")


class FoundMessage(Message, frozen=True, kw_only=True):
    """A message, and the id of the conversation that it is in."""

    conversation_id: str


class FoundConversation(Struct, frozen=True):
    """A conversation; a server may send all of it, but only the id counts."""

    id: str


class RawPage(Struct, frozen=True):
    """The last line, or all of a page. `cursor` is absent when there is no more."""

    data: tuple[Raw, ...]
    cursor: str | None = None


_page = decoder(RawPage)
START: Final = b'{"data":['


class StreamedPage(Generic[T]):
    """Reads one page: bytes in, items out. `cursor` is known when it was read to its end."""

    def __init__(self, kind: type[T]) -> None:
        self._item = decoder(kind)
        self._first: bytes | None = None  # line
        self._part = bytearray()  # of a line, or all that follows the items
        self._has_items = self._is_after_items = False
        self.cursor: str | None = None

    def feed(self, piece: bytes) -> list[T]:
        """Take a piece, and return the items that it completes. Raises `InvalidFrame`."""
        found: list[T] = []
        *lines, rest = piece.split(b"\n")
        for line in lines:
            self._part += line
            found += self._take_line()
        self._part += rest
        if len(self._part) > MAX_SERVER_FRAME:
            raise InvalidFrame(f"a line of a page has at most {MAX_SERVER_FRAME} bytes")
        return found

    def end(self) -> list[T]:
        """There is no more to feed. Raises `InvalidFrame` when the page is not whole."""
        found = self._take_line()
        if self._is_after_items:
            document = START + self._part
        elif self._first is not None and not self._has_items:  # perhaps all is on one line
            document = self._first
        else:
            raise InvalidFrame("the page broke off before its end")
        page = decode_part(_page, document)
        self.cursor = page.cursor
        return [*found, *(decode_part(self._item, item) for item in page.data)]

    def _take_line(self) -> list[T]:
        line = bytes(self._part).strip()
        if self._is_after_items or not line:
            return []
        if line.startswith(b"]") and self._first is not None:
            self._is_after_items = True
            return []
        self._part.clear()
        if self._first is None:
            self._first = line
            return []
        self._has_items = True
        return [decode_part(self._item, line.removeprefix(b","))]
