"""A clock that leaps, and all that waits for it with the times it has in production."""

import asyncio

import pytest

import rtflow
from rtflow.testing import Clock, Link, Recorder
from rtflow.testing.plugin import OpenSession


async def test_who_waits_is_woken_in_order_and_not_too_early(clock: Clock) -> None:
    woken = list[str]()
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def nap(name: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await asyncio.Event().wait()
        except TimeoutError:
            assert loop.time() >= began + seconds
            woken.append(name)

    async with asyncio.TaskGroup() as tasks:
        for name, seconds in (("late", 7200.0), ("soon", 60.0), ("later", 3600.0)):
            tasks.create_task(nap(name, seconds))
        await clock.advance(59)
        assert woken == []
        await clock.advance(7200)
    assert woken == ["soon", "later", "late"]
    assert clock.ahead == 7259


async def test_time_does_not_go_back(clock: Clock) -> None:
    with pytest.raises(ValueError, match="not even 1 s"):
        await clock.advance(-1)


@pytest.mark.leaks_allowed("uvloop keeps a pipe for the next loop")
def test_a_loop_that_keeps_its_clock_is_refused() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def take() -> None:
        with pytest.raises(TypeError, match="does not let anybody set its clock"):
            Clock()

    uvloop.run(take())


async def test_a_half_open_link_is_noticed_within_the_heartbeat_deadlines(
    clock: Clock, link: Link, open_session: OpenSession
) -> None:
    alice = await open_session("alice", server=link.url, request_timeout=1000.0)
    await alice.current_user.get()
    steps = Recorder[rtflow.ConnectionState]()
    with alice.connection.observe().subscribe(steps):
        link.stall(lose=True)
        await clock.advance(14)
        assert [it.status for it in steps.values] == ["live"]
        await clock.advance(2)
        await steps.until(lambda states: len(states) > 1)
        reason = steps.values[1].reason
        assert reason is not None
        assert reason.startswith("no sign of life for 15")
        link.resume()
        link.cut()
        await clock.advance(60)  # as long as a pause may be, and then some
        await steps.until(lambda states: states[-1].status == "live")


async def test_a_connection_over_which_nobody_speaks_stays_for_an_hour(
    clock: Clock, link: Link, open_session: OpenSession
) -> None:
    alice = await open_session("alice", server=link.url)
    await alice.current_user.get()
    before = link.opened
    await clock.advance(3600)
    await alice.user("bob").get()
    assert link.opened == before


async def test_a_server_forgets_who_types_when_his_time_is_over(
    clock: Clock, session: rtflow.Session, open_session: OpenSession
) -> None:
    bob = await open_session("bob")
    await session.current_user.create_if_not_exists(name="Alice")
    await bob.current_user.create_if_not_exists(name="Bob")
    lunch = session.conversation("lunch")
    await lunch.create_if_not_exists()
    await lunch.participant("bob").create_if_not_exists()
    seen = Recorder[rtflow.TypingSnapshot | None]()
    with lunch.typing.observe().subscribe(seen):
        await seen.until(lambda values: len(values) == 1)
        await bob.conversation("lunch").mark_as_typing()
        await seen.until(lambda values: len(values) == 2)
        await clock.advance(11)
        await seen.until(lambda values: len(values) == 3)
    assert seen.values[0] == seen.values[2]
