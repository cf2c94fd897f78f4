"""Messages of a conversation: their windows, and a ref to one of them.

Not here: what may be said (content.py), who reacted (reactions.py), translating (translation.py).
"""

import random
import time
from binascii import b2a_base64
from contextlib import suppress
from typing import Final, Unpack

from rtflow.client.mirror import Mirror
from rtflow.client.refs.content import Content, blocks_of
from rtflow.client.refs.reactions import ReactionsRef
from rtflow.client.refs.ref import LiveRef
from rtflow.client.refs.translation import translate
from rtflow.client.refs.windows import LiveWindow, checked_count
from rtflow.client.state.views import MessagesView, MessageView
from rtflow.errors import NotFound
from rtflow.model.arguments import checked
from rtflow.model.ids import checked_id
from rtflow.model.params import EditMessage, Empty, MessageFields
from rtflow.model.snapshots import MessageSnapshot, TranslatedMessage, Window
from rtflow.wire.endpoints import DELETE_MESSAGE, EDIT_MESSAGE

__all__ = ["MessageRef", "Messages", "idempotency_key"]

DEFAULT_LENGTH: Final = 30
BASE64: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
ALPHABET: Final = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"  # sorted
SORTING: Final = bytes.maketrans(BASE64.encode(), ALPHABET.encode())


class MessageRef(LiveRef[MessageSnapshot | None]):
    """One message; None when there is no such message, or I am not in the conversation."""

    def __init__(self, mirror: Mirror, conversation_id: str, id: str) -> None:
        super().__init__(mirror, MessageView.of(conversation_id, id), conversation_id, id)

    @property
    def conversation_id(self) -> str:
        """The conversation's id."""
        return self._names[0]

    @property
    def id(self) -> str:
        """The message's id."""
        return self._names[1]

    def reactions(self, emoji: str) -> ReactionsRef:
        """Return a ref to the reactions with one emoji: who they are of, and my own.

        `emoji` is one emoji, or the name of one of the application's own, such as ":cat-roll:".
        Raises `TypeError` or `ValueError` for what cannot be one.
        """
        emoji = checked_id(emoji, "an emoji")
        return ReactionsRef(self._mirror, self.conversation_id, self.id, emoji)

    async def translate(self, language: str) -> TranslatedMessage | None:
        """Return what the message says in another language; None when it cannot be translated, or
        there is no such message.

        `language` is an ISO 639-1 code, such as "nl". What is asked for in one turn of the loop is
        asked for together. Raises `TypeError` or `ValueError` for what cannot be a language, and a
        `RequestRefused`: when I am not in the conversation, or the server cannot translate.
        """
        return await translate(self._mirror, self.conversation_id, self.id, language)

    async def edit(self, content: Content | None = None, **fields: Unpack[MessageFields]) -> None:
        """Change what the message says, its `custom`, or both.

        `content` is as for `conversation.send`, where a text may hide links, too
        (`<https://example.com|here>`); None leaves it alone. `custom` merges key by key, a
        value of None deletes the key, None as a whole deletes all. Raises `TypeError` or
        `ValueError` for what cannot be sent, and a `RequestRefused`: `NotFound` when there is no
        such message or I am not in the conversation, `Forbidden` when it is not mine, or I may
        only read.
        """
        call = "message.edit"
        if content is None and not fields:
            raise TypeError(f"{call}: give a text, blocks or custom")
        said = {} if content is None else {"content": blocks_of(content, call, links=True)}
        params = checked(EditMessage, call, **said, **fields)
        await self._mirror.ask(EDIT_MESSAGE, self._names, params)

    async def delete(self) -> None:
        """Delete the message, if it is there.

        Raises a `RequestRefused`: `Forbidden` when it is not mine, or I may only read.
        """
        with suppress(NotFound):  # it is gone: done
            await self._mirror.ask(DELETE_MESSAGE, self._names, Empty())


class Messages(LiveRef[Window[MessageSnapshot] | None]):
    """The messages of a conversation, newest first; None when I am not in it.

    Watching it is watching its newest 30; `window(n)` is for other lengths, and for more of them.
    """

    def __init__(self, mirror: Mirror, conversation_id: str) -> None:
        view = MessagesView.of(conversation_id, DEFAULT_LENGTH)
        super().__init__(mirror, view, conversation_id)

    def window(self, n: int = DEFAULT_LENGTH) -> LiveWindow[Window[MessageSnapshot] | None]:
        """Make a window of the newest `n`; fewer than 1 is a `ValueError`, no int a `TypeError`."""
        return LiveWindow(self._mirror, MessagesView.of(self._names[0], checked_count(n)))


def idempotency_key() -> str:
    """Make a key of 20 characters (protocol.md 5.5): 8 for the time in ms, 12 of chance."""
    stamp = time.time_ns() // 1_000_000 & (1 << 48) - 1
    number = stamp << 72 | random.getrandbits(72)
    return b2a_base64(number.to_bytes(15, "big"), newline=False).translate(SORTING).decode()
