"""`session.stats()`: things happen on a real connection, and the figures move with them."""

import asyncio

import pytest

import rtflow
from rtflow.testing import Link, Recorder, until
from rtflow.testing.plugin import OpenSession
from tests.guarantees.conftest import Company, company

__all__ = ["company"]


async def test_a_session_that_did_nothing_has_nothing_to_show() -> None:
    async with rtflow.Session("http://localhost:1", app_id="demo", user_id="alice") as session:
        stats = session.stats()
    assert {
        name: value for name in stats.__struct_fields__ if (value := getattr(stats, name))
    } == {}
    assert stats.round_trip is None


async def test_a_picture_does_not_change(company: Company) -> None:
    before = company.alice.stats()
    again = company.alice.stats()
    await company.lunch.send("hi")
    assert before == again
    assert company.alice.stats() != before
    with pytest.raises(AttributeError):
        before.events = 1  # type: ignore[misc]  # that is the point


async def test_requests_frames_and_bytes_are_counted_on_both_ways(company: Company) -> None:
    before = company.alice.stats()
    await company.lunch.send("hi")
    after = company.alice.stats()
    assert after.requests_sent - before.requests_sent == 1
    assert after.requests_answered - before.requests_answered == 1
    assert after.frames_sent - before.frames_sent == 1
    assert after.frames_received - before.frames_received == 1
    assert after.bytes_sent - before.bytes_sent > 50
    assert after.bytes_received - before.bytes_received > 10
    assert after.round_trip is not None
    assert 0 < after.round_trip < 5
    with pytest.raises(rtflow.NotFound):
        await company.alice.conversation("nowhere").send("hi")
    failed = company.alice.stats()
    assert failed.requests_failed - after.requests_failed == 1
    assert failed.requests_answered == after.requests_answered
    assert failed.requests_waiting == 0


async def test_a_request_that_is_not_answered_in_time_has_failed(
    open_session: OpenSession, link: Link
) -> None:
    impatient = await open_session("alice", server=link.url, request_timeout=0.1)
    await impatient.current_user.create_if_not_exists(name="Alice")
    before = impatient.stats()
    link.stall("down")
    with pytest.raises(rtflow.RequestTimedOut):
        await impatient.current_user.set(name="Alicia")
    after = impatient.stats()
    assert after.requests_failed - before.requests_failed == 1
    assert after.requests_waiting == 0
    link.resume()


async def test_reconnects_and_repeats_are_counted(company: Company) -> None:
    before = company.alice.stats()
    assert (before.connects, before.reconnects) == (1, 0)
    company.link.stall("down")
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(company.alice.current_user.set(name="Alicia"))
        await until(lambda: company.alice.stats().requests_sent == before.requests_sent + 1)
        assert company.alice.stats().requests_waiting == 1
        company.link.cut()
        company.link.resume()
        await task
    after = company.alice.stats()
    assert (after.connects, after.reconnects) == (2, 1)
    assert after.attempts >= 2
    assert after.requests_retried == 1
    assert after.requests_sent == before.requests_sent + 2
    assert after.requests_answered == before.requests_answered + 1
    assert after.requests_failed == before.requests_failed


async def test_events_resources_and_observers_are_counted(company: Company) -> None:
    before = company.alice.stats()
    assert (before.resources, before.observers) == (0, 0)
    seen = [Recorder[int]() for _ in range(3)]
    held = [company.lunch.unread.observe().subscribe(it) for it in seen]
    states = Recorder[rtflow.ConnectionState]()
    held.append(company.alice.connection.observe().subscribe(states))
    await seen[0].until(lambda values: values == [0])
    stats = company.alice.stats()
    assert (stats.resources, stats.observers) == (1, 4)
    await company.bobs_lunch.send("hungry?")
    await seen[0].until(lambda values: values[-1] == 1)
    assert company.alice.stats().events > stats.events
    for subscription in held:
        subscription.dispose()
    assert company.alice.stats().observers == 0
    assert company.alice.stats().resources == 1  # it lingers


def raise_on_two(unread: int) -> None:
    assert unread != 2


async def test_what_an_iterator_never_took_and_who_was_detached_are_counted(
    company: Company,
) -> None:
    values = aiter(company.lunch.unread)
    assert await anext(values) == 0
    seen = Recorder[int]()
    company.lunch.unread.observe().subscribe(seen)
    company.lunch.unread.observe().subscribe(raise_on_two)
    for number in (1, 2, 3):
        await company.bobs_lunch.send("hungry?")
        await seen.until(lambda values, number=number: values[-1] == number)  # type: ignore[misc]  # of int
    stats = company.alice.stats()
    assert stats.conflated == 2
    assert stats.detached == 1
    assert await anext(values) == 3
