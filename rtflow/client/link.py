"""Link: keep one authenticated connection alive, and carry requests over it.

Not here: the heartbeat (connection.py), what becomes of requests (requests.py), tokens
(credentials.py), what events mean (registry.py).
Invariant: `live` is True exactly while requests leave as they come: between a token that was
accepted and the loss of the connection, or of the session on it.

Reconnecting is one loop in one task: get a token, connect, show the token, stay, back off, again.
The connection and the link itself are *scopes* of that task, `asyncio.timeout(None)`, whose time
has come when the connection is lost or `close()` is called: so whatever the task awaits just
then, a token, an answer or a pause, ends at once, and no flag has to be looked at. What must not
wait for a turn of the loop (a request settled, a live session announced, in the order of the
frames) is done in the callbacks of the connection.
"""

import asyncio
import contextlib
import itertools
import logging
import random
import time
from collections.abc import Callable, Iterator
from typing import Final, NoReturn, TypeVar

from msgspec import Struct

from rtflow.client.address import Address
from rtflow.client.backoff import Backoff
from rtflow.client.connection import Connection, Heartbeat, connect
from rtflow.client.credentials import Credentials, Unavailable
from rtflow.client.requests import Requests
from rtflow.client.stats import Counts
from rtflow.client.websocket import Lost
from rtflow.errors import (
    RequestRefused,
    RtflowError,
    SessionClosed,
    SessionExpired,
    Unauthorized,
)
from rtflow.model.events import Event, SessionExpiredEvent, UpstreamRestarting
from rtflow.model.params import Renew
from rtflow.model.snapshots import ConnectionState
from rtflow.wire.client import Answer
from rtflow.wire.endpoints import RENEW, Endpoint, Renewed

__all__ = ["Link", "failure"]

P = TypeVar("P", bound=Struct)
R = TypeVar("R")

CLOSING: Final = 2.0  # seconds that `close()` waits for the loop at the most
HEARTBEAT: Final = Heartbeat()

logger = logging.getLogger(__name__)


