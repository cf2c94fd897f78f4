"""A server that is killed under live dashboards, and comes back: nobody has to be restarted."""

import contextlib
from collections.abc import Sequence

from rtflow import Backoff, Session, Window
from rtflow.model.snapshots import ConversationSnapshot
from rtflow.testing import Recorder
from rtflow.testing.plugin import StartServer

DASHBOARDS = 10
ROOMS = ("lunch", "release", "support")
QUICK = Backoff(most=0.5)


def counts(window: Window[ConversationSnapshot]) -> dict[str, int]:
    return {item.id: item.unread_message_count for item in window.items}


async def show(
    lists: Sequence[Recorder[Window[ConversationSnapshot]]],
    totals: Sequence[Recorder[int]],
    unread: dict[str, int],
) -> None:
    """Wait until each of these dashboards shows these counts, and their sum."""
    for seen, total in zip(lists, totals, strict=True):
        await seen.until(lambda shown: bool(shown) and counts(shown[-1]) == unread, 30)
        await total.until(lambda shown: bool(shown) and shown[-1] == sum(unread.values()), 30)


async def test_ten_dashboards_show_the_right_counts_after_the_server_was_killed_and_came_back(
    server_process: StartServer,
) -> None:
    server = await server_process()
    async with contextlib.AsyncExitStack() as stack:

        async def enter(user: str) -> Session:
            session = Session(server.url, app_id="demo", user_id=user, reconnect=QUICK)
            await stack.enter_async_context(session)
            await session.current_user.create_if_not_exists(name=user)
            return session

        writer = await enter("writer")
        viewers = [await enter(f"viewer{n}") for n in range(DASHBOARDS)]
        for room in ROOMS:
            await writer.conversation(room).create_if_not_exists(subject=room)
            for viewer in viewers:
                await writer.conversation(room).participant(viewer.user_id).create_if_not_exists()
        lists = [Recorder[Window[ConversationSnapshot]]() for _ in viewers]
        totals = [Recorder[int]() for _ in viewers]
        for viewer, seen, total in zip(viewers, lists, totals, strict=True):
            stack.enter_context(viewer.conversations.observe().subscribe(seen))
            stack.enter_context(viewer.conversations.unread.observe().subscribe(total))

        await writer.conversation("lunch").send("before")
        await show(lists, totals, {"lunch": 1, "release": 0, "support": 0})

        for turn in range(1, 4):
            await server.kill()
            await server.restart()
            async with Session(server.url, app_id="demo", user_id="writer") as other:
                await other.conversation("release").send("while the dashboards were away, or not")
            await viewers[0].conversation("support").send("from a dashboard's own session")
            await viewers[0].conversation("support").mark_as_read()
            unread = {"lunch": 1, "release": turn, "support": turn}
            await show(lists[1:], totals[1:], unread)
            await show(lists[:1], totals[:1], {**unread, "support": 0})
        for viewer, seen in zip(viewers, lists, strict=True):
            assert seen.error is None
            assert counts(seen.values[-1]) == counts(await viewer.conversations.get())
            assert all(a != b for a, b in zip(seen.values, seen.values[1:], strict=False))
