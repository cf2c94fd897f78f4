"""Translations: what there is to translate, and how an application does it.

Not here: when and for how long it may work (gateway/translator.py).
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from rtflow.model.content import Block
from rtflow.server.domain.conversations import standing_of
from rtflow.server.domain.many import rows_among
from rtflow.server.domain.permissions import may_see_conversation, require
from rtflow.server.store.interface import Steps
from rtflow.wire.codec import decoder

__all__ = ["Original", "Translate", "Translated", "originals", "untranslated"]

ORIGINALS: Final = (
    "SELECT m.id, m.sender_id, m.content FROM messages m"
    " WHERE m.conversation_id = ?1 AND m.id IN ({ids})"
)

_content = decoder(tuple[Block, ...])


class Original(Struct, frozen=True, kw_only=True):
    """A message that somebody wants in another language."""

    id: str
    """The message's id."""

    sender_id: str | None
    """The id of who sent it; None for a system message."""

    content: tuple[Block, ...]
    """What it says; as text alone: `rtflow.model.content.plaintext(original.content)`."""


Translated: TypeAlias = tuple[Block, ...] | str | None
"""A message in another language: its content, or markup such as `send` takes it, or None where
there is no translation."""


class Translate(Protocol):
    """How an application translates messages: `create_app(settings, translate=...)`.

    Called with 1 to 100 messages of one conversation that the one who asks may see, and with the
    language that he wants, as he wrote it ("nl", "pt-BR"; 1 to 255 characters). Returns the
    translations by message id; a message that is left out counts as None, others are ignored.

    A coroutine function is awaited on the server's event loop and should not block it; any other
    function is called in a thread, several at a time, and should return. Each call has a time
    limit, and so many run at once (settings `translation_timeout`, `max_translations`). Whatever it
    raises, and what it returns that is no translation, is logged and answered to the one who asked
    with 500 `TRANSLATION_FAILED`.

        async def translate(messages, lang):
            texts = await my_service([plaintext(m.content) for m in messages], lang)
            return {m.id: text for m, text in zip(messages, texts, strict=True)}
    """

    def __call__(
        self, messages: Sequence[Original], lang: str, /
    ) -> Mapping[str, Translated] | Awaitable[Mapping[str, Translated]]:
        """Translate messages into a language."""
        ...


async def untranslated(messages: Sequence[Original], _lang: str, /) -> Mapping[str, Translated]:
    """Return everything as it was written: what an application that gives no `translate` gets."""
    return {message.id: message.content for message in messages}


def originals(actor: str, conversation_id: str, ids: Sequence[str]) -> Steps[list[Original]]:
    """Return those of the messages that are in a conversation. Refuses if the actor is not."""
    require(may_see_conversation((yield from standing_of(actor, conversation_id))))
    found = yield from rows_among(_OriginalRow, ORIGINALS, conversation_id, ids=ids)
    return [
        Original(id=row.id, sender_id=row.sender_id, content=_content.decode(row.content))
        for row in found
    ]


class _OriginalRow(Struct, frozen=True):
    id: str
    sender_id: str | None
    content: str
