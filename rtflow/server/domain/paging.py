"""Cursors: a place in a list, as an opaque string: base64 of JSON, read back into the same type."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import Annotated, TypeVar

from msgspec import UNSET, DecodeError, Meta, Struct, UnsetType
from msgspec.json import Decoder

from rtflow.errors import BadRequest
from rtflow.wire.codec import encode

__all__ = ["LATEST", "Position", "Time", "place", "resume"]

LATEST = 2**53 - 1  # milliseconds: later than anything
Time = Annotated[int, Meta(ge=0, le=LATEST)]

P = TypeVar("P", bound="Position")


class Position(Struct, frozen=True, array_like=True):
    """Base of all places; each list has its own, with a tag, so that cursors cannot be mixed up."""


def place(position: Position) -> str:
    """Return the cursor for a place."""
    return urlsafe_b64encode(encode(position)).decode()


def resume(decoder: Decoder[P], cursor: str | UnsetType | None) -> P | None:
    """Return the place of a cursor; None without one. Raises `BadRequest` for what is no cursor."""
    if cursor is None or cursor is UNSET:
        return None
    try:
        return decoder.decode(urlsafe_b64decode(cursor))
    except (DecodeError, Error, ValueError, RecursionError) as exc:
        raise BadRequest(
            "INVALID_CURSOR", "use the cursor of the page before, as it is, or none"
        ) from exc
