import asyncio

import pytest

from rtflow.testing import until


async def test_until_returns_when_the_condition_becomes_true() -> None:
    answers = iter([False, False, True])
    await until(lambda: next(answers))
    assert list(answers) == []


async def test_until_awaits_the_answer_of_an_async_condition() -> None:
    answers = iter([False, True])

    async def condition() -> bool:
        return next(answers)

    await until(condition)
    assert list(answers) == []


async def test_until_names_what_did_not_become_true() -> None:
    with pytest.raises(AssertionError, match=r"the moon is full .* within 0.01 s"):
        await until(lambda: False, timeout=0.01, what="the moon is full")


async def test_until_does_not_wait_longer_for_an_async_condition_that_hangs() -> None:
    async def condition() -> bool:
        return await asyncio.Event().wait()

    with pytest.raises(AssertionError):
        await until(condition, timeout=0.01)


async def test_a_timeout_of_the_condition_itself_is_not_taken_for_the_deadline() -> None:
    def condition() -> bool:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await until(condition)