class Link:
    """One authenticated connection, kept alive for as long as the session.

    It calls back synchronously, in the order of the frames on the wire:

    * `on_events`: once per PUBLISH; `session.expired` and `upstream.restarting` are kept back.
    * `on_live`: each time a connection is ready (also after `session.expired` or a 401 on the
      same socket), before queued requests are sent. `live` is True then, and what is asked by
      `ask_soon` leaves first.
    * `on_state`: each new `state`; `live` is told after `on_live`.

    What a callback raises is logged, and the link goes on. `check` is called by each `ask` and
    raises when that is not the loop to ask on. `heartbeat`, `patience` (seconds for a
    handshake or an answer about the token) and `chance` are for tests.
    """

    def __init__(
        self,
        address: Address,
        user_id: str,
        credentials: Credentials,
        *,
        request_timeout: float,
        backoff: Backoff,
        on_events: Callable[[tuple[Event, ...]], None],
        on_live: Callable[[], None],
        on_state: Callable[[ConnectionState], None],
        check: Callable[[], None] = lambda: None,
        counts: Counts | None = None,
        heartbeat: Heartbeat = HEARTBEAT,
        patience: float = 10.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.state = ConnectionState(status="idle")
        self.live = False
        self._address, self._user_id, self._credentials = address, user_id, credentials
        self._request_timeout, self._backoff = request_timeout, backoff
        self._on_events, self._on_live, self._on_state = on_events, on_live, on_state
        self._check = check
        self._heartbeat, self._patience, self._chance = heartbeat, patience, chance
        self._client_id = str(random.getrandbits(53))  # the same for all connections
        self._counts = Counts() if counts is None else counts
        self._requests = Requests(chance, self.obstacle, self._counts)
        self._last_reason: str | None = None  # why the link is not live
        self._wanted = asyncio.Event()
        self._connection: Connection | None = None
        self._connection_scope: asyncio.Timeout | None = None
        self._renewal: asyncio.Future[Answer] | None = None
        self._stale = asyncio.Event()  # the session has to authenticate again
        self._live_since: float | None = None
        self._scope: asyncio.Timeout | None = None
        self._has_run = False
        self._stopped = asyncio.Event()
        self._end: SessionClosed | None = None

    @property
    def waiting(self) -> int:
        """How many requests are not settled."""
        return len(self._requests)

    # Asking

    def want(self) -> None:
        """Open the connection, if it is not wanted yet. `ask` and `ask_soon` do so themselves."""
        self._wanted.set()

    async def ask(
        self,
        endpoint: Endpoint[P, R],
        ids: tuple[str, ...],
        params: P,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the error says more
    ) -> R:
        """Ask and wait: for link and answer at most `timeout` (or `request_timeout`) seconds.

        Raises a `RequestRefused`, `RequestTimedOut`, `OutcomeUnknown`, `SessionClosed` or
        `SessionExpired`, or an `InvalidFrame` when the answer cannot be read; a bare `RtflowError`
        on another event loop than the session's.
        """
        if self._end is not None:
            raise type(self._end)(self._end.reason)
        self._check()
        self._wanted.set()
        seconds = self._request_timeout if timeout is None else timeout
        result: R = await self._requests.ask(endpoint, ids, params, seconds)
        return result

    def ask_soon(
        self,
        endpoint: Endpoint[P, R],
        ids: tuple[str, ...],
        params: P,
        settle: Callable[[R | RtflowError], None],
    ) -> None:
        """Ask; `settle` is called with the result or the error, in the order of the frames.

        What is asked so is FORGOTTEN (`settle` is never called) when the connection is lost, when
        the session has to authenticate again, and when the link closes: `on_live` asks anew.
        Asked while not `live` it waits without limit and leaves after what `on_live` asks: so
        whoever asks anew in `on_live` should ask only when `live`, and call `want()` otherwise,
        or the same leaves twice. After `close()` it does nothing.
        """
        if self._end is None:
            self._wanted.set()
            self._requests.ask_soon(endpoint, ids, params, settle)

    # The loop

    async def run(self) -> None:
        """Wait until wanted, connect, authenticate, stay, back off, again. Once per link.

        Returns after `close()`. Raises `SessionExpired` when the token was refused for good or
        there is no such app; by then every waiter has failed with it and `state` is `closed`.
        Cancelling it closes the link.
        """
        assert not self._has_run, "a link runs once"
        self._has_run = True
        try:
            if self._end is None:
                async with asyncio.timeout(None) as self._scope:
                    await self._wanted.wait()
                    await self._keep_connected()
        except TimeoutError as exc:
            if self._end is None:  # not from our scope: it ends only by close()
                self._finish(failure(exc))
                raise
        except SessionExpired as exc:
            if self._end is None:
                self._finish(exc)
                raise
        except asyncio.CancelledError:
            self._finish(SessionClosed("its task was cancelled"))
            raise
        except Exception as exc:
            self._finish(failure(exc))
            raise
        finally:
            self._scope = None
            self._finish(SessionClosed("its connection was given up"))
            self._stopped.set()

    async def close(self, reason: str = "it was closed") -> None:
        """Close for good. Idempotent, safe in every state, done within 2 s.

        Waiters fail with `SessionClosed`.
        """
        self._finish(SessionClosed(reason))
        if self._scope is not None:
            _leave(self._scope)
        if self._has_run:
            try:
                async with asyncio.timeout(CLOSING):
                    await self._stopped.wait()
            except TimeoutError:
                logger.warning("the link has not ended within %s s of being closed", CLOSING)

    async def _keep_connected(self) -> None:
        delays = self._backoff.delays(self._chance)
        while True:
            self._tell(ConnectionState(status="connecting"))
            self._counts.attempts += 1
            self._live_since = None
            wish = 0.0
            try:
                await self._connect_and_stay()
            except Lost as exc:
                if exc.is_final:
                    where = f"{self._address.app_id!r} at {self._address.hosts.realtime}"
                    raise SessionExpired(f"there is no app {where}: {exc.reason}") from exc
                reason, wish = exc.reason, exc.retry_after
            except Unavailable as exc:
                reason = exc.reason
            if self._was_live_for_long():
                delays = self._backoff.delays(self._chance)
            pause = wish + next(delays)
            self._tell(ConnectionState(status="waiting", reason=reason, retry_in=pause))
            await asyncio.sleep(pause)

    async def _connect_and_stay(self) -> NoReturn:
        """Serve one connection, until it is lost."""
        token = await self._credentials.get()
        now_ms = time.time_ns() // 1_000_000
        connection = await connect(
            self._address.websocket(self._user_id, self._client_id, now_ms),
            answered=self._take_answer,
            published=self._take_events,
            resumed=self._requests.flush,
            lost=self._lose,
            heartbeat=self._heartbeat,
            patience=self._patience,
            counts=self._counts,
        )
        logger.debug("%r has a connection, and shows its token", self._user_id)
        try:
            async with asyncio.timeout(None) as self._connection_scope:
                if connection.lost_because is None:
                    self._connection = connection
                    await self._stay(connection, token)
        except TimeoutError:
            if connection.lost_because is None:
                raise
        finally:
            self._connection_scope = None
            self._forget_connection()
            await connection.close()
        raise Lost(connection.lost_because or "the connection was lost")

    async def _stay(self, connection: Connection, token: str) -> NoReturn:
        """Keep the session on one connection authenticated."""
        pauses = self._pauses()
        while True:
            accepted = await self._renew(connection, token)
            if accepted is not None:
                refresh_after = self._credentials.accepted(accepted.expires_in_seconds)
                logger.debug(
                    "the token of %r was accepted for %s s; the next one is asked for after %s s",
                    self._user_id,
                    accepted.expires_in_seconds,
                    refresh_after,
                )
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(refresh_after):
                        await self._stale.wait()
                if self.live or self._was_live_for_long():
                    pauses = self._pauses()
            token = await self._another_token(pauses)

    async def _renew(self, connection: Connection, token: str) -> Renewed | None:
        """Show a token. None: it was refused, but another may do.

        Raises `SessionExpired`, or `Lost` when the connection is of no use.
        """
        self._renewal = asyncio.get_running_loop().create_future()
        connection.call(RENEW, (), Renew(token=token))
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._renewal
        except TimeoutError:
            raise Lost(f"no answer to the token within {self._patience:g} s") from None
        finally:
            self._renewal = None
        match answer.error:
            case None:
                renewed: Renewed = answer.result
                return renewed
            case Unauthorized() as refused:
                logger.info("a token of %r was refused: %s", self._user_id, refused.code)
                self._credentials.refused(_words(refused))
                return None
            case RequestRefused(status=400 | 402 | 403 | 404) as refused:
                raise SessionExpired(f"the server refused the token for good ({_words(refused)})")
            case RequestRefused() as refused:
                raise Lost(f"the server could not check the token ({_words(refused)})")
            case error:
                raise Lost(str(error))

    async def _another_token(self, pauses: Iterator[float]) -> str:
        """Return a new token, however often one has to ask for it. Raises `SessionExpired`."""
        while True:
            await asyncio.sleep(next(pauses))
            try:
                if self.live:  # with the old one, which is kept until there is another
                    return await self._credentials.another()
                return await self._credentials.get()
            except Unavailable as exc:
                logger.info("%r has no token, and asks again: %s", self._user_id, exc.reason)
                if not self.live:
                    self._tell(ConnectionState(status="connecting", reason=exc.reason))

    def _pauses(self) -> Iterator[float]:
        return itertools.chain((0.0,), self._backoff.delays(self._chance))

    def _was_live_for_long(self) -> bool:
        """Whether the live time that has just ended lets the pauses begin anew."""
        now = asyncio.get_running_loop().time()
        return self._live_since is not None and now - self._live_since >= self._backoff.reset_after

    # What the connection calls, in the order of the frames

    def _take_answer(self, answer: Answer) -> None:
        if self._end is not None:
            return
        if answer.endpoint is RENEW:
            if answer.error is None:
                self._become_live()
            else:
                self._authenticate_again("the token was refused")
            if self._renewal is not None and not self._renewal.done():
                self._renewal.set_result(answer)
            return
        if isinstance(answer.error, Unauthorized):
            self._authenticate_again("the token is not valid any more")
        self._requests.settle(answer)

    def _take_events(self, events: tuple[Event, ...]) -> None:
        if self._end is not None:
            return
        for event in events:
            if type(event) in ABOUT_THE_LINK:
                self._take_news(events)
                return
        try:
            self._on_events(events)
        except (Exception, asyncio.CancelledError):  # as `_call`, for each frame
            _log_failure(self._on_events)

    def _take_news(self, events: tuple[Event, ...]) -> None:
        """Take events of which some are for the link, not for those above it."""
        others = tuple(event for event in events if type(event) not in ABOUT_THE_LINK)
        if others:
            _call(self._on_events, others)
        if SessionExpiredEvent in map(type, events):
            self._authenticate_again("the session has expired")

    def _become_live(self) -> None:
        self._stale.clear()
        if self.live or self._connection is None:
            return
        self.live = True
        self._counts.connects += self._live_since is None  # else it has shown another token
        self._live_since = asyncio.get_running_loop().time()
        self._requests.open(self._connection, lambda: _call(self._on_live))
        self._tell(ConnectionState(status="live"))

    def _authenticate_again(self, reason: str) -> None:
        """Hold requests back until another token has been accepted."""
        if self.live:
            self.live = False
            self._requests.hold()
            self._credentials.forget()
            self._stale.set()
            self._tell(ConnectionState(status="connecting", reason=reason))

    def _lose(self, _reason: str) -> None:
        self._forget_connection()
        if self._connection_scope is not None:
            _leave(self._connection_scope)

    def _forget_connection(self) -> None:
        if self._connection is not None:
            self._connection = None
            self.live = False
            self._requests.lost()

    # The end

    def _finish(self, error: SessionClosed) -> None:
        if self._end is None:
            self._end = error
            self.live = False
            self._requests.close(error)
            self._tell(ConnectionState(status="closed", reason=error.reason))

    def obstacle(self) -> str | None:
        """Return why nothing can be asked now; None: it can."""
        return None if self.live else self._last_reason or "still connecting"

    def _tell(self, state: ConnectionState) -> None:
        self._last_reason = None if self.live else state.reason or self._last_reason
        if state != self.state and self.state.status != "closed":
            self.state = state
            logger.info("the connection of %r: %s", self._user_id, _told(state))
            _call(self._on_state, state)

    def __repr__(self) -> str:
        return f"<Link of {self._user_id!r}, {self.state.status}, {self._requests!r}>"


ABOUT_THE_LINK = frozenset({SessionExpiredEvent, UpstreamRestarting})


def failure(exc: Exception) -> SessionClosed:
    """Return the end of a session by a fault of its own."""
    return SessionClosed(f"it has failed: {type(exc).__name__}: {exc}")


def _leave(scope: asyncio.Timeout) -> None:
    """Let the task leave this scope, wherever it waits now."""
    if not scope.expired():
        scope.reschedule(asyncio.get_running_loop().time())


def _call(callback: Callable[..., None], *args: object) -> None:
    try:
        callback(*args)
    except (Exception, asyncio.CancelledError):  # it is not we who are cancelled
        _log_failure(callback)


def _log_failure(callback: Callable[..., None]) -> None:
    logger.exception("%s failed", getattr(callback, "__qualname__", callback))


def _told(state: ConnectionState) -> str:
    words = state.status if state.reason is None else f"{state.status} ({state.reason})"
    return words if state.retry_in is None else f"{words}, trying again in {state.retry_in:.2f} s"


def _words(error: RequestRefused) -> str:
    return "; ".join((f"{error.status} {error.code}", *error.reasons))
