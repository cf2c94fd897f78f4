"""Who waits too long is told so, in time; who has left is not."""

import asyncio

from rtflow.client.deadlines import Deadlines


class Waiting:
    """Deadlines, and who was overdue so far."""

    def __init__(self) -> None:
        self.overdue = asyncio.Queue[str]()
        self.deadlines = Deadlines[str](self.overdue.put_nowait)

    async def next(self) -> str:
        async with asyncio.timeout(5):
            return await self.overdue.get()


async def test_each_is_overdue_in_his_turn_whoever_came_first() -> None:
    waiting = Waiting()
    start = asyncio.get_running_loop().time()
    waiting.deadlines.enter("patient", 0.03)
    waiting.deadlines.enter("hasty", 0.01)
    waiting.deadlines.enter("as patient", 0.03)
    assert [await waiting.next() for _ in range(3)] == ["hasty", "patient", "as patient"]
    assert asyncio.get_running_loop().time() - start >= 0.03
    waiting.deadlines.enter("late", 0.01)
    assert await waiting.next() == "late"


async def test_who_has_left_is_not_overdue() -> None:
    waiting = Waiting()
    waiting.deadlines.enter("left", 0.01)
    waiting.deadlines.enter("stays", 0.01)
    waiting.deadlines.leave("left", 0.01)
    assert await waiting.next() == "stays"
    waiting.deadlines.leave("stays", 0.01)
    assert waiting.overdue.empty()


async def test_nobody_is_overdue_after_the_end() -> None:
    waiting, later = Waiting(), Waiting()
    waiting.deadlines.enter("him", 0.01)
    waiting.deadlines.end()
    waiting.deadlines.end()
    later.deadlines.enter("her", 0.02)
    assert await later.next() == "her"
    assert waiting.overdue.empty()
