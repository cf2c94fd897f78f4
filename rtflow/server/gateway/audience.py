"""Which connections an event concerns: by what they watch, and whose they are (protocol.md 6.1).

An audience is said in terms of topics; fanout.py turns it into connections. To let a new kind of
subscription see an event, add its topic here.

Not here: who is in a conversation (that is read when the event is delivered), bytes.
"""

from enum import Enum
from typing import Final, NamedTuple, TypeAlias

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
    ReactionAdded,
    ReactionRemoved,
    SessionExpiredEvent,
    SideCreated,
    SideDeleted,
    SideEdited,
    TypingAvailable,
    TypingChanged,
    UpstreamRestarting,
    UserCreated,
    UserEdited,
    UserOnlineChanged,
)
from rtflow.server.domain.presence import Notice
from rtflow.server.store.interface import Entry, ReactionsTouched, SideTouched, Touched

__all__ = ["Audience", "Kind", "Topic", "TopicId", "audience", "of_conversation", "of_messages"]


class Kind(Enum):
    """What can be watched. The id that goes with it fills the holes of the path, in order.

    `ANY_REACTION` cannot be asked for: whoever watches one emoji of a message watches it, too.
    """

    SELF = ""  # what concerns one user alone; the id is his, and he need not ask for it
    USER = "/users"
    ONLINE = "/users/{user}/online"
    CONVERSATIONS = "/me/conversations"  # the id is that of the user who watches
    CONVERSATION = "/me/conversations/{conversation}"
    PARTICIPANTS = "/me/conversations/{conversation}/participants"
    PARTICIPANT = "/me/conversations/{conversation}/participants/{user}"
    TYPING = "/me/conversations/{conversation}/typing"
    MESSAGES = "/me/conversations/{conversation}/messages"
    REACTIONS = "/me/conversations/{conversation}/messages/{message}/reactions/{emoji}"
    ANY_REACTION = "/me/conversations/{conversation}/messages/{message}/reactions"


TopicId: TypeAlias = str | tuple[str, ...]
"""One id, or several where one does not name the thing."""


class Topic(NamedTuple):
    """Something that a connection watches."""

    kind: Kind
    id: TopicId


class Audience(Struct, frozen=True, kw_only=True, gc=False):
    """The connections that watch one of `topics`, as far as the other fields allow.

    `members_of`: only those of users who are in this conversation when the event is delivered; with
    `lists` also the connections that watch such a user's conversations. `only`: just this user's.
    `but`: not those of these users.
    """

    topics: tuple[Topic, ...]
    members_of: str | None = None
    lists: bool = False
    only: str | None = None
    but: frozenset[str] = frozenset()


NOBODY: Final = Audience(topics=())


def audience(entry: Entry | Notice) -> Audience:
    """Say whom an entry of the log concerns, or a notice, which is in no log."""
    if isinstance(entry, Notice):
        return _noticed_by(entry)
    if entry.to is UNSET or isinstance(entry.event, SideTouched):  # which names its user itself
        return _entitled(entry.event)
    return Audience(topics=(Topic(Kind.SELF, entry.to),))


def _noticed_by(notice: Notice) -> Audience:
    match notice.event:
        case UserOnlineChanged(user_id=user_id):
            return Audience(topics=(Topic(Kind.ONLINE, user_id),))
        case TypingChanged(conversation_id=of) | TypingAvailable(conversation_id=of):
            topics = (Topic(Kind.TYPING, of),)
            return Audience(topics=topics, members_of=of, only=notice.only, but=notice.but)


def of_conversation(conversation_id: str, only: str | None = None) -> Audience:
    """Return those who are in a conversation and watch it, or their lists; `only` him."""
    topic = Topic(Kind.CONVERSATION, conversation_id)
    return Audience(topics=(topic,), members_of=conversation_id, lists=True, only=only)


def of_messages(conversation_id: str) -> Audience:
    """Return those who are in a conversation and watch what is said."""
    return Audience(topics=(Topic(Kind.MESSAGES, conversation_id),), members_of=conversation_id)


def _entitled(event: Event | Touched) -> Audience:
    match event:
        case MessageCreated() | MessageEdited() | ConversationCleared() | ReactionsTouched():
            return of_messages(event.conversation_id)
        case MessageDeleted():  # of another message it would empty a list (protocol.md 10.4)
            of = event.conversation_id
            lists = Topic(Kind.ANY_REACTION, (of, event.message_id))
            return Audience(topics=(Topic(Kind.MESSAGES, of), lists), members_of=of)
        case SideTouched():  # null: every participant's own side
            return of_conversation(event.conversation_id, only=event.user_id)
        case ConversationEdited():
            return of_conversation(event.conversation_id)
        case UserCreated():  # who did not exist had no list either, and waits for it
            return Audience(
                topics=(
                    Topic(Kind.USER, event.user_id),
                    Topic(Kind.ONLINE, event.user_id),
                    Topic(Kind.CONVERSATIONS, event.user_id),
                )
            )
        case UserEdited():
            return Audience(topics=(Topic(Kind.USER, event.user_id),))
        case ParticipantCreated() | ParticipantDeleted():
            return _seat(event.conversation_id, event.user_id)
        case ParticipantEdited():  # his own side shows his access and notify, too
            himself = Topic(Kind.SELF, event.user_id)
            return _seat(event.conversation_id, event.user_id, himself)
        case ReactionAdded() | ReactionRemoved():
            of = event.conversation_id
            topic = Topic(Kind.REACTIONS, (of, event.message_id, event.emoji))
            return Audience(topics=(topic,), members_of=of)
        case SideCreated() | SideEdited() | SideDeleted():
            return NOBODY  # one user's own: only ever addressed
        case UserOnlineChanged() | TypingAvailable() | TypingChanged():
            return NOBODY  # what is so now: only ever noticed, never in the log
        case SessionExpiredEvent() | UpstreamRestarting():
            return NOBODY  # about a connection, not about the state: never in the log


def _seat(conversation_id: str, user_id: str, *also: Topic) -> Audience:
    everybody = Topic(Kind.PARTICIPANTS, conversation_id)
    one = Topic(Kind.PARTICIPANT, (conversation_id, user_id))
    return Audience(topics=(everybody, one, *also), members_of=conversation_id)
