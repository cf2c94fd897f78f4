"""Random commands of several users over breaking links: in the end all who watch see the truth."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

import rtflow
from rtflow.server import Settings
from rtflow.testing import Link, Recorder, serving

USERS = ("ada", "bob", "cy")
ROOMS = ("lunch", "work")
QUICK = rtflow.Backoff(first=0.01, most=0.05)
PATIENCE = 20.0  # seconds: this is about what is seen in the end, not about when

Act: TypeAlias = Callable[["Scene"], Awaitable[object]]


class Seat:
    """One session, the link that it is behind, and all that it watches."""

    def __init__(self, session: rtflow.Session, link: Link) -> None:
        self.session, self.link = session, link
        self.seen: list[Recorder[Any]] = []  # Any: streams of all types

    def watch(self) -> None:
        for live in lives(self.session):
            recorder = Recorder[Any]()
            live.observe().subscribe(recorder)
            self.seen.append(recorder)


class Scene(Struct):
    """Everybody at work, Ada twice."""

    seats: Sequence[Seat]

    def session(self, seat: int) -> rtflow.Session:
        return self.seats[seat].session


def lives(me: rtflow.Session) -> Iterator[rtflow.Live[Any]]:
    """Yield what can be watched, in the same order for each session."""
    for user in USERS:
        yield me.user(user)
    yield me.conversations
    yield me.conversations.window(1)
    yield me.conversations.window(5, filter={"isUnread": True})
    yield me.conversations.window(5, filter={"subject": ["==", "one"]})
    yield me.conversations.unread
    for room in map(me.conversation, ROOMS):
        yield room
        yield room.unread
        yield room.messages
        yield room.messages.window(2)


seats = st.integers(0, len(USERS))
rooms = st.sampled_from(ROOMS)
users = st.sampled_from(USERS)
accesses: st.SearchStrategy[Literal["Read", "ReadWrite"]]
accesses = st.sampled_from(["Read", "ReadWrite"])
words = st.sampled_from(["one", "two", "*three*"])


@st.composite
def acts(draw: st.DrawFn) -> "Named":
    """Draw something that one of them does."""
    seat, room, user, word = draw(seats), draw(rooms), draw(users), draw(words)
    access = draw(accesses)
    choices: dict[str, Act] = {
        "send": lambda it: it.session(seat).conversation(room).send(word),
        "read": lambda it: it.session(seat).conversation(room).mark_as_read(),
        "unread": lambda it: it.session(seat).conversation(room).mark_as_unread(),
        "found": lambda it: it.session(seat).conversation(room).create_if_not_exists(),
        "name": lambda it: it.session(seat).conversation(room).set(subject=word),
        "note": lambda it: it.session(seat).conversation(room).set(custom={word: user}),
        "wipe": lambda it: it.session(seat).conversation(room).set(custom=None),
        "rename": lambda it: it.session(seat).user(user).set(name=word),
        "invite": lambda it: (
            it.session(seat).conversation(room).participant(user).create_if_not_exists()
        ),
        "grant": lambda it: (
            it.session(seat).conversation(room).participant(user).set(access=access)
        ),
        "remove": lambda it: it.session(seat).conversation(room).participant(user).delete(),
        "cut": lambda it: cut(it.seats[seat].link),
    }
    name = draw(st.sampled_from(["send"] * 4 + ["invite"] * 2 + list(choices)))
    return Named(name, f"{seat} {room} {user} {word} {access}", choices[name])


class Named(Struct, frozen=True):
    """An act that says in a failing example what it was."""

    name: str
    what: str
    act: Act

    async def __call__(self, scene: Scene) -> object:
        return await self.act(scene)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.what}>"


async def cut(link: Link) -> None:
    link.cut()


@contextlib.asynccontextmanager
async def at_work() -> AsyncGenerator[tuple[Scene, str]]:
    """Three users in a conversation, each behind a link; the server's own address besides."""
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(Settings(database=":memory:")))
        found: list[Seat] = []
        for user in (*USERS, USERS[0]):
            link = await stack.enter_async_context(Link("127.0.0.1", server.port))
            session = rtflow.Session(link.url, app_id="demo", user_id=user, reconnect=QUICK)
            found.append(Seat(await stack.enter_async_context(session), link))
        ada = found[0].session
        for user in USERS:
            await ada.user(user).create_if_not_exists(name=user)
        await ada.conversation("lunch").create_if_not_exists(subject="one")
        for user in USERS:
            await ada.conversation("lunch").participant(user).create_if_not_exists()
        for seat in found:
            seat.watch()
        yield Scene(found), server.url


async def done(act: Act, scene: Scene) -> None:
    """Do it; that it may be refused, or nobody knows what came of it, is part of the story."""
    with contextlib.suppress(rtflow.RequestRefused, rtflow.OutcomeUnknown):
        await act(scene)


async def story(turns: Sequence[Sequence[Act]]) -> None:
    async with at_work() as (scene, url):
        for turn in turns:
            await asyncio.gather(*(done(act, scene) for act in turn))
        for seat in scene.seats:
            await agrees(seat, url)


async def agrees(seat: Seat, url: str) -> None:
    """Compare all that somebody watches with what a new session of his reads."""
    async with rtflow.Session(url, app_id="demo", user_id=seat.session.user_id) as fresh:
        for live, recorder in zip(lives(fresh), seat.seen, strict=True):
            truth = await live.get()
            await recorder.until(lambda values: values[-1] == truth, PATIENCE)  # noqa: B023
            values = recorder.values
            assert all(a != b for a, b in itertools.pairwise(values))
        for room in map(fresh.conversation, ROOMS):
            await counts_right(room)


async def counts_right(room: rtflow.ConversationRef) -> None:
    """Count the unread messages anew."""
    side, said = await room.get(), await room.messages.window(1000).get()
    if side is None or said is None:
        assert (side, said) == (None, None)
        return
    unread = [message for message in said.items if message.created_at > side.read_until]
    assert side.unread_message_count == len(unread)
    assert side.last_message == (said.items[0] if said.items else None)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(st.lists(acts(), min_size=1, max_size=4), max_size=12))
def test_after_any_story_everybody_sees_what_a_new_session_reads(
    turns: Sequence[Sequence[Act]],
) -> None:
    asyncio.run(story(turns))
