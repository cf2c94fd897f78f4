"""What becomes of requests that mean nothing later, as that I am typing."""

import asyncio

import pytest

from rtflow.errors import RequestTimedOut, TooManyRequests
from rtflow.model.params import Empty
from rtflow.wire.endpoints import MARK_TYPING, Done, Renewed
from tests.client.scripted import SILENCE, Rig, ScriptedServer


async def test_what_means_nothing_later_is_given_up_in_silence(scripted: ScriptedServer) -> None:
    scripted.answers[MARK_TYPING] = SILENCE
    async with Rig(scripted.url) as rig, asyncio.TaskGroup() as tasks:
        await rig.live()
        sent = tasks.create_task(rig.link.ask(MARK_TYPING, ("lunch",), Empty()))
        await scripted.until(lambda: len(scripted.lines) == 1)
        await scripted.last.expire()
        await rig.until(lambda: rig.lives == 2)
        scripted.accepts = lambda _: SILENCE
        await scripted.last.expire()
        await rig.until(lambda: not rig.link.live)
        waiting = tasks.create_task(rig.link.ask(MARK_TYPING, ("dinner",), Empty()))
        await rig.turn()
        scripted.accepts = lambda _: Renewed()
        scripted.answers.clear()
        scripted.last.cut()
        assert await sent == await waiting == Done()
        await rig.until(lambda: rig.lives == 3)
        await rig.link.ask(MARK_TYPING, ("supper",), Empty())
    assert scripted.lines == [
        "POST /me/conversations/lunch/typing",
        "POST /me/conversations/supper/typing",
    ]


async def test_what_means_nothing_later_is_not_waited_for(scripted: ScriptedServer) -> None:
    scripted.accepts = lambda _: SILENCE
    async with Rig(scripted.url, request_timeout=0.05) as rig:
        assert await rig.link.ask(MARK_TYPING, ("lunch",), Empty()) == Done()
    scripted.accepts = lambda _: Renewed()
    scripted.answers[MARK_TYPING] = TooManyRequests("SLOW_DOWN")
    async with Rig(scripted.url) as rig:
        assert await rig.link.ask(MARK_TYPING, ("lunch",), Empty()) == Done()
    scripted.answers[MARK_TYPING] = SILENCE
    async with Rig(scripted.url, request_timeout=0.05) as rig:
        await rig.live()
        with pytest.raises(RequestTimedOut):  # it was sent: the server is at fault
            await rig.link.ask(MARK_TYPING, ("lunch",), Empty())
    assert scripted.lines == ["POST /me/conversations/lunch/typing"] * 2
