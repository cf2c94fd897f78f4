"""Random commands of several users over breaking links: in the end all who watch see the truth.

`RTFLOW_STORIES=500` tells more of them than the usual few.
"""

import asyncio
import itertools
import os
from collections.abc import Sequence
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from msgspec import structs

import rtflow
from tests.end_to_end.acts import Act, turns
from tests.end_to_end.stage import ROOMS, USERS, Scene, Seat, Watched, at_work, lives

S = TypeVar("S")

STORIES = int(os.environ.get("RTFLOW_STORIES", "20"))
GLANCE = 0.5  # seconds after which the truth is looked at again: it may have changed, too
GLANCES = 30
ALL = 1000  # more than there are


async def story(turns: Sequence[Sequence[Act]]) -> None:
    async with at_work(Scene) as scene:
        for turn in turns:
            await asyncio.gather(*(act(scene) for act in turn))
        for seat in scene.seats:
            async with rtflow.Session(
                scene.url, app_id="demo", user_id=seat.session.user_id
            ) as fresh:
                await agrees(seat, scene, fresh)
                await adds_up(scene, fresh)


async def agrees(seat: Seat, scene: Scene, fresh: rtflow.Session) -> None:
    """Compare all that somebody watches with what a new session of his reads."""
    for truth, watched in zip(lives(fresh, scene.first), seat.watched, strict=True):
        if isinstance(truth, rtflow.LiveWindow) and (missing := watched.length - truth.length):
            await truth.load_more(missing)
        await settles(watched, truth)
        for look in watched.looks:
            repeats = [a for a, b in itertools.pairwise(look.values) if a == b]
            assert not repeats, f"twice in a row in {watched.live!r}"


async def settles(watched: Watched, live: rtflow.Live[Any]) -> None:
    """See what is watched become what is true.

    When what a window does not show has gone, it does not know so before it asks for more.
    """
    truth = None
    for _ in range(GLANCES):
        truth = await live.get()
        try:
            await watched.seen.until(lambda values: alike(values[-1], truth), GLANCE)  # noqa: B023
        except AssertionError:
            continue
        if watched.seen.last == truth:
            return
        assert isinstance(watched.live, rtflow.LiveWindow)
        await watched.live.load_more(1)
    seen = watched.seen.values[-1:]
    raise AssertionError(f"{watched.live!r} was last seen as\n{seen}\nbut it is\n{truth}")


def alike(seen: Any, truth: Any) -> bool:
    """Tell whether they show the same. (Any: values of all streams.)"""
    if hasattr(truth, "loaded_all"):
        return seen in (truth, structs.replace(truth, loaded_all=False))
    return bool(seen == truth)


async def adds_up(scene: Scene, me: rtflow.Session) -> None:
    """Compare what is counted and kept with what it is made of."""
    listed = await me.conversations.window(ALL).get()
    assert [*listed.items] == sorted(listed.items, key=lambda it: (-last_activity(it), it.id))
    total = await me.conversations.unread.get()
    assert total == sum(it.unread_message_count for it in listed.items)
    by_id = {it.id: it for it in listed.items}
    for room in map(me.conversation, ROOMS):
        side = await room.get()
        assert side == by_id.get(room.id)
        if side is None:
            assert await room.messages.get() is None
            assert await room.participants.get() is None
            continue
        await talk_adds_up(scene, me, side)
        people = items(await room.participants.window(ALL).get())
        for user in USERS:
            found = [it for it in people if it.user and it.user.id == user]
            assert await room.participant(user).get() == (found[0] if found else None)


def last_activity(it: rtflow.ConversationSnapshot) -> int:
    return it.last_message.created_at if it.last_message else it.joined_at


async def talk_adds_up(scene: Scene, me: rtflow.Session, side: rtflow.ConversationSnapshot) -> None:
    """Do so with what was said in a conversation."""
    room = me.conversation(side.id)
    said = items(await room.messages.window(ALL).get())
    unread = [message for message in said if message.created_at > side.read_until]
    assert side.unread_message_count == len(unread)
    assert side.last_message == (said[0] if said else None)
    texts = [message.plaintext for message in said]
    assert len(texts) == len(set(texts)), "each was said once"
    acknowledged = {it.id for it in scene.said if it.conversation_id == room.id}
    lost = (acknowledged & scene.kept) - {message.id for message in said}
    assert not lost, "nothing that was acknowledged"
    for message in said:
        ref = room.message(message.id)
        assert await ref.get() == message
        for it in message.reactions:
            who = items(await ref.reactions(it.emoji).window(ALL).get())
            assert len(who) == it.count
            found = [reaction.user.id for reaction in who if reaction.user]
            assert it.current_user_reacted == (me.user_id in found)


def items(window: rtflow.Window[S] | None) -> tuple[S, ...]:
    """Return what is in a window of something that one is in."""
    assert window is not None
    assert window.loaded_all
    return window.items


@settings(
    max_examples=STORIES,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # a story takes too long to be told in a hundred ways
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(turns(12))
def test_after_any_story_everybody_sees_what_a_new_session_reads(
    turns: Sequence[Sequence[Act]],
) -> None:
    asyncio.run(story(turns))
