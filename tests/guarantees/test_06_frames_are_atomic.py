"""6. Frames are atomic: what happened together is seen together, before a later answer."""

import rtflow
from rtflow.testing import Recorder
from tests.guarantees.conftest import Company


async def test_a_message_and_the_count_that_it_raises_are_seen_together(company: Company) -> None:
    await company.bobs_lunch.send("zero")
    seen = Recorder[rtflow.ConversationSnapshot | None]()
    company.lunch.observe().subscribe(seen)
    await seen.until(lambda values: bool(values))
    for text in ("one", "two", "three"):
        await company.bobs_lunch.send(text)
    await seen.until(lambda values: len(values) == 4)
    told = [(it.unread_message_count, it.last_message.plaintext) for it in seen.values]  # type: ignore[union-attr]  # else it fails
    assert told == [(1, "zero"), (2, "one"), (3, "two"), (4, "three")]


async def test_everything_is_applied_before_anybody_is_called(company: Company) -> None:
    """Each observer, when called, finds the other resources as new as its own."""
    lunch, seen = company.lunch, list[tuple[int, int]]()
    total = Recorder[int]()
    company.alice.conversations.unread.observe().subscribe(total)
    ready = Recorder[int]()
    lunch.unread.observe().subscribe(ready)
    await total.until(lambda values: bool(values))
    await ready.until(lambda values: bool(values))

    def on_next(unread: int) -> None:
        now = Recorder[int]()
        company.alice.conversations.unread.observe().subscribe(now).dispose()
        seen.append((unread, now.last))

    lunch.unread.observe().subscribe(on_next)
    for _ in range(3):
        await company.bobs_lunch.send("hungry?")
    await ready.until(lambda values: values[-1] == 3)
    assert seen == [(0, 0), (1, 1), (2, 2), (3, 3)]


async def test_observers_are_called_before_the_answer_to_the_write_that_caused_it(
    company: Company,
) -> None:
    seen = Recorder[rtflow.ConversationSnapshot | None]()
    company.lunch.observe().subscribe(seen)
    await seen.until(lambda values: bool(values))
    for subject in ("a", "b", "c"):
        await company.lunch.set(subject=subject)
        assert seen.last is not None
        assert seen.last.subject == subject
