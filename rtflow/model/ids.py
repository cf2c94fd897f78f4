"""Ids: what may name a user, a conversation or a message. Checked at the call and by the server."""

from typing import Annotated

from msgspec import Meta

__all__ = ["MAX_ID_LENGTH", "ConversationId", "Id", "MessageId", "UserId", "checked_id"]

MAX_ID_LENGTH = 255  # characters

type_of_id = Meta(min_length=1, max_length=MAX_ID_LENGTH)
Id = Annotated[str, type_of_id]
UserId = str
ConversationId = str
MessageId = str


def checked_id(value: object, what: str) -> str:
    """Return `value` if it can be an id: 1 to 255 characters of valid unicode.

    Raises `TypeError` when it is not a string and `ValueError` when it is empty, too long or has
    lone surrogates; both name `what`.
    """
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a str, not {type(value).__name__}: {value!r}")
    if not 1 <= len(value) <= MAX_ID_LENGTH:
        raise ValueError(
            f"{what} must have 1 to {MAX_ID_LENGTH} characters, not {len(value)}: {value[:40]!r}"
        )
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as exc:
            raise ValueError(f"{what} is not valid unicode: {value!r}") from exc
    return str(value)
