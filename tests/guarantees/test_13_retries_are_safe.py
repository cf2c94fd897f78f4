"""13. Retries are safe: what was in flight is repeated only if that cannot do it twice."""

import asyncio

from rtflow.testing import Recorder
from tests.guarantees.conftest import Company


async def test_writes_in_flight_when_the_link_drops_happen_once(company: Company) -> None:
    """The server does all of it; every answer is lost."""
    lunch, bob = company.lunch, Recorder[int]()
    company.bobs_lunch.unread.observe().subscribe(bob)
    await bob.until(lambda values: values == [0])
    company.link.stall("down")
    async with asyncio.TaskGroup() as tasks:
        sent = [tasks.create_task(lunch.send(str(number))) for number in range(5)]
        tasks.create_task(company.alice.user("new").create_if_not_exists(name="New"))
        tasks.create_task(lunch.participant("new").create_if_not_exists())
        tasks.create_task(lunch.set(subject="Twice?"))
        await bob.until(lambda values: values[-1] == 5)
        company.link.cut()
        company.link.resume()
    window = await lunch.messages.get()
    assert window is not None
    assert [it.id for it in window.items] == [it.result().id for it in reversed(sent)]
    assert [it.plaintext for it in window.items] == ["4", "3", "2", "1", "0"]
    assert bob.last == 5


async def test_marking_as_read_twice_does_not_read_what_came_in_between(company: Company) -> None:
    unread = Recorder[int]()
    company.bob.conversation("lunch").unread.observe().subscribe(lambda _: None)
    await company.bobs_lunch.send("one")
    company.lunch.unread.observe().subscribe(unread)
    await unread.until(lambda values: values == [1])
    before = company.link.bytes_up
    company.link.stall("down")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(company.lunch.mark_as_read())
        await company.link.until(lambda it: it.bytes_up > before)
        await company.bobs_lunch.send("two")
        company.link.cut()
        company.link.resume()
    await unread.until(lambda values: values[-1] == 1)
    snapshot = await company.lunch.get()
    assert snapshot is not None
    assert snapshot.unread_message_count == 1
