"""Participants: who is in a conversation, what they may do, and the list of them."""

import pytest

import rtflow
from rtflow.testing import Recorder
from tests.compatibility.conftest import Lunch


async def test_a_participant_is_what_was_set(lunch: Lunch) -> None:
    await lunch.alice.user("carol").create_if_not_exists(name="Carol")
    ref = lunch.hers.participant("carol")
    assert (ref.conversation_id, ref.user_id) == ("lunch", "carol")
    seen = Recorder[rtflow.ParticipantSnapshot | None]()
    with ref.observe().subscribe(seen):
        await seen.until(lambda values: values[-1] is None)
        await ref.create_if_not_exists(access="Read", notify=False)
        await seen.until(lambda values: values[-1] is not None)
    it = await ref.get()
    assert it is not None
    assert it == rtflow.ParticipantSnapshot(
        user=await lunch.alice.user("carol").get(),
        access="Read",
        notify=False,
        joined_at=it.joined_at,
    )
    await ref.set(access="ReadWrite")
    await ref.edit(notify="MentionsOnly")
    it = await ref.get()
    assert it is not None
    assert (it.access, it.notify) == ("ReadWrite", "MentionsOnly")
    await ref.delete()
    assert await ref.get() is None
    with pytest.raises(rtflow.NotFound):
        await ref.edit(notify=True)


async def test_the_participants_are_newest_first_and_say_whether_they_are_all(
    lunch: Lunch,
) -> None:
    window = lunch.hers.participants.window(1)
    newest = await window.get()
    assert newest is not None
    assert ([it.user and it.user.id for it in newest.items], newest.loaded_all) == (["bob"], False)
    await window.load_more(5)
    every = await window.get()
    assert every is not None
    assert ([it.user and it.user.id for it in every.items], every.loaded_all) == (
        ["bob", "alice"],
        True,
    )
