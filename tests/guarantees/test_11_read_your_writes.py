"""11. Read your writes: after a write has returned, `get()` and every emission include it."""

import pytest

import rtflow
from rtflow.testing import Recorder
from tests.guarantees.conftest import Company


@pytest.mark.parametrize("is_watched", [True, False])
async def test_get_includes_every_write_of_this_session(company: Company, is_watched: bool) -> None:
    alice, lunch = company.alice, company.lunch
    seen = Recorder[rtflow.ConversationSnapshot | None]()
    if is_watched:
        lunch.observe().subscribe(seen)
        lunch.messages.observe().subscribe(lambda _: None)
        alice.current_user.observe().subscribe(lambda _: None)
        alice.conversations.observe().subscribe(lambda _: None)
        alice.conversations.unread.observe().subscribe(lambda _: None)

    for number in range(20):
        word = f"number {number}"
        await alice.current_user.set(name=word, custom={"n": word})
        user = await alice.current_user.get()
        assert user is not None
        assert (user.name, user.custom) == (word, {"n": word})

        await lunch.set(subject=word, custom={"n": None if number % 2 else word})
        snapshot = await lunch.get()
        assert snapshot is not None
        assert snapshot.subject == word
        assert snapshot.custom == ({} if number % 2 else {"n": word})

        message = await lunch.send(word)
        snapshot, window = await lunch.get(), await lunch.messages.get()
        assert snapshot is not None
        assert snapshot.last_message is not None
        assert snapshot.last_message.id == message.id
        assert snapshot.last_message.sender is not None
        assert snapshot.last_message.sender.name == word
        assert window is not None
        assert window.items[0] == snapshot.last_message
        assert (await alice.conversations.get()).items[0] == snapshot

        await lunch.mark_as_unread()
        snapshot = await lunch.get()
        assert snapshot is not None
        assert snapshot.is_unread
        await lunch.mark_as_read()
        snapshot = await lunch.get()
        assert snapshot is not None
        assert not snapshot.is_unread
        assert await lunch.unread.get() == await alice.conversations.unread.get() == 0
        if is_watched:
            await seen.until(lambda values: len(values) > 0)
            assert seen.last == snapshot


async def test_a_new_conversation_is_in_the_list_at_once(company: Company) -> None:
    listed = Recorder[rtflow.Window[rtflow.ConversationSnapshot]]()
    company.alice.conversations.observe().subscribe(listed)
    await listed.until(lambda values: len(values[-1].items) == 1)
    for number in range(5):
        await company.alice.conversation(f"new {number}").create_if_not_exists()
        items = (await company.alice.conversations.get()).items
        assert items[0].id == f"new {number}"
        await company.alice.conversation(f"new {number}").participant("alice").delete()
        items = (await company.alice.conversations.get()).items
        assert [it.id for it in items] == ["lunch"]


def newest(window: rtflow.Window[rtflow.ConversationSnapshot], n: int) -> list[str]:
    """Return the first n, which may be of the same millisecond."""
    return [it.id for it in window.items[:n]]


async def many(company: Company, n: int) -> None:
    """Make n conversations of Alice, the last one most recently active; "lunch" is before them."""
    for number in range(n):
        await company.alice.conversation(f"c{number:02}").create_if_not_exists()


async def test_a_conversation_that_no_list_held_is_in_the_list_that_it_was_written_into(
    company: Company,
) -> None:
    alice = company.alice
    await many(company, 30)
    named = alice.conversations.window(5, filter={"subject": ["==", "x"]})
    unread = alice.conversations.window(5, filter={"isUnread": True})
    lists = (alice.conversations, named, unread)
    seen = [Recorder[rtflow.Window[rtflow.ConversationSnapshot]]() for _ in lists]
    for live, recorder in zip(lists, seen, strict=True):
        live.observe().subscribe(recorder)
        await recorder.until(lambda values: len(values) > 0)
    for number in range(5):
        id = f"c{number:02}"
        await alice.conversation(id).send("hello")
        before = len(seen[0].values)
        assert id in newest(await alice.conversations.get(), number + 1)
        await seen[0].until(lambda values: id in newest(values[-1], number + 1))  # noqa: B023 - awaited
        assert all(id in newest(it, number + 1) for it in seen[0].values[before:])
    for number in range(5, 8):
        id = f"c{number:02}"
        await alice.conversation(id).set(subject="x")
        assert id in [it.id for it in (await named.get()).items]
        await alice.conversation(id).mark_as_unread()
        assert id in [it.id for it in (await unread.get()).items]


async def test_more_than_a_page_of_conversations_is_read_while_it_is_watched(
    company: Company,
) -> None:
    """What moves up between two pages would be in neither of them."""
    await many(company, 34)
    window = company.alice.conversations.window(40)
    assert (items := (await window.get()).items)[-1].id == "lunch"
    assert len(items) == 35
    assert (await window.get()).loaded_all
    await company.bobs_lunch.send("me first")
    before = company.link.bytes_up
    for _ in range(3):  # from memory, while it lingers
        items = (await window.get()).items
    assert len({it.id for it in items}) == 35
    assert company.link.bytes_up - before < 1_000
