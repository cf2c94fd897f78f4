"""Both halves on uvloop, whose timers are not those of asyncio: one that is due has no `when()`."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

import rtflow
from rtflow.server import Settings
from rtflow.testing import Recorder, serving, until

uvloop = pytest.importorskip("uvloop")
pytestmark = pytest.mark.leaks_allowed("uvloop keeps a pipe for the next loop")


def run(story: Coroutine[Any, Any, None]) -> None:
    """Run it there, and fail if anything goes wrong that nobody was told of."""
    problems = list[str]()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(str(context)))
        await story

    uvloop.run(main())
    assert problems == []


def test_what_nobody_wants_any_more_is_let_go_of_almost_at_once() -> None:
    async def story() -> None:
        async with (
            serving() as server,
            rtflow.Session(server.url, app_id="demo", user_id="alice", linger=0.0002) as alice,
        ):
            for n in range(20):
                watched = [alice.conversation(f"{n} {i}").unread for i in range(5)]
                looking = [it.observe().subscribe(seen := Recorder[int]()) for it in watched]
                await seen.until(bool)
                for look in looking:
                    look.dispose()
            await until(lambda: server.app.subscriptions == 1)

    run(story())


def test_users_who_leave_at_the_same_moment_are_all_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        settings = Settings(database=":memory:", secret=None, offline_delay=0)
        async with (
            serving(settings) as server,
            rtflow.Session(server.url, app_id="demo", user_id="watcher") as watcher,
        ):
            users = [f"user{n}" for n in range(8)]
            sessions = [rtflow.Session(server.url, app_id="demo", user_id=it) for it in users]
            seen = list[Recorder[rtflow.UserOnlineSnapshot | None]]()
            for session in sessions:
                await session.__aenter__()
                await session.current_user.create_if_not_exists(name="Somebody")
                seen.append(Recorder())
                watcher.user(session.user_id).online.observe().subscribe(seen[-1])
            for it in seen:
                await it.until(lambda values: is_connected(values[-1]))
            await asyncio.gather(*(session.close() for session in sessions))
            for it in seen:
                await it.until(lambda values: not is_connected(values[-1]))

    run(story())
    assert "Traceback" not in caplog.text


def is_connected(shown: rtflow.UserOnlineSnapshot | None) -> bool:
    return shown is not None and shown.is_connected
