"""4. None is a value: of what does not exist or may not be seen; the stream goes on."""

import pytest

import rtflow
from rtflow.testing import Recorder
from rtflow.testing.plugin import OpenSession
from tests.guarantees.conftest import Company


async def test_a_stream_follows_somebody_who_is_let_in_and_put_out(
    company: Company, open_session: OpenSession
) -> None:
    carol = await open_session("carol")
    await carol.current_user.create_if_not_exists(name="Carol")
    seen = Recorder[rtflow.ConversationSnapshot | None]()
    said = Recorder[rtflow.Window[rtflow.MessageSnapshot] | None]()
    listed = Recorder[rtflow.Window[rtflow.ConversationSnapshot]]()
    await company.lunch.send("secret")
    carol.conversation("lunch").observe().subscribe(seen)
    carol.conversation("lunch").messages.observe().subscribe(said)
    carol.conversations.observe().subscribe(listed)
    await seen.until(lambda values: values == [None])
    await said.until(lambda values: values == [None])
    await listed.until(lambda values: values == [rtflow.Window((), True)])

    await company.lunch.participant("carol").create_if_not_exists()
    await seen.until(lambda values: values[-1] is not None)
    await said.until(lambda values: values[-1] is not None)
    await listed.until(lambda values: len(values[-1].items) == 1)
    last = seen.last
    assert last is not None
    assert last.last_message is not None
    assert last.last_message.plaintext == "secret"
    assert listed.last.items == (last,)

    await company.lunch.participant("carol").delete()
    await seen.until(lambda values: values[-1] is None)
    await said.until(lambda values: values[-1] is None)
    await listed.until(lambda values: values[-1].items == ())


async def test_reads_of_what_may_not_be_seen_give_none_and_writes_raise(
    company: Company, open_session: OpenSession
) -> None:
    carol = await open_session("carol")
    await carol.current_user.create_if_not_exists(name="Carol")
    lunch = carol.conversation("lunch")
    assert await lunch.get() is None
    assert await lunch.unread.get() == 0
    assert await lunch.messages.get() is None
    assert await carol.user("nobody").get() is None
    with pytest.raises(rtflow.RequestRefused):
        await lunch.send("let me in")
    with pytest.raises(rtflow.Forbidden):
        await lunch.create_if_not_exists()
    with pytest.raises(rtflow.Forbidden):
        await lunch.set(subject="Mine")


async def test_a_user_comes_into_being_before_the_observers_eyes(company: Company) -> None:
    seen = Recorder[rtflow.UserSnapshot | None]()
    company.alice.user("dan").observe().subscribe(seen)
    await seen.until(lambda values: values == [None])
    await company.bob.user("dan").create_if_not_exists(name="Dan")
    await seen.until(lambda values: values[-1] is not None and values[-1].name == "Dan")
