"""A mailbox: what comes for the one task that reads a connection."""

import asyncio

import pytest

from rtflow.server.gateway.uvicorn.mailbox import Mailbox


async def test_messages_are_taken_in_the_order_in_which_they_came() -> None:
    mailbox = Mailbox[int]()
    taken: list[int] = []
    for number in range(5):
        mailbox.put_nowait(number)
    taken += [await mailbox.get(), await mailbox.get()]
    mailbox.put_nowait(5)
    while not mailbox.empty():
        taken.append(await mailbox.get())
    assert taken == [0, 1, 2, 3, 4, 5]


async def test_its_reader_waits_for_the_next_one() -> None:
    mailbox = Mailbox[str]()
    loop = asyncio.get_running_loop()
    loop.call_soon(mailbox.put_nowait, "hello")
    assert await mailbox.get() == "hello"
    assert mailbox.empty()


async def test_what_comes_for_a_reader_that_is_cancelled_is_not_lost() -> None:
    mailbox = Mailbox[str]()
    loop = asyncio.get_running_loop()
    reader = loop.create_task(mailbox.get())
    loop.call_soon(mailbox.put_nowait, "hello")
    loop.call_soon(reader.cancel)
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await mailbox.get() == "hello"
