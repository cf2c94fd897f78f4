"""3. Current first: the current snapshot, then every newer one, never two equal ones in a row."""

from reactivex.abc import DisposableBase

import rtflow
from rtflow.testing import Recorder
from tests.guarantees.conftest import Company


async def test_each_observer_sees_the_current_value_and_then_each_newer_one(
    company: Company,
) -> None:
    early = Recorder[int]()
    company.lunch.unread.observe().subscribe(early)
    await early.until(lambda values: values == [0])
    await company.bobs_lunch.send("one")
    await early.until(lambda values: values == [0, 1])
    late = Recorder[int]()
    company.lunch.unread.observe().subscribe(late)
    assert late.values == [1]
    for text in ("two", "three"):
        await company.bobs_lunch.send(text)
    await late.until(lambda values: values[-1] == 3)
    assert (early.values, late.values) == ([0, 1, 2, 3], [1, 2, 3])


async def test_a_change_that_changes_nothing_is_not_seen(company: Company) -> None:
    seen = Recorder[rtflow.ConversationSnapshot | None]()
    company.lunch.observe().subscribe(seen)
    await seen.until(lambda values: bool(values))
    await company.lunch.set(subject="Lunch")
    await company.lunch.set(subject="Dinner")
    await seen.until(lambda values: len(values) == 2)
    assert [it and it.subject for it in seen.values] == ["Lunch", "Dinner"]


async def test_who_subscribes_in_a_callback_sees_what_is_current_there(company: Company) -> None:
    inner = Recorder[int]()
    subscriptions = list[DisposableBase]()

    def on_next(unread: int) -> None:
        if unread == 1:
            subscriptions.append(company.lunch.unread.observe().subscribe(inner))
            assert inner.values == [1]

    witness = Recorder[int]()
    company.lunch.unread.observe().subscribe(on_next)
    company.lunch.unread.observe().subscribe(witness)
    await witness.until(lambda values: values == [0])
    await company.bobs_lunch.send("one")
    await company.bobs_lunch.send("two")
    await inner.until(lambda values: values[-1] == 2)
    assert inner.values == [1, 2]
