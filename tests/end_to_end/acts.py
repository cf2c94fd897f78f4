"""What people do: every kind of command, and what happens to their links and to the server.

Not here: who they are (stage.py).
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal, TypeAlias

from hypothesis import strategies as st
from msgspec import Struct

import rtflow
from tests.end_to_end.stage import EMOJI, ROOMS, USERS, Scene

__all__ = ["ACCESSES", "OFTEN", "WORDS", "Act", "acts", "deeds", "turns"]

Access: TypeAlias = Literal["Read", "ReadWrite"]
Deed: TypeAlias = Callable[[Scene], Awaitable[object]]

ACCESSES: tuple[Access, ...] = ("Read", "ReadWrite")
WORDS = ("one", "two", "place")
OFTEN = ["send"] * 4 + ["invite", "react", "edit", "more", "reply"]  # beside once each


class Act(Struct, frozen=True):
    """Something that one of them does; it says in a failing example what it was."""

    name: str
    what: str
    deed: Deed

    async def __call__(self, scene: Scene) -> None:
        """Do it. That it may be refused, or nobody knows what came of it, is part of the story."""
        with suppress(rtflow.RequestRefused, rtflow.OutcomeUnknown):
            await self.deed(scene)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.what}>"


def sending(seat: int, room: str, word: str, reply_to: int | None) -> Deed:
    """Say something that nobody has said before; perhaps a reply, perhaps to what is not there."""

    async def send(it: Scene) -> None:
        to = None if reply_to is None else it.said[reply_to % len(it.said)].id
        conversation = it.seats[seat].session.conversation(room)
        content: list[rtflow.TextBlock | rtflow.LocationBlock] = [
            rtflow.TextBlock((it.text(word),))
        ]
        if word == "place":
            content.append(rtflow.LocationBlock(1, 2))
        sent = await conversation.send(content, referenced_message=to, custom={"word": word})
        it.said.append(sent)
        it.kept.add(sent.id)

    return send


def deleting(pick: int) -> Deed:
    """Delete what somebody said, as its sender."""

    async def delete(it: Scene) -> None:
        message = it.said[pick % len(it.said)]
        it.kept.discard(message.id)
        await message.delete()

    return delete


def editing(pick: int, word: str, user: str) -> Deed:
    """Edit what somebody said, as its sender."""

    async def edit(it: Scene) -> None:
        message = it.said[pick % len(it.said)]
        text = None if word == "place" else it.text(word)
        await message.edit(text, custom={user: word if pick % 3 else None})

    return edit


def reacting(seat: int, pick: int, emoji: str, *, back: bool) -> Deed:
    """React to what somebody said, or take it back."""

    async def react(it: Scene) -> None:
        said = it.said[pick % len(it.said)]
        message = it.seats[seat].session.conversation(said.conversation_id).message(said.id)
        reactions = message.reactions(emoji)
        await (reactions.remove() if back else reactions.add())

    return react


def looking(seat: int, pick: int, *, more: bool) -> Deed:
    """Make a window longer, or look away and at it again."""

    async def look(it: Scene) -> None:
        at = it.seats[seat]
        if more:
            windows = at.windows
            await windows[pick % len(windows)].load_more(1 + pick % 2)
        else:
            at.watched[pick % len(at.watched)].look_again()

    return look


def cutting(seat: int, pick: int) -> Deed:
    """Break a link: at once, politely, or in the middle of what comes next."""

    async def cut(it: Scene) -> None:
        link = it.seats[seat].link
        match pick % 4:
            case 0:
                link.close()
            case 1:
                link.cut_after(1 + pick, "down")
            case 2:
                link.cut_after(1 + pick, "up")
            case _:
                link.cut()

    return cut


async def restarting(it: Scene) -> None:
    """Stop the server, and start it on what it has kept."""
    await it.stop()
    await it.start()


def deeds(
    seat: int, room: str, user: str, pick: int, word: str, emoji: str, access: Access
) -> dict[str, Deed]:
    """Return all that one of them may do with these, by name."""

    def conversation(it: Scene) -> rtflow.ConversationRef:
        return it.seats[seat].session.conversation(room)

    return {
        "send": sending(seat, room, word, None),
        "reply": sending(seat, room, word, pick),
        "edit": editing(pick, word, user),
        "delete": deleting(pick),
        "react": reacting(seat, pick, emoji, back=False),
        "unreact": reacting(seat, pick, emoji, back=True),
        "read": lambda it: conversation(it).mark_as_read(),
        "unread": lambda it: conversation(it).mark_as_unread(),
        "type": lambda it: conversation(it).mark_as_typing(),
        "found": lambda it: conversation(it).create_if_not_exists(),
        "name": lambda it: conversation(it).set(subject=word),
        "note": lambda it: conversation(it).set(custom={word: user}),
        "wipe": lambda it: conversation(it).set(custom=None),
        "rename": lambda it: it.seats[seat].session.user(user).set(name=word),
        "invite": lambda it: conversation(it).participant(user).create_if_not_exists(),
        "grant": lambda it: conversation(it).participant(user).set(access=access),
        "mute": lambda it: conversation(it).participant(user).edit(notify=False),
        "remove": lambda it: conversation(it).participant(user).delete(),
        "more": looking(seat, pick, more=True),
        "look again": looking(seat, pick, more=False),
        "cut": cutting(seat, pick),
    }


seats = st.integers(0, len(USERS))
accesses: st.SearchStrategy[Access] = st.sampled_from(ACCESSES)
picks = st.integers(0, 30)


@st.composite
def acts(draw: st.DrawFn) -> Act:
    """Draw something that one of them does."""
    seat, room, user, pick = (
        draw(seats),
        draw(st.sampled_from(ROOMS)),
        draw(st.sampled_from(USERS)),
        draw(picks),
    )
    word, emoji = draw(st.sampled_from(WORDS)), draw(st.sampled_from(EMOJI))
    access = draw(accesses)

    choices = deeds(seat, room, user, pick, word, emoji, access)
    name = draw(st.sampled_from(OFTEN + list(choices)))
    return Act(name, f"{seat} {room} {user} {word} {emoji} {access} {pick}", choices[name])


RESTART = Act("restart", "the server", restarting)


@st.composite
def turns(draw: st.DrawFn, most: int) -> list[list[Act]]:
    """Draw a story: in each turn some act at the same time; now and then the server restarts."""
    told = draw(st.lists(st.lists(acts(), min_size=1, max_size=4), max_size=most))
    return [
        [*turn, RESTART] if draw(st.sampled_from([False] * 9 + [True])) else turn for turn in told
    ]
