"""The people of the demo: each has a session, and says and reads what the script tells.

Nothing here is special: it is what people's clients do, through the face of the library.

Not here: the words and the rhythm (script.py), the server, the dashboard.
Invariant: when `talking` is left, no task and no session of theirs is left.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import rtflow
from rtflow.cli.demo.script import PEOPLE, ROOMS, YOU, Room, glances, talk

__all__ = ["APP", "talking"]

APP = "demo"


@asynccontextmanager
async def talking(url: str, seed: int) -> AsyncGenerator[None]:
    """Let them talk while the body runs; when it starts everybody is there and silent."""
    async with AsyncExitStack() as sessions:
        people = dict[str, rtflow.Session]()
        for id, name in {YOU: "You", **PEOPLE}.items():
            session = rtflow.Session(url, app_id=APP, user_id=id)
            people[id] = await sessions.enter_async_context(session)
            await session.current_user.create_if_not_exists(name=name)
        for room in ROOMS:
            await found(room, people)
        async with asyncio.TaskGroup() as tasks:
            lives = [tasks.create_task(live_in(room, people, seed)) for room in ROOMS]
            lives.append(tasks.create_task(look_now_and_then(people[YOU], seed)))
            try:
                yield
            finally:
                for life in lives:
                    life.cancel()


async def found(room: Room, people: dict[str, rtflow.Session]) -> None:
    """Create a conversation and bring everybody in."""
    founder, *others = room.members
    conversation = people[founder].conversation(room.id)
    await conversation.create_if_not_exists(subject=room.subject)
    for id in (*others, YOU):
        await conversation.participant(id).create_if_not_exists()


async def live_in(room: Room, people: dict[str, rtflow.Session], seed: int) -> None:
    """Say line after line. Who speaks has read what was there."""
    for line in talk(room, seed):
        await asyncio.sleep(line.pause)
        conversation = people[line.speaker].conversation(room.id)
        await conversation.mark_as_read()
        await asyncio.sleep(line.typing)
        await conversation.send(line.text)


async def look_now_and_then(you: rtflow.Session, seed: int) -> None:
    """Read one of the conversations in which something is unread."""
    for pause, which in glances(seed):
        await asyncio.sleep(pause)
        unread = [c for c in (await you.conversations.get()).items if c.unread_message_count]
        if unread:
            await you.conversation(unread[int(which * len(unread))].id).mark_as_read()
