"""Search: what a query finds, as it is found.

Not here: HTTP (rest.py), how a page travels (rtflow.wire.streamed).

A search asks for a page when somebody wants a result and there is none, and hands out what has come
of a page without waiting for the rest. A page that breaks off, whoever's fault it is, is asked for
again, and what was had of it is left out. So a caller may give up waiting, and go on later.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

from msgspec import Struct

from rtflow.client.http import HttpFailed, Reply
from rtflow.client.mirror import Mirror
from rtflow.client.refs.windows import checked_count
from rtflow.client.rest import Rest
from rtflow.client.state.views import ConversationView, MessageView, View
from rtflow.errors import InvalidFrame, ProtocolError, RtflowError
from rtflow.model.filters import ALL, Filter, as_filter, normalised
from rtflow.model.snapshots import ConversationSnapshot, SearchMessageSnapshot
from rtflow.wire.codec import encode
from rtflow.wire.streamed import FoundConversation, FoundMessage, StreamedPage

__all__ = ["CONVERSATIONS", "MESSAGES", "Search"]

F = TypeVar("F")
T = TypeVar("T")
FIRST_PAGE: Final = 10  # results: soon there
NEXT_PAGE: Final = 30
MOST_RESULTS: Final = 50  # in one page (the d.ts of the official client)
MOST_READS: Final = 20  # at the same time, for one search
MOST_EMPTY: Final = 100  # pages in a row; a server that looks for long may give some
MOST_CHARACTERS: Final = 1_000  # of a query


class Finder(Struct, Generic[F, T], frozen=True):
    """What is searched.

    `path` says where, `kind` how a result travels, `name` what tells one from all others, and
    `shown` makes of them what users see, without those that have vanished meanwhile.
    """

    path: tuple[str, ...]
    kind: type[F]
    name: Callable[[F], tuple[str, ...]]
    shown: Callable[[Mirror, Sequence[F]], Awaitable[Sequence[T]]]


class Search(AsyncIterator[T], Generic[T]):
    """The results of a search, messages newest first: `async for it in search`.

    It asks when it is asked, and no sooner: stop, and nothing follows. Results that I may not see
    any more are left out. An error ends nothing: the next call tries again, from there.
    """

    def __init__(
        self,
        mirror: Mirror,
        rest: Rest,
        finder: Finder[Any, T],  # Any: each finder has a type of its own for what travels
        query: str,
        filter: Filter | Mapping[str, object] | None,
    ) -> None:
        if not isinstance(query, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users
            raise TypeError(f"a query is a str, not {type(query).__name__}: {query!r}")
        if len(query) > MOST_CHARACTERS:
            raise ValueError(f"a query has at most {MOST_CHARACTERS} characters, not {len(query)}")
        try:
            text = quote(query, safe="-_.!~*'()")  # encoded twice (protocol.md 8.1)
        except UnicodeEncodeError as exc:
            raise ValueError(f"a query is not valid unicode: {query!r}") from exc
        self._start = {
            "searchString": text,
            "conversationFilter": encode(
                ALL if filter is None else normalised(as_filter(filter))
            ).decode(),
        }
        self._query = query
        self._mirror, self._rest, self._finder = mirror, rest, finder
        self._ready = deque[T]()
        self._had = set[tuple[str, ...]]()  # of the page that is being read
        self._cursor: str | None = None
        self._empty_pages = 0  # in a row
        self._has_ended = False
        self._is_waiting = False
        self._reply: Reply | None = None
        self._page: StreamedPage[Any] = StreamedPage(finder.kind)

    async def __anext__(self) -> T:
        """Return the next result.

        Raises a `RequestRefused` (`BadRequest` for a filter or query that the server does not
        take), `RequestTimedOut`, `OutcomeUnknown`, `ProtocolError` or `SessionClosed`.
        """
        if not await self._find(1):
            raise StopAsyncIteration
        return self._ready.popleft()

    async def next_page(self, n: int = FIRST_PAGE) -> tuple[T, ...]:
        """Return the next `n` results; fewer: there are no more.

        Raises as iterating does, and `TypeError` or `ValueError` unless `n` is 1 or more.
        """
        await self._find(checked_count(n), of_size=n)
        return tuple(self._ready.popleft() for _ in range(min(n, len(self._ready))))

    async def aclose(self) -> None:
        """Find no more. Idempotent."""
        self._has_ended = True
        self._ready.clear()
        await self._let_go()

    def __del__(self) -> None:
        reply: Reply | None = getattr(self, "_reply", None)  # or it was refused when it was made
        if reply is not None:
            self._rest.abandon(reply)

    def __repr__(self) -> str:
        return f"<Search for {self._query!r} in {self._finder.path[1]}>"

    async def _find(self, n: int, *, of_size: int | None = None) -> bool:
        """Wait until `n` results are ready, or there are no more; tell whether there is one.

        `of_size` is how many the caller wants in all; None: he does not say.
        """
        if self._is_waiting:
            raise RuntimeError("this search is being waited for already")
        self._is_waiting = True
        may_break_off = True
        try:
            async with self._rest.leash(self._mirror.check):
                while len(self._ready) < n and not self._has_ended:
                    try:
                        await self._read(of_size)
                    except (HttpFailed, InvalidFrame) as exc:
                        was_slow = isinstance(exc, HttpFailed) and exc.was_slow
                        if was_slow or not may_break_off:
                            raise self._failure(exc) from exc
                        may_break_off = False
        finally:
            self._is_waiting = False
        return bool(self._ready)

    async def _read(self, of_size: int | None) -> None:
        """Read on, if only a piece."""
        try:
            if self._reply is None:
                query = self._start if self._cursor is None else {"cursor": self._cursor}
                if of_size is not None:
                    limit = min(of_size - len(self._ready), MOST_RESULTS)
                else:
                    limit = FIRST_PAGE if self._cursor is None else NEXT_PAGE
                self._page = StreamedPage(self._finder.kind)
                self._reply = await self._rest.ask(
                    "GET", *self._finder.path, query={**query, "limit": limit}
                )
            piece = await self._reply.read()
            found = self._page.feed(piece) if piece else self._page.end()
            fresh = {self._finder.name(it): it for it in found}
            for name in self._had & fresh.keys():
                del fresh[name]
            if fresh:
                self._ready += await self._finder.shown(self._mirror, [*fresh.values()])
                self._had |= fresh.keys()
            if not piece:
                await self._turn_page()
        except BaseException:
            await self._let_go()
            raise

    async def _turn_page(self) -> None:
        """The page was read to its end."""
        await self._let_go()
        cursor = self._page.cursor
        self._empty_pages = 0 if self._had else self._empty_pages + 1
        if cursor is not None and (cursor == self._cursor or self._empty_pages == MOST_EMPTY):
            raise ProtocolError(f"the pages of {self!r} have no end")
        self._cursor, self._has_ended = cursor, cursor is None
        self._had.clear()

    async def _let_go(self) -> None:
        reply, self._reply = self._reply, None
        if reply is not None:
            await self._rest.done(reply)

    def _failure(self, exc: HttpFailed | InvalidFrame) -> RtflowError:
        if isinstance(exc, InvalidFrame):
            return exc
        return self._rest.failure(f"GET /{'/'.join(self._finder.path)}", exc)


async def _messages(
    mirror: Mirror, found: Sequence[FoundMessage]
) -> Sequence[SearchMessageSnapshot]:
    places = [*dict.fromkeys(it.conversation_id for it in found)]
    views: list[View[Any]] = [ConversationView.of(id) for id in places]  # Any: of two types
    views += [MessageView.of(it.conversation_id, it.id) for it in found]
    read = await _read_all(mirror, views)
    conversations = dict(zip(places, read, strict=False))
    pairs = [
        (conversations[it.conversation_id], message)
        for it, message in zip(found, read[len(places) :], strict=True)
    ]
    return [
        SearchMessageSnapshot(conversation=conversation, message=message)
        for conversation, message in pairs
        if conversation is not None and message is not None
    ]


async def _conversations(
    mirror: Mirror, found: Sequence[FoundConversation]
) -> Sequence[ConversationSnapshot]:
    read = await _read_all(mirror, [ConversationView.of(it.id) for it in found])
    return [it for it in read if it is not None]


MESSAGES: Final = Finder(
    ("me", "messages", "search"), FoundMessage, lambda it: (it.conversation_id, it.id), _messages
)
CONVERSATIONS: Final = Finder(
    ("me", "conversations", "search"), FoundConversation, lambda it: (it.id,), _conversations
)


async def _read_all(mirror: Mirror, views: Sequence[View[Any]]) -> list[Any]:
    """Read what these show, so many at the same time. (Any: they show values of all types.)"""
    places = asyncio.Semaphore(MOST_READS)

    async def read(view: View[Any]) -> Any:  # Any: as above
        async with places:
            try:
                return await mirror.read(view)
            except RtflowError as exc:
                return exc

    async with asyncio.TaskGroup() as reads:
        tasks = [reads.create_task(read(view)) for view in views]
    outcomes = [task.result() for task in tasks]
    for outcome in outcomes:
        if isinstance(outcome, RtflowError):
            raise outcome
    return outcomes
