"""Reactions: the sums on a message, and who reacted with one emoji."""

import rtflow
from rtflow.testing import Recorder
from tests.compatibility.conftest import Lunch

EMOJI = "\N{THUMBS UP SIGN}"


async def test_a_reaction_is_in_the_sum_and_in_the_list(lunch: Lunch) -> None:
    ref = await lunch.hers.send("Pizza?")
    his = lunch.his.message(ref.id).reactions(EMOJI)
    assert (his.conversation_id, his.message_id, his.emoji) == ("lunch", ref.id, EMOJI)
    await his.add()
    await ref.reactions(EMOJI).add()
    it = await ref.get()
    assert it is not None
    (summed,) = it.reactions
    assert (summed.emoji, summed.count, summed.current_user_reacted) == (EMOJI, 2, True)
    window = ref.reactions(EMOJI).window(1)
    first = await window.get()
    assert first is not None
    assert first == rtflow.Window(
        (
            rtflow.ReactionSnapshot(
                user=await lunch.alice.user("bob").get(), created_at=first.items[0].created_at
            ),
        ),
        loaded_all=False,
    )
    await window.load_more(1)
    both = await window.get()
    assert both is not None
    assert ([it.user and it.user.id for it in both.items], both.loaded_all) == (
        ["bob", "alice"],
        True,
    )
    await his.remove()
    listed = await ref.reactions(EMOJI).get()
    assert listed is not None
    assert [it.user and it.user.id for it in listed.items] == ["alice"]


async def test_who_watches_sees_reactions_come_and_go(lunch: Lunch) -> None:
    ref = await lunch.hers.send("Pizza?")
    hers, his = ref.reactions(EMOJI), lunch.his.message(ref.id).reactions(EMOJI)
    seen = Recorder[rtflow.Window[rtflow.ReactionSnapshot] | None]()

    def shown(windows: list[rtflow.Window[rtflow.ReactionSnapshot] | None]) -> list[list[str]]:
        return [[it.user.name for it in w.items if it.user] for w in windows if w]

    with hers.observe().subscribe(seen):
        await seen.until(lambda windows: shown(windows) == [[]])
        await his.add()
        await seen.until(lambda windows: shown(windows) == [[], ["Bob"]])
        await hers.add()
        await seen.until(lambda windows: shown(windows)[-1] == ["Bob", "Alice"])
        await his.remove()
        await seen.until(lambda windows: shown(windows)[-1] == ["Alice"])
