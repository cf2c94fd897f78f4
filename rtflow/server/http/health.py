"""Is the server well: can its database be read, and written?

Anybody may ask, and the answer costs a commit. So it is looked at once a second at the most,
however many ask; the others are told what was seen then. Who knows how often something is written
knows when people talk, so no number is told: the metrics have it.

Not here: what is written (rtflow.server.domain.health).
"""

import asyncio
from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from rtflow.errors import RequestRefused, ServerFailed
from rtflow.server.domain.health import write_in_vain
from rtflow.server.http.requests import json
from rtflow.server.http.site import Site
from rtflow.server.store.awaited import committed
from rtflow.server.store.interface import Steps, Store

__all__ = ["HealthCheck"]

PATIENCE: Final = 5.0  # seconds that the store gets to show that it is well
FRESH: Final = 1.0  # seconds for which it is believed


class Health(Struct, frozen=True):
    """The answer when all is well."""

    status: str


class HealthCheck:
    """The handler."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._looks: Looks | None = None

    async def report(self, _request: Request) -> Response:
        """Say how it is, or was a moment ago."""
        store = self._site.store
        if self._looks is None or self._looks.store is not store:
            self._looks = Looks(store)
        found = await self._looks.latest()
        if found is not None:
            raise ServerFailed("STORAGE_UNAVAILABLE", found, status=503)
        return json(Health("ok"))


class Looks:
    """What was seen of a store: what was wrong; None: nothing."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._turn = asyncio.Lock()
        self._found: str | None = None
        self._fresh_until = 0.0

    async def latest(self) -> str | None:
        """Return what was seen, having looked again if that was too long ago."""
        now = asyncio.get_running_loop().time
        async with self._turn:  # whoever waits meanwhile is told the same
            if now() >= self._fresh_until:
                self._found = await _look(self.store)
                self._fresh_until = now() + FRESH
            return self._found


async def _look(store: Store) -> str | None:
    try:
        async with asyncio.timeout(PATIENCE):
            await store.read(_glance)
            await committed(store, write_in_vain)
            return None
    except RequestRefused as exc:
        return str(exc)
    except TimeoutError:
        return f"the database has not answered within {PATIENCE:g} s"


def _glance() -> Steps[None]:
    yield from ()
