"""Coroutines run at once as far as they can, and go on as tasks where they have to wait."""

import asyncio

import pytest

from rtflow.server.gateway.eager import Eager


async def test_what_need_not_wait_is_done_at_once() -> None:
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    async with asyncio.TaskGroup() as tasks:
        Eager(tasks).start(work())
        assert done == [1]


async def test_what_has_to_wait_goes_on_as_if_it_had_been_awaited() -> None:
    loop = asyncio.get_running_loop()
    first, second, broken = (loop.create_future() for _ in range(3))
    seen: list[object] = []

    async def work() -> None:
        seen.append(await first)
        try:
            await broken
        except OSError as exc:
            seen.append(str(exc))
        seen.append(await second)

    async with asyncio.TaskGroup() as tasks:
        Eager(tasks).start(work())
        assert seen == []
        second.set_result("second")
        first.set_result("first")
        broken.set_exception(OSError("broken"))
    assert seen == ["first", "broken", "second"]


async def test_a_failure_is_logged_and_costs_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    gate = asyncio.get_running_loop().create_future()

    async def fail(wait: bool) -> None:
        if wait:
            await gate
        raise ValueError(f"after waiting: {wait}")

    async with asyncio.TaskGroup() as tasks:
        eager = Eager(tasks)
        eager.start(fail(False))
        eager.start(fail(True))
        gate.set_result(None)
    assert "after waiting: False" in caplog.text
    assert "after waiting: True" in caplog.text


async def test_the_end_of_the_group_ends_what_waits() -> None:
    ended: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    tasks = asyncio.TaskGroup()
    await tasks.__aenter__()
    Eager(tasks).start(work())
    with pytest.raises(ExceptionGroup):
        await tasks.__aexit__(ValueError, ValueError(), None)
    assert ended == [True]
