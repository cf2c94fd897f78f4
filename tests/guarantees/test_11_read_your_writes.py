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
