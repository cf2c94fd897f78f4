"""A multipart form with one file, read as it comes: bytes in, bytes of the file out. No I/O.

Not here: what is done with the file (uploads.py). Invariants: nothing of the file is kept, and of
all else a bounded piece; what the form says of itself is only believed as far as it has come.
"""

from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from rtflow.errors import BadRequest

__all__ = ["Form"]

MOST_PARTS: Final = 20
MOST_VALUE: Final = 1_000  # bytes of a part that is no file
ESCAPES: Final = (("%22", '"'), ("%0D", "\r"), ("%0A", "\n"))  # of names in forms of browsers


class Form:
    """The form of one request. `filename` is None until the part with the file has begun."""

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise _invalid("it is not `multipart/form-data` with a boundary")
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.media_type = ""
        self.is_complete = False
        self._parts, self._name = 0, ""
        self._headers: dict[str, bytes] = {}
        self._header, self._value = bytearray(), bytearray()
        self._field: bytearray | None = None  # what has come of a part; None: it is the file
        self._file: list[bytes] = []
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": lambda data, start, end: self._header.extend(
                        data[start:end]
                    ),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._begin_body,
                    "on_part_data": self._take,
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as exc:
            raise _invalid(str(exc)) from exc

    def feed(self, data: bytes) -> bytes:
        """Take a piece of the body; return what it has of the file. Raises `BadRequest`."""
        self._file.clear()
        try:
            self._parser.write(data)
        except FormParserError as exc:
            raise _invalid(str(exc)) from exc
        return b"".join(self._file)

    def finish(self) -> None:
        """The body has ended: refuse one that is not whole, or has no file."""
        if not self.is_complete:
            raise _invalid("it ends before its last boundary")
        if self.filename is None:
            raise _invalid("it has no part `file` with a filename")

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise _invalid(f"it has more than {MOST_PARTS} parts")
        self._headers.clear()

    def _end_header(self) -> None:
        self._headers[self._header.decode("latin-1").lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _begin_body(self) -> None:
        disposition = self._headers.get("content-disposition", b"").decode("latin-1")
        _, options = parse_options_header(disposition)
        self._name = options.get(b"name", b"").decode(errors="replace")
        filename = options.get(b"filename")
        if self._name != "file" or filename is None:
            self._field = bytearray()
            return
        if self.filename is not None:
            raise _invalid("it has more than one file")
        self._field = None
        self.filename = filename.decode(errors="replace")
        for escape, character in ESCAPES:
            self.filename = self.filename.replace(escape, character)
        declared = self._headers.get("content-type", b"").decode("latin-1")
        self.media_type = declared.partition(";")[0].strip().lower()

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._file.append(data[start:end])
        elif len(self._field) + end - start > MOST_VALUE:
            raise _invalid(f"a part that is no file has more than {MOST_VALUE} bytes")
        else:
            self._field += data[start:end]

    def _end_part(self) -> None:
        if self._field is not None:
            self.fields[self._name] = self._field.decode(errors="replace")

    def _end(self) -> None:
        self.is_complete = True


def _invalid(why: str) -> BadRequest:
    return BadRequest("INVALID_FORM", f"the form cannot be read: {why}")
