"""Session: opens and closes the parts of a client, and hands out refs.

The only room that knows all the parts. Not here: what each of them does.

How it ends (guarantee 12). The link runs in a task of its own, not in a TaskGroup around the user's
block: a group would wrap the user's exception in an ExceptionGroup, and cancel the user's task when
the link fails. That task begins when the block is entered and has ended when the block is left,
whatever happens in between; its failure ends the session, which is told to every stream and to
whoever asks for something from then on. Besides it there are only the tasks of callbacks of `on`
(watching.py), which are cancelled and waited for at the end.
"""

import asyncio
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from weakref import WeakValueDictionary

from rtflow.client.address import Address, Hosts
from rtflow.client.backoff import Backoff
from rtflow.client.credentials import Credentials, Token
from rtflow.client.link import Link, failure
from rtflow.client.live import Cell, Detach, Live, Observer
from rtflow.client.mirror import Mirror
from rtflow.client.refs import ConversationRef, Conversations, UserRef
from rtflow.client.refs.files import Subtype, form_fields, upload
from rtflow.client.refs.search import CONVERSATIONS, MESSAGES, Search
from rtflow.client.rest import Rest
from rtflow.client.stats import Stats
from rtflow.client.stream import Home, Scheduler
from rtflow.client.watching import end_all
from rtflow.errors import SessionClosed, SessionExpired
from rtflow.model.filters import Filter
from rtflow.model.ids import checked_id
from rtflow.model.snapshots import (
    ConnectionState,
    ConversationSnapshot,
    SearchMessageSnapshot,
)

__all__ = ["Session"]

LAST_WISHES = 1.0  # seconds for a link that was cancelled because it did not end
logger = logging.getLogger(__name__)


