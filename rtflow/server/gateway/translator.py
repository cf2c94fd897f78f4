"""Translator: lets the application translate, for so long, and so much at a time.

What an application does here may be slow, wrong, or never end. It has a task or a thread of its
own, and a time limit that includes waiting for its turn; what it returns is looked at before it is
sent. One user may not take all turns: he has a few requests under way, and is asked to come later
with more.

Not here: which messages somebody may see (rtflow.server.domain.translations).
Invariant: a turn is given back when its work ends; in a thread that may be after the time limit.
"""

import asyncio
import inspect
import logging
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeAlias

from msgspec import Raw

from rtflow.errors import ServerFailed, TooManyRequests
from rtflow.model.params import Translate as Params
from rtflow.server.domain.translations import Original, Translate, Translated, originals
from rtflow.server.gateway.limits import Limits
from rtflow.server.store.interface import Store
from rtflow.wire import endpoints as table
from rtflow.wire.codec import decoder, encode

__all__ = ["Translator"]

logger = logging.getLogger(__name__)

EACH: Final = 4  # requests of one user under way

Translations: TypeAlias = Mapping[str, Translated]

_translations = decoder(table.Translations)


class Translator:
    """The application's `translate`, as the gateway calls it. `close` must follow."""

    def __init__(self, store: Store, limits: Limits, translate: Translate) -> None:
        self._store, self._translate = store, translate
        self._patience = limits.translation
        self._turns = asyncio.Semaphore(limits.translations)
        self._asked: Counter[str] = Counter()  # by user: requests under way
        self._at_work = set[asyncio.Task[object]]()
        self._threads: ThreadPoolExecutor | None = None
        self.begun = self.failed = self.refused = 0
        if not _is_async(translate):
            self._threads = ThreadPoolExecutor(limits.translations, "rtflow-translate")

    @property
    def under_way(self) -> int:
        """How many requests for translation are not answered yet."""
        return self._asked.total()

    async def translate(self, actor: str, conversation_id: str, params: Params) -> Raw:
        """Return the encoded `Translations`. Raises what the actor is refused with."""
        query = partial(originals, actor, conversation_id, params.ids)
        found = (await self._store.read(query)).value
        if not found:
            return _checked(params.ids, {})
        if self._asked[actor] >= EACH:
            self.refused += 1
            raise TooManyRequests(
                "TOO_MANY_TRANSLATIONS", f"translate {EACH} batches of messages at a time"
            )
        self._asked[actor] += 1
        self.begun += 1
        try:
            await asyncio.sleep(0)  # from here on in a task of its own (eager.py)
            return _checked(params.ids, await self._in_time(found, params.lang))
        except Exception as exc:
            self.failed += 1
            logger.exception("translating %d messages into %r failed", len(found), params.lang)
            raise ServerFailed(
                "TRANSLATION_FAILED", "these messages could not be translated now"
            ) from exc
        finally:
            self._asked[actor] -= 1
            if not self._asked[actor]:
                del self._asked[actor]

    def close(self) -> None:
        """Stop all work, and begin none in a thread any more."""
        self._patience = 0
        for task in self._at_work:
            task.cancel()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_time(self, messages: Sequence[Original], lang: str) -> Translations:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs it"
        self._at_work.add(task)
        try:
            async with asyncio.timeout(self._patience):
                return await self._in_turn(messages, lang)
        finally:
            self._at_work.discard(task)

    async def _in_turn(self, messages: Sequence[Original], lang: str) -> Translations:
        thread: asyncio.Future[Translations | Awaitable[Translations]] | None = None
        await self._turns.acquire()
        try:
            if self._threads is None:
                given = self._translate(messages, lang)
            else:
                work = partial(self._translate, messages, lang)
                thread = asyncio.get_running_loop().run_in_executor(self._threads, work)
                given = await asyncio.shield(thread)
            return await given if isinstance(given, Awaitable) else given
        finally:
            if thread is None:
                self._turns.release()
            else:  # which may be at work still
                thread.add_done_callback(self._has_ended)

    def _has_ended(self, thread: "asyncio.Future[Translations | Awaitable[Translations]]") -> None:
        self._turns.release()
        if not thread.cancelled():
            thread.exception()  # so that asyncio does not miss somebody to tell it


def _is_async(translate: Translate) -> bool:
    """Whether it can be called on the loop."""
    return inspect.iscoroutinefunction(translate) or inspect.iscoroutinefunction(translate.__call__)


def _checked(ids: Sequence[str], translated: Translations) -> Raw:
    """Encode what the application returned. Raises if it cannot be sent."""
    data = {message_id: _translation(translated.get(message_id)) for message_id in ids}
    encoded = encode(table.Translations(data))
    _translations.decode(encoded)
    return Raw(encoded)


def _translation(translated: Translated) -> table.Translation | None:
    match translated:
        case None:
            return None
        case str():
            return table.Translation(markup=translated)
        case content:
            return table.Translation(content=content)
