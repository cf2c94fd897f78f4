"""Search over HTTP: one page, sent as it is found (protocol.md 8.1).

    GET .../search?searchString=...&conversationFilter=...&limit=n      the first page
    GET .../search?cursor=...&limit=n                                   the next one

`searchString` is percent-encoded twice. A page ends when it is full or when there is no more, and
also after so many seconds, where it has come to by then: the next one goes on there.

Not here: what is found (rtflow.server.domain.search), the form of a page (streaming.py).
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import unquote

from msgspec.json import Decoder
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from rtflow.errors import BadRequest, InvalidFrame, ServerFailed
from rtflow.model.filters import ALL, Filter
from rtflow.server.domain.paging import place
from rtflow.server.domain.search import Asked, Search
from rtflow.server.http.site import Site
from rtflow.server.http.streaming import Page, while_there
from rtflow.server.store.interface import Store
from rtflow.wire.codec import decode_part, decoder

__all__ = ["SearchPage"]

USUAL_LIMIT: Final = 10
MOST: Final = 100  # items of a page
MOST_FILTER: Final = 8_192  # bytes: a cursor holds it, and a URL the cursor
BUDGET: Final = 5.0  # seconds of looking; our client waits 10 for the next piece
PATIENCE: Final = 60.0  # seconds until a client that does not read is given up

AnySearch = Search[Any]  # Any: of messages or of conversations

_filter: Decoder[Filter] = decoder(Filter)


class SearchPage:
    """The ASGI application that answers with one page of a kind of search."""

    def __init__(self, site: Site, begin: Callable[[str, Asked], AnySearch]) -> None:
        self._site, self._begin = site, begin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        request, site = Request(scope), self._site
        user_id = site.caller(request)
        limit = _limit(request.query_params)
        search = self._begin(user_id, _asked(request.query_params))
        with site.searches.taken(user_id):
            await while_there(receive, _answer(site.store, search, limit, Page(send)))


async def _answer(store: Store, search: AnySearch, limit: int, page: Page) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await page.end(await _fill(store, search, limit, page))
    except TimeoutError:
        if not page.has_begun:  # else the host sees half an answer, and cuts the connection
            raise ServerFailed("TOO_BUSY", "there is too much to do now", status=503) from None


async def _fill(store: Store, search: AnySearch, limit: int, page: Page) -> str | None:
    """Send what is found; return the cursor for what may follow."""
    now = asyncio.get_running_loop().time
    deadline = now() + BUDGET
    last = search.place
    while not search.is_over:
        room = limit - page.count
        finds = (await store.search(partial(search.step, room + 1))).value
        for find in finds[:room]:
            await page.add(find.item)
            last = find.place
        if len(finds) > room:  # one more tells that there is more
            return place(last)
        if now() > deadline and not search.is_over:
            return place(search.place)
    return None


def _asked(given: QueryParams) -> Asked:
    if (cursor := given.get("cursor")) is not None:
        return Asked(cursor=cursor)
    if (text := given.get("searchString")) is None:
        raise BadRequest("SEARCH_STRING_REQUIRED", "give `searchString`, or the `cursor` of a page")
    try:
        text = unquote(text, errors="strict")
    except UnicodeDecodeError as exc:
        raise BadRequest(
            "INVALID_SEARCH_STRING", "`searchString` is UTF-8, percent-encoded twice"
        ) from exc
    return Asked(text=text, filter=_wanted(given.get("conversationFilter")))


def _wanted(given: str | None) -> Filter:
    if given is None:
        return ALL
    encoded = given.encode(errors="replace")
    if len(encoded) > MOST_FILTER:
        raise BadRequest("FILTER_TOO_LARGE", f"a filter has at most {MOST_FILTER} bytes of JSON")
    try:
        return decode_part(_filter, encoded)
    except InvalidFrame as exc:
        raise BadRequest("INVALID_FILTER", str(exc)) from exc


def _limit(given: QueryParams) -> int:
    text = given.get("limit", str(USUAL_LIMIT))
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= MOST):
        raise BadRequest("INVALID_LIMIT", f"`limit` is a whole number from 1 to {MOST}")
    return int(text)
