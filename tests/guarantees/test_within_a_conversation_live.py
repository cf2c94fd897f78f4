"""The guarantees, for what can be watched within a conversation, and for who is online.

One test per guarantee, over all kinds; what is special to one is in tests/client/test_*_live.py.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import pytest
import pytest_asyncio
from msgspec import Struct
from reactivex import operators as ops

import rtflow
from rtflow.testing import Link, Recorder
from rtflow.testing.plugin import OpenSession
from tests.guarantees.conftest import QUICK, Company

AnyLive: TypeAlias = rtflow.Live[Any]  # of whatever type

THUMB: Final = "👍"


class Kind(Struct, frozen=True):
    """Something to watch in the conversation "lunch", and how Bob changes what Alice sees of it.

    `look` says what to watch, of a session and the id of a message by Bob; `change` changes it,
    for the n-th time, so that each time it differs from the last.
    """

    look: Callable[[rtflow.Session, str], AnyLive]
    change: Callable[[Company, str, int], Awaitable[object]]


async def react(company: Company, id: str, n: int) -> None:
    thumb = company.bobs_lunch.message(id).reactions(THUMB)
    await (thumb.remove() if n % 2 else thumb.add())


async def write(company: Company, _id: str, n: int) -> None:
    await (company.bobs_lunch.send("done") if n % 2 else company.bobs_lunch.mark_as_typing())


async def rename(company: Company, _id: str, n: int) -> None:
    await company.bob.current_user.set(name=f"Bob {n}")


async def edit(company: Company, id: str, n: int) -> None:
    await company.bobs_lunch.message(id).edit(f"edit {n}")


async def mute(company: Company, _id: str, n: int) -> None:
    await company.bobs_lunch.participant("bob").edit(notify=bool(n % 2))


def lunch(session: rtflow.Session) -> rtflow.ConversationRef:
    return session.conversation("lunch")


KINDS: Final = {
    "message": Kind(lambda it, id: lunch(it).message(id), edit),
    "window": Kind(lambda it, id: lunch(it).messages.window(3), edit),
    "reactions": Kind(lambda it, id: lunch(it).message(id).reactions(THUMB), react),
    "reacted": Kind(lambda it, id: lunch(it).message(id), react),
    "participant": Kind(lambda it, id: lunch(it).participant("bob"), mute),
    "participants": Kind(lambda it, id: lunch(it).participants, mute),
    "typing": Kind(lambda it, id: lunch(it).typing, write),
    "online": Kind(lambda it, id: it.user("bob").online, rename),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


@pytest_asyncio.fixture
async def said(company: Company) -> str:
    """The id of what Bob said."""
    return (await company.bobs_lunch.send("hello")).id


async def watch(live: AnyLive) -> Recorder[Any]:
    seen = Recorder[Any]()
    live.observe().subscribe(seen)
    await seen.until(lambda values: len(values) == 1)
    return seen


async def changes(company: Company, id: str, kind: Kind, seen: Recorder[Any], times: int) -> None:
    """Change it so many times, each when the last one was seen."""
    for n in range(times):
        before = len(seen.values)
        await kind.change(company, id, n)
        await seen.until(lambda values, before=before: len(values) > before)  # type: ignore[misc]


async def barrier(company: Company) -> None:
    """Whatever was sent before has arrived."""
    await company.alice.user("stranger").get()


@every_kind
async def test_01_building_it_sends_nothing(
    open_session: OpenSession, link: Link, kind: Kind
) -> None:
    session = await open_session("alice", server=link.url)
    kind.look(session, "m1").observe().pipe(ops.distinct_until_changed())
    assert link.opened == 0


@every_kind
async def test_01_disposing_in_the_callback_stops_at_once(
    company: Company, said: str, kind: Kind
) -> None:
    live = kind.look(company.alice, said)
    seen = Recorder[Any]()
    live.observe().pipe(ops.take(2)).subscribe(seen)
    witness = await watch(live)
    await changes(company, said, kind, witness, 3)
    assert (len(seen.values), seen.completed) == (2, True)


@every_kind
async def test_02_another_observer_sends_nothing(company: Company, said: str, kind: Kind) -> None:
    first = await watch(kind.look(company.alice, said))
    await barrier(company)
    before = company.link.bytes_up
    for _ in range(20):
        other = Recorder[Any]()
        kind.look(company.alice, said).observe().subscribe(other)
        assert other.values == first.values
    assert await kind.look(company.alice, said).get() == first.last
    assert company.link.bytes_up == before


@every_kind
async def test_02_the_last_disposal_unsubscribes(
    open_session: OpenSession, company: Company, said: str, kind: Kind
) -> None:
    alice = await open_session("alice", server=company.link.url, reconnect=QUICK, linger=0)
    seen = Recorder[Any]()
    with kind.look(alice, said).observe().subscribe(seen):
        await seen.until(lambda values: len(values) == 1)
        await alice.user("stranger").get()
        before = company.link.bytes_up
    await company.link.until(lambda it: it.bytes_up > before)
    again = Recorder[Any]()
    with kind.look(alice, said).observe().subscribe(again):
        assert again.values == []
        await again.until(lambda values: values == seen.values)


@every_kind
async def test_03_each_sees_the_current_value_and_then_each_newer_one(
    company: Company, said: str, kind: Kind
) -> None:
    early = await watch(kind.look(company.alice, said))
    await kind.change(company, said, 0)
    await early.until(lambda values: len(values) >= 2)
    late = Recorder[Any]()
    kind.look(company.alice, said).observe().subscribe(late)
    assert late.values == early.values[-1:]
    await kind.change(company, said, 1)
    await late.until(lambda values: len(values) >= 2)
    assert early.values[-len(late.values) :] == late.values
    pairs = zip(early.values, early.values[1:], strict=False)
    assert all(before != after for before, after in pairs)


@every_kind
async def test_04_it_is_none_for_a_stranger_until_he_is_let_in(
    company: Company, said: str, kind: Kind, open_session: OpenSession
) -> None:
    carol = await open_session("carol")
    await carol.current_user.create_if_not_exists(name="Carol")
    live = kind.look(carol, said)
    if kind is KINDS["online"]:
        assert await live.get() is not None
        assert await carol.user("nobody").online.get() is None
        return
    assert await live.get() is None
    seen = await watch(live)
    assert seen.values == [None]
    await company.lunch.participant("carol").create_if_not_exists()
    await seen.until(lambda values: values[-1] is not None)
    await kind.change(company, said, 0)
    await seen.until(lambda values: len(values) >= 3)
    await company.lunch.participant("carol").delete()
    await seen.until(lambda values: values[-1] is None)
    count = len(seen.values)
    await kind.change(company, said, 1)
    await carol.user("stranger").get()
    assert len(seen.values) == count


@every_kind
async def test_05_what_changed_while_the_connection_was_lost_is_seen_once(
    company: Company, said: str, kind: Kind
) -> None:
    live = kind.look(company.alice, said)
    seen = await watch(live)
    steps = Recorder[rtflow.ConnectionState]()
    company.alice.connection.observe().subscribe(steps)
    company.link.refuse()
    company.link.cut()
    await steps.until(lambda values: values[-1].status != "live")
    await kind.change(company, said, 0)
    assert len(seen.values) == 1
    company.link.accept()
    await seen.until(lambda values: len(values) == 2)
    await barrier(company)
    assert len(seen.values) == 2
    assert await live.get() == seen.last
    fresh = await kind.look(company.bob, said).get()
    if kind not in (KINDS["typing"], KINDS["reacted"]):  # which differ by who looks
        assert seen.last == fresh


@every_kind
async def test_07_an_observer_that_raises_is_detached_and_no_other(
    company: Company, said: str, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise ValueError("by an observer")

    live = kind.look(company.alice, said)
    live.observe().subscribe(fail)
    seen = await watch(live)
    await kind.change(company, said, 0)
    await seen.until(lambda values: len(values) >= 2)
    logged = [it for it in caplog.records if "observer raised" in it.message]
    assert len(logged) == 1


@every_kind
async def test_08_it_completes_with_the_session(company: Company, said: str, kind: Kind) -> None:
    seen = await watch(kind.look(company.alice, said))
    await company.alice.close()
    assert seen.completed
    with pytest.raises(rtflow.SessionClosed):
        await kind.look(company.alice, said).get()


@every_kind
async def test_10_whoever_iterates_slowly_sees_the_newest(
    company: Company, said: str, kind: Kind
) -> None:
    live = kind.look(company.alice, said)
    values = aiter(live)
    first = await anext(values)
    witness = await watch(live)
    await changes(company, said, kind, witness, 4)
    if witness.last != first:  # or it is as it was, and nothing new to him
        assert await anext(values) == witness.last
    del values
    gc.collect()


async def test_13_writes_in_flight_when_the_link_drops_happen_once(company: Company) -> None:
    """The server does all of it; every answer is lost."""
    kept, gone = await company.lunch.send("kept"), await company.lunch.send("gone")
    unliked = await company.lunch.send("unliked")
    await unliked.reactions(THUMB).add()
    bob = Recorder[rtflow.Window[rtflow.MessageSnapshot] | None]()
    company.bobs_lunch.messages.observe().subscribe(bob)
    company.link.stall("down")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kept.edit("changed"))
        tasks.create_task(kept.reactions(THUMB).add())
        tasks.create_task(unliked.reactions(THUMB).remove())
        tasks.create_task(gone.delete())
        tasks.create_task(company.lunch.mark_as_typing())
        last = tasks.create_task(company.lunch.send("last", referenced_message=kept))
        await bob.until(lambda values: shown(values[-1])[0] == ("last", 0))
        company.link.cut()
        company.link.resume()
    assert shown(await company.lunch.messages.get()) == [
        ("last", 0),
        ("unliked", 0),
        ("changed", 1),
    ]
    assert shown(bob.last) == shown(await company.lunch.messages.get())
    newest = await company.lunch.messages.window(1).get()
    assert newest is not None
    assert await last.result().get() == newest.items[0]


def shown(window: rtflow.Window[rtflow.MessageSnapshot] | None) -> list[tuple[str, int]]:
    """What is said, and how many reacted."""
    items = () if window is None else window.items
    return [(it.plaintext, sum(one.count for one in it.reactions)) for it in items]
