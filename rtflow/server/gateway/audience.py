"""Which connections an event concerns: by what they watch, and whose they are (protocol.md 6.1).

An audience is said in terms of topics; fanout.py turns it into connections. To let a new kind of
subscription see an event, add its topic here.

Not here: who is in a conversation (that is read when the event is delivered), bytes.
"""

from enum import Enum
from typing import Final, NamedTuple

from msgspec import UNSET, Struct

from rtflow.model.events import (
    ConversationCleared,
    ConversationEdited,
    Event,
    MessageCreated,
    MessageDeleted,
    MessageEdited,
    ParticipantCreated,
    ParticipantDeleted,
    ParticipantEdited,
    SessionExpiredEvent,
    SideCreated,
    SideDeleted,
    SideEdited,
    UpstreamRestarting,
    UserCreated,
    UserEdited,
)
from rtflow.server.store.interface import Entry, SideTouched

__all__ = ["Audience", "Kind", "Topic", "audience"]


class Kind(Enum):
    """What can be watched. The id that goes with it is a user's or a conversation's."""

    USER = "/users"
    CONVERSATIONS = "/me/conversations"  # the id is that of the user who watches
    CONVERSATION = "/me/conversations/{conversation}"
    MESSAGES = "/me/conversations/{conversation}/messages"


class Topic(NamedTuple):
    """Something that a connection watches."""

    kind: Kind
    id: str


class Audience(Struct, frozen=True, kw_only=True, gc=False):
    """The connections that watch one of `topics`, as far as the other fields allow.

    `members_of`: only those of users who are in this conversation when the event is delivered; with
    `lists` also the connections that watch such a user's conversations. `only`: just this user's.
    """

    topics: tuple[Topic, ...]
    members_of: str | None = None
    lists: bool = False
    only: str | None = None


NOBODY: Final = Audience(topics=())


def audience(entry: Entry) -> Audience:
    """Say whom an entry of the log concerns."""
    if entry.to is UNSET or isinstance(entry.event, SideTouched):  # which names its user itself
        return _entitled(entry.event)
    return _addressee(entry.event, entry.to)


def _entitled(event: Event | SideTouched) -> Audience:
    match event:
        case MessageCreated() | MessageEdited() | MessageDeleted() | ConversationCleared():
            of = event.conversation_id
            return Audience(topics=(Topic(Kind.MESSAGES, of),), members_of=of)
        case SideTouched() | ParticipantEdited():  # null: every participant's own side
            return _members(event.conversation_id, only=event.user_id)
        case ConversationEdited():
            return _members(event.conversation_id)
        case UserCreated():  # who did not exist had no list either, and waits for it
            return Audience(
                topics=(
                    Topic(Kind.USER, event.user_id),
                    Topic(Kind.CONVERSATIONS, event.user_id),
                )
            )
        case UserEdited():
            return Audience(topics=(Topic(Kind.USER, event.user_id),))
        case ParticipantCreated() | ParticipantDeleted():
            return NOBODY  # until participants can be watched
        case SideCreated() | SideEdited() | SideDeleted():
            return NOBODY  # one user's own: only ever addressed
        case SessionExpiredEvent() | UpstreamRestarting():
            return NOBODY  # about a connection, not about the state: never in the log


def _members(conversation_id: str, only: str | None = None) -> Audience:
    topic = Topic(Kind.CONVERSATION, conversation_id)
    return Audience(topics=(topic,), members_of=conversation_id, lists=True, only=only)


def _addressee(event: Event, user_id: str) -> Audience:
    """What is sent to one user concerns his connections that watch anything of the conversation."""
    topics = [Topic(Kind.CONVERSATIONS, user_id)]
    of: str | None = getattr(event, "conversation_id", None)
    if of is not None:
        topics += [Topic(Kind.CONVERSATION, of), Topic(Kind.MESSAGES, of)]
    return Audience(topics=tuple(topics), only=user_id)
