"""Credentials: fetch, keep and give up the token that shows who the user is.

Not here: when a token is needed (link.py), HTTP (http.py).
Invariants: one flight at a time. A token appears in no log, no repr and no error. That goes for the
text of what the user's function raises, too: nobody knows what is in it (a URL with a token, an
answer as a whole). So where it was raised is logged, and of what type it is; whoever wants to see
more catches it in that function.
"""

import asyncio
import inspect
import logging
import random
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from rtflow.client.address import Address
from rtflow.client.http import HttpFailed, fetch_boken
from rtflow.errors import SessionExpired

__all__ = ["Credentials", "Token", "Unavailable", "refresh_after"]

Token: TypeAlias = str | Callable[[], str] | Callable[[], Awaitable[str]] | None
"""A token, a sync or async function that returns one, or None for a server in development mode."""

MOST_REFUSALS: Final = 3  # in a row, each of a token that was never accepted
LONGEST_REFRESH: Final = 20 * 86_400.0  # seconds
SHORTEST_REFRESH: Final = 1.0
MOST_FRAMES: Final = 5  # that are logged of what a token function raises

logger = logging.getLogger(__name__)


class Unavailable(Exception):
    """There is no token now; there may be one later. `reason` says why, for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def refresh_after(expires_in: float, chance: float) -> float:
    """Return how many seconds after it was accepted a token should be replaced (protocol.md 3).

    Up to a tenth earlier than that, by `chance` (0 to 1): clients that were let in together after a
    restart must not come for tokens together, too.
    """
    wanted = expires_in - 300 if expires_in > 600 else expires_in / 2
    return max(min(wanted, LONGEST_REFRESH) * (1 - chance / 10), SHORTEST_REFRESH)


class Credentials:
    """The token of one session.

    `token` is what the user gave: a token, a sync or async callable that returns one, or None for
    the development-mode token that the server at `address` gives to everybody. A callable is
    called again for each new token; it may raise `SessionExpired` to say that there will be no
    other. `patience` bounds one flight, in seconds; `chance` spreads the refreshes.
    """

    def __init__(
        self,
        token: Token,
        address: Address,
        user_id: str,
        *,
        patience: float = 30.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if token is not None and not isinstance(token, str) and not callable(token):
            raise TypeError(
                "token is a str, a callable that returns one, or None for a server in development "
                f"mode, not {type(token).__name__}"
            )
        if token == "":
            raise ValueError("token is empty: pass None for a server in development mode")
        self._source = token
        self._address, self._user_id, self._patience = address, user_id, patience
        self._chance = chance
        self._kept: str | None = None
        self._was_accepted = False
        self._refusals = 0
        self._flight = asyncio.Lock()

    @property
    def can_refresh(self) -> bool:
        """Whether there can be another token than the first."""
        return not isinstance(self._source, str)

    async def get(self) -> str:
        """Return the token that is kept, or fetch one.

        Raises `Unavailable`, or `SessionExpired` when there will be none.
        """
        async with self._flight:
            if self._kept is None:
                self._keep(await self._fetch())
            assert self._kept is not None
            return self._kept

    async def another(self) -> str:
        """Fetch a new token and keep it instead of the old one, which is kept if that fails.

        Raises as `get`.
        """
        async with self._flight:
            token = await self._fetch()
            self._keep(token)
            return token

    def accepted(self, expires_in: float | None) -> float | None:
        """The server has taken the token, for `expires_in` seconds.

        Returns the seconds after which `another` should take its place. None: there is no need, or
        no other.
        """
        self._was_accepted = True
        self._refusals = 0
        if expires_in is None or not self.can_refresh:
            return None
        return refresh_after(expires_in, self._chance())

    def refused(self, why: str) -> None:
        """The server has not taken the token: forget it.

        Raises `SessionExpired` when it makes no sense to come with another.
        """
        self._refusals += not self._was_accepted
        if not self.can_refresh:
            raise SessionExpired(f"the server refused the token ({why})")
        if self._refusals >= MOST_REFUSALS:
            raise SessionExpired(f"the server refused {self._refusals} tokens in a row ({why})")
        self.forget()

    def forget(self) -> None:
        """The token is of no use any more: the next `get` fetches another."""
        self._kept = None
        self._was_accepted = False

    def _keep(self, token: str) -> None:
        self._kept = token
        self._was_accepted = False

    async def _fetch(self) -> str:
        if isinstance(self._source, str):
            return self._source
        flight = asyncio.timeout(self._patience)
        try:
            async with flight:
                return await (self._boken() if self._source is None else self._ask(self._source))
        except TimeoutError as exc:
            if not flight.expired():
                raise
            raise Unavailable(f"there was no token within {self._patience:g} s") from exc

    async def _ask(self, source: Callable[[], str] | Callable[[], Awaitable[str]]) -> str:
        name = getattr(source, "__qualname__", type(source).__name__)
        task = asyncio.current_task()
        cancelled = 0 if task is None else task.cancelling()
        try:
            token: Any = source()  # whatever the user's function returns is checked here
            if inspect.isawaitable(token):
                token = await token
        except asyncio.CancelledError:
            if task is not None and task.cancelling() > cancelled:
                raise
            raise Unavailable(f"the token function {name} was cancelled inside") from None
        except SessionExpired:
            raise
        except Exception as exc:
            kind, where = type(exc).__name__, _where(exc)
            logger.warning("the token function %s raised %s at %s", name, kind, where)
            raise Unavailable(f"the token function {name} raised {kind}") from None
        if task is not None and task.cancelling() > cancelled:  # it has kept that to itself
            raise asyncio.CancelledError
        if not isinstance(token, str) or not token:
            what = "an empty str" if token == "" else type(token).__name__
            logger.warning("the token function %s returned %s instead of a token", name, what)
            raise Unavailable(f"the token function {name} returned {what} instead of a token")
        return token

    async def _boken(self) -> str:
        try:
            return await fetch_boken(self._address.boken(self._user_id), patience=self._patience)
        except HttpFailed as exc:
            if exc.status == 404:
                raise SessionExpired(
                    f"there is no app {self._address.app_id!r} at "
                    f"{self._address.hosts.internal}, or it wants a token= of its own"
                ) from exc
            if exc.is_final:
                raise SessionExpired(f"{exc.reason}: pass token= to the session") from exc
            raise Unavailable(exc.reason) from exc

    def __repr__(self) -> str:
        kind = "none" if self._source is None else "str" if not self.can_refresh else "callable"
        return f"<Credentials of {self._user_id!r}, token: {kind}>"


def _where(exc: Exception) -> str:
    """Say where it was raised, from our call inwards, and nothing of what it says."""
    frames = traceback.extract_tb(exc.__traceback__, limit=-MOST_FRAMES)
    return " < ".join(f"{it.filename}:{it.lineno} in {it.name}" for it in reversed(frames))
