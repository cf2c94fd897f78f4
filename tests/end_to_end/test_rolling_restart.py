"""A server that is restarted again and again while people work: only `session.connection` tells."""

import asyncio
import contextlib
import itertools

import rtflow
from rtflow.testing import Recorder
from rtflow.testing.plugin import StartServer

RESTARTS = 3
DASHBOARDS = 5
WRITERS = 3
QUICK = rtflow.Backoff(first=0.05, most=0.3)


async def test_a_rolling_restart_under_load_is_seen_in_the_connection_alone(
    server_process: StartServer,
) -> None:
    server = await server_process(patience=60.0)
    async with contextlib.AsyncExitStack() as stack:

        async def enter(user: str) -> rtflow.Session:
            session = rtflow.Session(
                server.url, app_id="demo", user_id=user, reconnect=QUICK, request_timeout=60.0
            )
            await stack.enter_async_context(session)
            await session.current_user.create_if_not_exists(name=user)
            return session

        writers = [await enter(f"writer{n}") for n in range(WRITERS)]
        viewers = [await enter(f"viewer{n}") for n in range(DASHBOARDS)]
        room = writers[0].conversation("room")
        await room.create_if_not_exists(subject="0")
        for somebody in (*writers[1:], *viewers):
            await room.participant(somebody.user_id).create_if_not_exists()
        unread = [Recorder[int]() for _ in viewers]
        said = [Recorder[rtflow.Window[rtflow.MessageSnapshot] | None]() for _ in viewers]
        steps = [Recorder[rtflow.ConnectionState]() for _ in viewers]
        for viewer, counts, texts, states in zip(viewers, unread, said, steps, strict=True):
            mine = viewer.conversation("room")
            stack.enter_context(mine.unread.observe().subscribe(counts))
            stack.enter_context(mine.messages.window(500).observe().subscribe(texts))
            stack.enter_context(viewer.connection.observe().subscribe(states))
            await texts.until(bool)

        is_over = asyncio.Event()
        done = [0] * WRITERS

        async def write(number: int) -> None:
            """Each command has to succeed, whatever happens to the server meanwhile."""
            mine = writers[number].conversation("room")
            while not is_over.is_set():
                done[number] += 1
                await mine.send(f"{number}:{done[number]}")
                await mine.set(custom={str(number): str(done[number])})
                now = await mine.get()
                assert now is not None
                assert now.custom[str(number)] == str(done[number])

        async def saying_more() -> None:
            before = sum(done)
            await said[0].until(lambda _: sum(done) >= before + 3 * WRITERS, 60)

        async with asyncio.TaskGroup() as tasks:
            for number in range(WRITERS):
                tasks.create_task(write(number))
            for _ in range(RESTARTS):
                await saying_more()
                for states in steps:
                    await states.until(lambda shown: shown[-1].status == "live", 30)
                assert await server.terminate() == 0
                await server.restart()
            await saying_more()
            is_over.set()

        expected = {f"{n}:{i}" for n in range(WRITERS) for i in range(1, done[n] + 1)}
        for counts, texts, states in zip(unread, said, steps, strict=True):
            await counts.until(lambda values: values[-1] == len(expected), 30)
            await texts.until(lambda values: len(shown(values[-1])) == len(expected), 30)
            assert set(shown(texts.last)) == expected
            assert all(a < b for a, b in itertools.pairwise(counts.values)), "nothing stale"
            for window in texts.values:
                assert in_order(shown(window)), "nothing lost, nothing twice, nothing moved"
            assert counts.error is texts.error is None
            lost = [it.reason for it in states.values if it.status == "waiting"]
            assert lost.count("closed with 1012 (the server restarts)") == RESTARTS, lost
            assert states.last.status == "live"


def shown(window: rtflow.Window[rtflow.MessageSnapshot] | None) -> list[str]:
    """Return what a window shows, oldest first."""
    assert window is not None
    return [message.plaintext for message in reversed(window.items)]


def in_order(texts: list[str]) -> bool:
    """Tell whether each writer's messages are there from the first, each once and in order."""
    by_writer: dict[str, list[int]] = {}
    for text in texts:
        writer, number = text.split(":")
        by_writer.setdefault(writer, []).append(int(number))
    return all(it == [*range(1, len(it) + 1)] for it in by_writer.values())
