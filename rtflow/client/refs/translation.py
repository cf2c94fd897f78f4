"""Translation: messages in another language, many of them with one request.

Not here: the ref to a message (messages.py). What is asked for in the same turn of the loop, in one
conversation and one language, is asked for together: whoever comes first asks for all, and if he
gives up, the next one does.
"""

import asyncio
import copy
from typing import Final
from weakref import WeakKeyDictionary

from msgspec import UNSET

from rtflow.client.mirror import Mirror
from rtflow.client.state.portraits import frozen_content
from rtflow.errors import RtflowError
from rtflow.model.arguments import checked
from rtflow.model.content import TextBlock, plaintext
from rtflow.model.markup import parse
from rtflow.model.params import Translate
from rtflow.model.snapshots import TranslatedMessage
from rtflow.wire.endpoints import TRANSLATE, Translations

__all__ = ["translate"]

MOST_TOGETHER: Final = 100  # messages in one request (protocol.md 4)


class Batch:
    """Messages to translate together, and what came of it."""

    def __init__(self, conversation_id: str, language: str) -> None:
        self.ids: dict[str, None] = {}
        self.asking = asyncio.Lock()
        self.outcome: Translations | RtflowError | None = None
        self._conversation_id, self._language = conversation_id, language

    async def ask(self, mirror: Mirror) -> None:
        """Ask for all, and keep what comes of it."""
        params = Translate(ids=tuple(self.ids), lang=self._language)
        try:
            self.outcome = await mirror.ask(TRANSLATE, (self._conversation_id,), params)
        except RtflowError as exc:
            self.outcome = exc


_open: WeakKeyDictionary[Mirror, dict[tuple[str, str], Batch]] = WeakKeyDictionary()


async def translate(
    mirror: Mirror, conversation_id: str, message_id: str, language: str
) -> TranslatedMessage | None:
    """Translate a message. None: there is no such message, or no translation of it.

    `language` is an ISO 639-1 code, such as "nl". Raises `TypeError` or `ValueError` for what
    cannot be one, and a `RequestRefused`: when I am not in the conversation, or the server cannot
    translate.
    """
    checked(Translate, "message.translate", ids=[message_id], lang=language)
    mirror.check()
    batches = _open.setdefault(mirror, {})
    key = conversation_id, language
    batch = batches.get(key)
    if batch is None:
        batch = batches[key] = Batch(conversation_id, language)
    batch.ids[message_id] = None
    if len(batch.ids) == MOST_TOGETHER:
        del batches[key]
    async with batch.asking:
        if batch.outcome is None:
            await asyncio.sleep(0)  # others of this turn come in
            if batches.get(key) is batch:
                del batches[key]
            await batch.ask(mirror)
    if isinstance(batch.outcome, RtflowError):
        raise copy.copy(batch.outcome)
    assert batch.outcome is not None
    found = batch.outcome.data.get(message_id)
    if found is None:
        return None
    if found.content is not UNSET:
        content = frozen_content(found.content)
    else:
        content = (TextBlock(parse("" if found.markup is UNSET else found.markup)),)
    return TranslatedMessage(content=content, plaintext=plaintext(content))
