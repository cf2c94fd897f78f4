"""Writes that the server was too busy for: they keep their order, and hold up nothing else."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from rtflow.client import held
from rtflow.client.requests import Requests
from rtflow.errors import (
    BadRequest,
    RequestRefused,
    RtflowError,
    SessionClosed,
    TooManyRequests,
)
from rtflow.model.params import ConversationParams, Empty
from rtflow.wire.client import Answer
from rtflow.wire.endpoints import (
    SET_CONVERSATION,
    UNWATCH_CONVERSATION,
    WATCH_CONVERSATION,
    AnyEndpoint,
    Done,
)
from tests.client.scripted import Rig


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "FIRST_REST", 0.01)


class Wire:
    """A connection by hand: `calls` has what was sent, and is answered in any order."""

    def __init__(self) -> None:
        self.is_writable = True
        self.calls = list[str]()

    def call(self, endpoint: AnyEndpoint, ids: tuple[str, ...], params: Any) -> int:
        self.calls.append(ids[0])
        return len(self.calls) - 1

    def forget(self, seq: int) -> None:
        pass


class Desk:
    """Requests, and whoever waits for them."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.requests, self.wire = Requests(lambda: 0.5), Wire()
        self.requests.open(self.wire, lambda: None)
        self._tasks = tasks

    async def write(self, *names: str) -> list[asyncio.Task[Any]]:
        asked = [
            self._tasks.create_task(self._ask(SET_CONVERSATION, name, ConversationParams()))
            for name in names
        ]
        await Rig.turn()
        return asked

    def want(self, endpoint: AnyEndpoint, name: str) -> None:
        """Ask as the registry does."""
        self.requests.ask_soon(endpoint, (name,), Empty(), lambda _: None)

    async def watch(self, name: str) -> None:
        self._tasks.create_task(self._ask(WATCH_CONVERSATION, name, Empty()))
        await Rig.turn()

    async def _ask(self, endpoint: AnyEndpoint, name: str, params: Any) -> Any:
        try:
            return await self.requests.ask(endpoint, (name,), params, 60)
        except RtflowError as exc:
            return exc

    async def answer(self, seq: int, error: RequestRefused | None = None) -> None:
        self.requests.settle(Answer(seq, SET_CONVERSATION, Done(), error))
        await Rig.turn()

    async def sent(self, is_right: Callable[[list[str]], bool]) -> list[str]:
        async with asyncio.timeout(5):
            while not is_right(self.wire.calls):
                await Rig.turn()
        return self.wire.calls


@asynccontextmanager
async def at_a_desk() -> AsyncGenerator[Desk]:
    async with asyncio.TaskGroup() as tasks:
        desk = Desk(tasks)
        try:
            yield desk
        finally:
            desk.requests.close(SessionClosed())
    assert "0 waiting, 0 sent, 0 resting" in repr(desk.requests)
    assert len(desk.requests) == 0


BUSY = TooManyRequests("TOO_MANY_REQUESTS")


async def test_behind_a_refused_write_others_wait_and_reads_do_not() -> None:
    async with at_a_desk() as desk:
        await desk.write("a", "b")
        await desk.answer(0, BUSY)
        await desk.write("c")
        await desk.watch("seen")
        assert desk.wire.calls == ["a", "b", "seen"]
        await desk.answer(1, BUSY)
        assert (await desk.sent(lambda calls: len(calls) == 6))[3:] == ["a", "b", "c"]


async def test_what_was_refused_again_is_tried_again_later_and_in_order() -> None:
    async with at_a_desk() as desk:
        await desk.write("a", "b")
        for seq in (0, 1):
            await desk.answer(seq, BUSY)
        await desk.sent(lambda calls: len(calls) == 4)
        for seq in (3, 2):  # in whatever order it is said
            await desk.answer(seq, BUSY)
        assert (await desk.sent(lambda calls: len(calls) == 6))[4:] == ["a", "b"]


async def test_a_few_are_tried_and_when_they_are_answered_the_next_ones() -> None:
    names = [f"{number:02}" for number in range(20)]
    async with at_a_desk() as desk:
        asked = await desk.write(names[0])
        asked += await desk.write(*names[1:])
        for seq in range(20):
            await desk.answer(seq, BUSY)
        await desk.sent(lambda calls: len(calls) == 28)
        for seq in range(20, 27):
            await desk.answer(seq)
        assert len(desk.wire.calls) == 28
        await desk.answer(27, BadRequest("WRONG"))  # that is an answer, too
        await desk.sent(lambda calls: len(calls) == 36)
        for seq in range(28, 36):
            await desk.answer(seq)
        await desk.sent(lambda calls: len(calls) == 40)
        for seq in range(36, 40):
            await desk.answer(seq)
        assert desk.wire.calls[20:] == names
        assert all(task.done() for task in asked)
        await desk.write("free")
        assert desk.wire.calls[-1] == "free", "nothing is held any more"


async def test_who_leaves_holds_nobody_up() -> None:
    async with at_a_desk() as desk:
        first, second = await desk.write("a", "b")
        await desk.answer(0, BUSY)
        await desk.answer(1, BUSY)
        await desk.write("c")
        first.cancel()
        await desk.sent(lambda calls: len(calls) == 4)
        assert desk.wire.calls[2:] == ["b", "c"]
        await desk.write("d")
        second.cancel()
        await desk.answer(3)
        assert desk.wire.calls[4:] == ["d"]


async def test_over_a_loss_nothing_is_held_and_the_order_is_kept() -> None:
    async with at_a_desk() as desk:
        await desk.write("a", "b")
        await desk.answer(0, BUSY)
        await desk.write("c")
        desk.requests.lost()
        desk.wire = Wire()
        desk.requests.open(desk.wire, lambda: None)
        assert desk.wire.calls == ["a", "b", "c"]


async def test_what_waits_for_a_full_wire_is_held_too() -> None:
    async with at_a_desk() as desk:
        await desk.write("a")
        desk.wire.is_writable = False
        await desk.write("b")
        await desk.answer(0, BUSY)
        desk.wire.is_writable = True
        desk.requests.flush()
        assert desk.wire.calls == ["a"]
        assert (await desk.sent(lambda calls: len(calls) == 3))[1:] == ["a", "b"]


async def test_what_the_registry_asks_keeps_its_order_too() -> None:
    """An UNSUBSCRIBE after the SUBSCRIBE that followed it would make the session deaf."""
    async with at_a_desk() as desk:
        desk.want(UNWATCH_CONVERSATION, "no more")
        await desk.answer(0, BUSY)
        desk.want(WATCH_CONVERSATION, "again")
        await desk.write("a")
        assert desk.wire.calls == ["no more", "a"], "writes do not wait for it"
        assert (await desk.sent(lambda calls: len(calls) == 4))[2:] == ["no more", "again"]


@pytest.mark.parametrize("is_writable", [True, False])
async def test_what_the_registry_asked_is_forgotten_when_the_session_shows_another_token(
    is_writable: bool,
) -> None:
    async with at_a_desk() as desk:
        desk.want(WATCH_CONVERSATION, "refused")
        await desk.answer(0, BUSY)
        desk.requests.hold()
        desk.requests.open(desk.wire, lambda: None)
        desk.wire.is_writable = is_writable
        desk.want(UNWATCH_CONVERSATION, "old")
        desk.requests.hold()
        desk.wire.is_writable = True
        desk.requests.open(desk.wire, lambda: desk.want(WATCH_CONVERSATION, "new"))
        assert desk.wire.calls == ["refused", *["old"] * is_writable, "new"]
        assert "0 waiting, 1 sent, 0 resting" in repr(desk.requests)
