"""What a client that comes back must be told (protocol.md 10.1).

After a lost connection the official client subscribes again and reads again: users, typing, who is
online, who reacted, and first pages. But a conversation and a participant that it holds it does not
read, and a page of messages or participants with the same ids it throws away, with all that is new
in it. So the server tells it, when it subscribes to anything of a conversation again. Tried with
the real client:

* Events that come right after the answer to SUBSCRIBE, so before that of the GET that follows, are
  applied to what the client holds. If the page turns out to be another one, it takes that. So what
  was missed is *replayed* from the log, in order, in one frame; a second replay does no harm. New
  and deleted messages are left out: they make the page another one. (`message.deleted` would also
  empty lists of who reacted to other messages, protocol.md 10.4.)
* `side.created` of a conversation that it knows it ignores. So it is said whenever somebody may
  have joined, and all that is in it is said besides, in events: one of both helps. Only `joinedAt`
  stays as it was for somebody who left and joined again while away.
* Where there is nothing to replay (the log does not reach back, or too much happened), how things
  are now is told instead: the conversation at once, and what is in pages when they are read.

All this is said only of conversations in which something happened, and never to a client that is
new. Whoever is not in the conversation now hears at most that he has left it.

Refused: whole states for everybody who comes back. They cannot say which reactions are gone, and
cost by what is watched instead of by what happened. And `side.deleted` with `side.created` in one
frame, after which the client reads all anew: while it waits for other answers, that sometimes ends
its subscriptions to messages and lists without a word.

PURE. Not here: from which number on (returning.py, points.py), in which order with other events
(ordering.py).
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import UNSET, Struct

from rtflow.model.entities import Conversation, Message, Participant
from rtflow.model.events import (
    ConversationDiff,
    ConversationEdited,
    Event,
    MessageCreated,
    MessageDeleted,
    MessageDiff,
    MessageEdited,
    ParticipantDiff,
    ParticipantEdited,
    SideCreated,
    SideDeleted,
    SideDiff,
    SideEdited,
)
from rtflow.server.store.interface import Entry, ReactionsTouched, SideTouched

__all__ = [
    "MOST_REPLAYED",
    "Telling",
    "replayed",
    "retold",
    "retold_page",
    "touched_reactions",
]

MOST_REPLAYED: Final = 500  # changes of one conversation


class Telling(Struct, frozen=True):
    """What to say at once; `is_whole`: and what is in pages, when they are read."""

    events: tuple[Event, ...] = ()
    is_whole: bool = False


def touched_reactions(entries: Iterable[Entry]) -> dict[str, set[str]]:
    """Return which emoji of which messages were added or taken back."""
    touched: dict[str, set[str]] = {}
    for entry in entries:
        if isinstance(event := entry.event, ReactionsTouched):
            touched.setdefault(event.message_id, set()).add(event.emoji)
    return touched


def replayed(
    entries: Iterable[Entry],
    conversation_id: str,
    user_id: str,
    side: Conversation | None,
    reactions: Mapping[str, MessageDiff],
) -> Telling:
    """Say again what happened in a conversation: `entries`, all that the log has of it, in order.

    `side` is how the user sees it now, None if he does not; `reactions` how the touched ones are,
    by message.
    """
    events: list[Event] = []
    has_moved = has_left = is_touched = False
    for entry in entries:
        if entry.to is not UNSET and entry.to != user_id:
            continue
        match entry.event:
            case SideTouched(user_id=whose):
                is_touched |= whose is None or whose == user_id
            case SideCreated() | SideDeleted() as moved:
                has_moved, has_left = True, has_left or isinstance(moved, SideDeleted)
            case MessageCreated() | MessageDeleted() | ReactionsTouched():
                pass
            case event:
                events.append(event)
    if side is None:
        gone = SideDeleted(conversation_id=conversation_id)
        return Telling((gone,) if has_left else ())
    for message_id, diff in reactions.items():
        edited = MessageEdited(conversation_id=conversation_id, message_id=message_id, diff=diff)
        events.append(edited)
    if has_moved:
        return Telling((*_whole(user_id, side), *events))
    if is_touched:
        events.append(_side_edited(side))
    return Telling(tuple(events))


def retold(conversation_id: str, user_id: str, side: Conversation | None) -> Telling:
    """Say how a conversation is now, where nobody knows what happened in it."""
    if side is None:
        return Telling((SideDeleted(conversation_id=conversation_id),))
    return Telling(_whole(user_id, side), is_whole=True)


def retold_page(conversation_id: str, items: Iterable[Message | Participant]) -> list[Event]:
    """Say how what is in a page is now. Reactions that are gone cannot be said."""
    events: list[Event] = []
    for it in items:
        if isinstance(it, Participant):
            own = ParticipantDiff(access=it.access, notify=it.notify)
            edited = ParticipantEdited(conversation_id=conversation_id, user_id=it.id, diff=own)
            events.append(edited)
        else:
            said = MessageDiff(
                content=it.content,
                custom={**it.custom},
                edited_at=it.edited_at,
                reactions={**it.reactions},
            )
            events += (
                MessageEdited(conversation_id=conversation_id, message_id=it.id, diff=diff)
                for diff in (MessageDiff(custom=None), said)
            )
    return events


def _whole(user_id: str, side: Conversation) -> tuple[Event, ...]:
    """Tell all that a conversation shows, to a client that knows it and to one that does not."""
    shared = ConversationDiff(
        subject=side.subject,
        photo_url=side.photo_url,
        welcome_messages=side.welcome_messages,
        custom={**side.custom},
    )
    own = ParticipantDiff(access=side.access, notify=side.notify)
    return (
        SideCreated(conversation_id=side.id, state=side),
        ConversationEdited(conversation_id=side.id, diff=ConversationDiff(custom=None)),
        ConversationEdited(conversation_id=side.id, diff=shared),
        ParticipantEdited(conversation_id=side.id, user_id=user_id, diff=own),
        _side_edited(side),
    )


def _side_edited(side: Conversation) -> SideEdited:
    diff = SideDiff(
        last_message_at=side.last_message_at,
        unread_message_count=side.unread_message_count,
        is_unread=side.is_unread,
        read_until=side.read_until,
        everyone_read_until=side.everyone_read_until,
    )
    return SideEdited(conversation_id=side.id, diff=diff)