class Session:
    """One user's connection to one app, opened by `async with`.

    `server` is the base URL of an rtflow server (`http://localhost:8080`) or `rtflow.TALKJS`,
    `app_id` one of its apps, `user_id` the user to be. `token` is a token, or a function, sync or
    async, that returns one; a server in development mode needs none. Seconds: `request_timeout`,
    for each request, waiting for the connection included; `linger`, for which a resource that
    nobody watches any more is kept fresh. `reconnect` says how long to wait before trying again.
    Raises `TypeError` or `ValueError` for arguments that cannot be right.

    Opening does not wait for the network. After the end of the block every stream has completed,
    and whatever is asked raises `SessionClosed`.
    """

    def __init__(
        self,
        server: str | Hosts,
        *,
        app_id: str,
        user_id: str,
        token: Token = None,
        request_timeout: float = 10.0,
        linger: float = 10.0,
        reconnect: Backoff = Backoff(),  # noqa: B008 - frozen
    ) -> None:
        me = checked_id(user_id, "user_id")
        address = Address.of(server, app_id)
        if not isinstance(reconnect, Backoff):  # pyright: ignore[reportUnnecessaryIsInstance] - users
            raise TypeError(
                "reconnect is an rtflow.Backoff, such as Backoff(first=0.25, most=15.0), "
                f"not {type(reconnect).__name__}: {reconnect!r}"
            )
        patience = _seconds(request_timeout, "request_timeout", least=0.001)
        self._app_id = app_id
        self._home = Home()
        self._mirror = Mirror(
            me, self._home, linger=_seconds(linger, "linger", least=0.0), patience=patience
        )
        credentials = Credentials(token, address, me)
        self._rest = Rest(address, credentials, patience=patience)
        self._link = self._mirror.link = Link(
            address,
            me,
            credentials,
            request_timeout=patience,
            backoff=reconnect,
            on_events=self._mirror.happened,
            on_live=self._mirror.connected,
            on_state=self._changed,
            check=self._home.check,
            counts=self._home.counts,
        )
        self._connection = Connection(self._link, self._mirror)
        self._live_connection = Live(self._home, self._connection)
        self._users = WeakValueDictionary[str, UserRef]()
        self._conversations = WeakValueDictionary[str, ConversationRef]()
        self._all_conversations = Conversations(self._mirror)
        self._runner: asyncio.Task[None] | None = None

    # Opening and closing

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise SessionClosed("a session is opened once: make another one")
        self._home.settle()
        self._runner = self._home.loop.create_task(self._run(), name=f"{self!r}")
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _exc: BaseException | None,
        _tb: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Complete every stream, close the connection and let go of everything. Idempotent."""
        self._mirror.end(SessionClosed(), is_failure=False)
        if self._runner is None:
            return
        for watching in tuple(self._home.watchings):  # before what they ask for fails
            watching.dispose()
        try:
            await self._rest.close()
            await self._link.close()
        finally:  # also when the user's task is cancelled meanwhile, or the link does not end
            if not self._runner.done():
                self._runner.cancel()
                await asyncio.wait((self._runner,), timeout=LAST_WISHES)
            await end_all(self._home)

    async def _run(self) -> None:
        try:
            await self._link.run()
            self._end(SessionClosed(), is_failure=False)
        except asyncio.CancelledError:
            self._end(SessionClosed("its task was cancelled"), is_failure=False)
            raise
        except SessionExpired as exc:
            self._end(exc, is_failure=True)
        except Exception as exc:
            logger.exception("the session of %r has failed", self.user_id)
            self._end(failure(exc), is_failure=True)

    def _end(self, reason: SessionClosed, *, is_failure: bool) -> None:
        self._mirror.end(reason, is_failure=is_failure)
        self._connection.end(reason if is_failure else None)

    def _changed(self, state: ConnectionState) -> None:
        if not self._link.live:
            self._mirror.disconnected()
        self._connection.show(state)

    # What there is

    @property
    def app_id(self) -> str:
        """The app that I am in."""
        return self._app_id

    @property
    def user_id(self) -> str:
        """Who I am."""
        return self._mirror.me

    @property
    def current_user(self) -> UserRef:
        """A ref to myself."""
        return self.user(self.user_id)

    def user(self, id: str) -> UserRef:
        """Return the ref to the user `id`: the same one each time, while somebody holds it.

        Raises `TypeError` or `ValueError` for what cannot be an id.
        """
        ref = self._users.get(checked_id(id, "a user id"))
        if ref is None:
            ref = self._users[id] = UserRef(self._mirror, id)
        return ref

    def conversation(self, id: str) -> ConversationRef:
        """Return the ref to the conversation `id`: the same one each time, while somebody holds it.

        Raises `TypeError` or `ValueError` for what cannot be an id.
        """
        ref = self._conversations.get(checked_id(id, "a conversation id"))
        if ref is None:
            ref = self._conversations[id] = ConversationRef(self._mirror, id)
        return ref

    @property
    def conversations(self) -> Conversations:
        """All my conversations."""
        return self._all_conversations

    def search_messages(
        self, query: str, *, filter: Filter | Mapping[str, object] | None = None
    ) -> Search[SearchMessageSnapshot]:
        """Search the messages of my conversations: iterate over it with `async for`.

        A message is found if each word of `query` is in it, in any case; the last may be the start
        of a word.
        `filter` is one of conversations, as for `conversations.window`; None: search all of them.
        Sends nothing by itself. Raises `TypeError` or `ValueError` for what cannot be a query or a
        filter.
        """
        return Search(self._mirror, self._rest, MESSAGES, query, filter)

    def search_conversations(
        self, query: str, *, filter: Filter | Mapping[str, object] | None = None
    ) -> Search[ConversationSnapshot]:
        """Search my conversations by subject.

        `query`, `filter`, and what is raised, as for `search_messages`.
        """
        return Search(self._mirror, self._rest, CONVERSATIONS, query, filter)

    async def upload(
        self,
        data: bytes | Path | BinaryIO,
        *,
        filename: str | None = None,
        subtype: Subtype | None = None,
        width: int | None = None,
        height: int | None = None,
        duration: float | None = None,
    ) -> str:
        """Upload a file and return its token, for a `rtflow.SendFileBlock` to send.

        `data` is the bytes, a path, or a binary file that can seek, whose rest from where it stands
        is uploaded; a file is read in pieces, on the session's loop. `filename` has to be given
        where `data` has no name. `subtype` is "image", "video", "audio" or "voice"; `width` and
        `height` are pixels, `duration` is seconds.

        The server is asked first whether it takes a file of that name and size. `request_timeout`
        is for each step, not for all of it. Safe to repeat: a server keeps the same bytes once.
        Raises `TypeError` or `ValueError` for wrong arguments, `OSError` for a file that cannot be
        read, and a `RequestRefused` (`BadRequest` for a file that the server does not take),
        `RequestTimedOut`, `OutcomeUnknown`, `ProtocolError` or `SessionClosed`.
        """
        fields = form_fields(subtype, width, height, duration)
        return await upload(self._mirror, self._rest, data, filename=filename, fields=fields)

    @property
    def connection(self) -> Live[ConnectionState]:
        """What the connection does. Its stream shows each step; `get()` never fails."""
        return self._live_connection

    def stats(self) -> Stats:
        """Return what the session has done so far, and what it holds now."""
        return self._home.counts.picture(
            waiting=self._link.waiting,
            resources=self._mirror.registry.held,
            observers=self._mirror.observers + self._connection.observers,
        )

    @property
    def scheduler(self) -> Scheduler:
        """The Rx scheduler of the session's loop, for free functions that take one.

        Raises `SessionClosed` while the session was not opened.
        """
        return self._home.scheduler

    def __repr__(self) -> str:
        return f"<Session of {self.user_id!r}, {self._link.state.status}>"


class Connection:
    """The source of `session.connection`."""

    def __init__(self, link: Link, mirror: Mirror) -> None:
        self._link, self._mirror = link, mirror
        self._cell = Cell[ConnectionState]()

    def attach(self, observer: Observer[ConnectionState]) -> Detach:
        """See `Source`. After the end of the session the observer gets that as its error."""
        try:
            self._mirror.check()
        except SessionClosed as exc:
            observer.on_error(exc)
            return lambda: None
        place = self._cell.join(observer, self._link.state)
        return lambda: self._cell.leave(place)

    async def read(self) -> ConnectionState:
        """See `Source`."""
        return self._link.state

    @property
    def observers(self) -> int:
        """How many are called."""
        return self._cell.observers

    def show(self, state: ConnectionState) -> None:
        """The connection has taken a step."""
        self._cell.show(state)

    def end(self, error: SessionClosed | None) -> None:
        """Nothing follows."""
        self._cell.end(error)


def _seconds(value: object, name: str, *, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number of seconds, not {type(value).__name__}: {value!r}")
    if not least <= value < math.inf:
        raise ValueError(f"{name} is at least {least:g} seconds and finite, not {value}")
    return float(value)
