"""What a client that comes back must be told (protocol.md 10.1).

After a lost connection the official client subscribes again and reads again: users, typing, who is
online, who reacted, and first pages. But a conversation and a participant that it holds it does not
read, and a page of messages whose ids are the same it throws away, with all edits in it. So the
server tells it, when it subscribes to anything of a conversation again. Tried with the real client:

* Events that come right after the answer to SUBSCRIBE, so before that of the GET that follows, are
  applied to what the client holds. If the page turns out to be another one, it takes that. So what
  was missed is *replayed* from the log, in order, in one frame; a second replay does no harm. New
  messages are left out: they are in the page.
* `side.deleted` and `side.created` in one frame make it read everything of a conversation anew, and
  nobody sees the moment between. That is the way where there is nothing to replay: the log does not
  reach back, too much happened, or somebody left and joined again. But a window of messages that
  was loaded further breaks for good if that comes while its GET is under way. So it is said after
  that answer.

Both are said only of conversations in which something happened, and never to a client that is new.
Whoever is not in the conversation now hears at most that he has left it.

Refused: pushing the whole state of everything to everybody who comes back. A whole state cannot say
which reactions are gone, and costs by what is watched instead of by what happened.

PURE. Not here: from which number on (returning.py, points.py), in which order with other events
(ordering.py).
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import UNSET, Struct

from rtflow.model.entities import Conversation, Typing
from rtflow.model.events import (
    ConversationDiff,
    ConversationEdited,
    Event,
    MessageCreated,
    MessageDiff,
    MessageEdited,
    ParticipantDiff,
    ParticipantEdited,
    SideCreated,
    SideDeleted,
    SideDiff,
    SideEdited,
    TypingAvailable,
)
from rtflow.server.store.interface import Entry, ReactionsTouched, SideTouched

__all__ = ["MOST_REPLAYED", "Telling", "anew", "replayed", "retold", "touched_reactions"]

MOST_REPLAYED: Final = 500  # changes of one conversation


class Telling(Struct, frozen=True):
    """What to say at once; `anew`: and more, after the answer to the next GET of its messages."""

    events: tuple[Event, ...] = ()
    anew: bool = False


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
    has_left = has_joined = is_touched = False
    for entry in entries:
        if entry.to is not UNSET and entry.to != user_id:
            continue
        match entry.event:
            case SideTouched(user_id=whose):
                is_touched |= whose is None or whose == user_id
            case SideDeleted():
                has_left = True
            case SideCreated():
                has_joined = True
            case MessageCreated() | ReactionsTouched():
                pass
            case event:
                events.append(event)
    if side is None:
        return Telling(_gone(conversation_id) if has_left else ())
    if has_left:
        return retold(conversation_id, user_id, side)
    if has_joined:  # the client knew nothing of it
        return Telling((SideCreated(conversation_id=conversation_id, state=side),))
    for message_id, diff in reactions.items():
        edited = MessageEdited(conversation_id=conversation_id, message_id=message_id, diff=diff)
        events.append(edited)
    if is_touched:
        events.append(_side_edited(side))
    return Telling(tuple(events))


def retold(conversation_id: str, user_id: str, side: Conversation | None) -> Telling:
    """Say how a conversation is now, where nobody knows what happened in it."""
    if side is None:
        return Telling(_gone(conversation_id))
    shared = ConversationDiff(
        subject=side.subject,
        photo_url=side.photo_url,
        welcome_messages=side.welcome_messages,
        custom={**side.custom},
    )
    own = ParticipantDiff(access=side.access, notify=side.notify)
    events = (
        ConversationEdited(conversation_id=conversation_id, diff=ConversationDiff(custom=None)),
        ConversationEdited(conversation_id=conversation_id, diff=shared),
        ParticipantEdited(conversation_id=conversation_id, user_id=user_id, diff=own),
        _side_edited(side),
    )
    return Telling(events, anew=True)


def anew(conversation_id: str, side: Conversation | None, typing: Typing) -> tuple[Event, ...]:
    """Have a client read everything of a conversation again, but who writes there: be told that."""
    if side is None:
        return _gone(conversation_id)
    return (
        *_gone(conversation_id),
        SideCreated(conversation_id=conversation_id, state=side),
        TypingAvailable(conversation_id=conversation_id, state=typing),
    )


def _gone(conversation_id: str) -> tuple[Event, ...]:
    return (SideDeleted(conversation_id=conversation_id),)


def _side_edited(side: Conversation) -> SideEdited:
    diff = SideDiff(
        last_message_at=side.last_message_at,
        unread_message_count=side.unread_message_count,
        is_unread=side.is_unread,
        read_until=side.read_until,
        everyone_read_until=side.everyone_read_until,
    )
    return SideEdited(conversation_id=side.id, diff=diff)
