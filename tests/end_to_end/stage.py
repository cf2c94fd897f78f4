"""Who is on the stage: sessions behind links, all that they watch, a server that can come back.

Not here: what they do (acts.py), what must be true in the end (test_everything_converges.py).
"""

import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import rtflow
from rtflow.client.credentials import Token
from rtflow.model.filters import Filter
from rtflow.server import Settings
from rtflow.testing import Link, Recorder, serving

__all__ = ["EMOJI", "FIRST", "ROOMS", "USERS", "Scene", "Seat", "Watched", "at_work", "lives"]

USERS = ("ada", "bob", "cy")
ROOMS = ("lunch", "work")
EMOJI = ("👍", "🍕")
FIRST = 3  # messages that there are before it begins
QUICK = rtflow.Backoff(first=0.01, most=0.05)
EITHER: Filter = (
    "any",
    (
        rtflow.ConversationFilter(custom={"one": "exists"}),
        rtflow.ConversationFilter(access=("==", "Read")),
    ),
)
LINGERS = (10.0, 0.0, 0.0, 10.0)  # by seat
S = TypeVar("S", bound="Scene")


class Watched:
    """Something that is watched, and what was seen of it."""

    def __init__(self, live: rtflow.Live[Any]) -> None:  # Any: streams of all types
        self.live = live
        self.looks: list[Recorder[Any]] = []
        self.look()

    def look(self) -> None:
        """Begin to watch."""
        self.looks.append(Recorder[Any]())
        self._looking = self.live.observe().subscribe(self.seen)

    @property
    def seen(self) -> Recorder[Any]:
        """What was seen at the latest look."""
        return self.looks[-1]

    @property
    def length(self) -> int:
        """How long it is, if it is a window."""
        return self.live.length if isinstance(self.live, rtflow.LiveWindow) else 0

    def look_again(self) -> None:
        """Look away, and at it again."""
        self._looking.dispose()
        self.look()


class Seat:
    """One session, the link that it is behind, and all that it watches."""

    def __init__(self, session: rtflow.Session, link: Link) -> None:
        self.session, self.link = session, link
        self.watched: list[Watched] = []

    def watch(self, first: list[str]) -> None:
        """Watch all that there is."""
        self.watched = [Watched(live) for live in lives(self.session, first)]

    @property
    def windows(self) -> list[rtflow.LiveWindow[Any]]:
        """The windows that it watches."""
        return [it.live for it in self.watched if isinstance(it.live, rtflow.LiveWindow)]


class Scene:
    """Everybody at work, Ada twice."""

    patience = 10.0  # seconds for a request

    def __init__(self, database: Path) -> None:
        self.seats: list[Seat] = []
        self.first: list[str] = []  # messages: ids
        self.said: list[rtflow.MessageRef] = []  # as who sent it holds it
        self.kept: set[str] = set()  # ids of what was sent, and nobody has tried to delete
        self.url = ""
        self._settings = Settings(
            database=str(database), secret=None, typing_timeout=0.3, offline_delay=0.05
        )
        self._server = contextlib.AsyncExitStack()
        self._texts = 0

    def text(self, word: str) -> str:
        """Make a text that nobody has said before."""
        self._texts += 1
        return f"{word} {self._texts}"

    def token(self, _user: str) -> Token:
        """Return what a user shows."""
        return None

    async def start(self) -> None:
        """Start a server, and lead all links to it."""
        server = await self._server.enter_async_context(serving(self._settings))
        self.url = server.url
        for seat in self.seats:
            seat.link.retarget("127.0.0.1", server.port)

    async def stop(self) -> None:
        """Stop the server."""
        await self._server.aclose()


def lives(me: rtflow.Session, first: list[str]) -> Iterator[rtflow.Live[Any]]:
    """Yield what can be watched, in the same order for each session."""
    for user in USERS:
        yield me.user(user)
        yield me.user(user).online
    yield me.conversations
    yield me.conversations.window(1)
    yield me.conversations.window(1, filter={"isUnread": True})
    yield me.conversations.window(5, filter={"subject": ["==", "one"]})
    yield me.conversations.window(1, filter=EITHER)
    yield me.conversations.unread
    for room in map(me.conversation, ROOMS):
        yield room
        yield room.unread
        yield room.typing
        yield room.messages
        yield room.messages.window(2)
        yield room.participants
        yield room.participants.window(1)
        yield room.participant("cy")
    for message in map(me.conversation("lunch").message, first):
        yield message
        yield message.reactions(EMOJI[0])
        yield message.reactions(EMOJI[0]).window(1)


@contextlib.asynccontextmanager
async def at_work(make: Callable[[Path], S]) -> AsyncGenerator[S]:
    """Three users in a conversation in which something was said, each behind a link."""
    async with contextlib.AsyncExitStack() as stack:
        scene = make(Path(stack.enter_context(TemporaryDirectory())) / "rtflow.db")
        stack.push_async_callback(scene.stop)
        await scene.start()
        for user, linger in zip((*USERS, USERS[0]), LINGERS, strict=True):
            port = int(scene.url.rpartition(":")[2])
            link = await stack.enter_async_context(Link("127.0.0.1", port))
            session = rtflow.Session(
                link.url,
                app_id="demo",
                user_id=user,
                token=scene.token(user),
                request_timeout=scene.patience,
                reconnect=QUICK,
                linger=linger,
            )
            scene.seats.append(Seat(await stack.enter_async_context(session), link))
        ada = scene.seats[0].session
        for user in USERS:
            await ada.user(user).create_if_not_exists(name=user)
        lunch = ada.conversation("lunch")
        await lunch.create_if_not_exists(subject="one")
        for user in USERS:
            await lunch.participant(user).create_if_not_exists()
        for seat in scene.seats[:FIRST]:
            sent = await seat.session.conversation("lunch").send(scene.text("first"))
            scene.said.append(sent)
            scene.first.append(sent.id)
        for seat in scene.seats:
            seat.watch(scene.first)
        yield scene
