"""Views: what users look at, as a typed question to the state.

A view says which key must be known, and of what type that is shown. Where one request can answer it
alone, `ask` is that request and `answer` reads its result without any state; `UNSET`: that was not
enough (a server that does not know `expand`).
"""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import UNSET, Struct, UnsetType

from rtflow.client.state.asks import WITH_LAST, WITHOUT_LAST, Ask
from rtflow.client.state.keys import (
    ConversationKey,
    Key,
    ListKey,
    MessageKey,
    MessagesKey,
    OnlineKey,
    ParticipantKey,
    ParticipantsKey,
    ReactionsKey,
    SideKey,
    TotalKey,
    TypingKey,
    UserKey,
)
from rtflow.client.state.portraits import conversation_snapshot, message_snapshot, user_snapshot
from rtflow.client.state.state import State
from rtflow.model.filters import Filter
from rtflow.model.params import UserIds
from rtflow.model.snapshots import (
    ConversationSnapshot,
    MessageSnapshot,
    ParticipantSnapshot,
    ReactionSnapshot,
    TypingSnapshot,
    UserOnlineSnapshot,
    UserSnapshot,
    Window,
)
from rtflow.wire.endpoints import GET_CONVERSATION, GET_USERS

if TYPE_CHECKING:
    from rtflow.model.entities import Message

__all__ = [
    "ConversationView",
    "ListView",
    "MessageView",
    "MessagesView",
    "OnlineView",
    "ParticipantView",
    "ParticipantsView",
    "ReactionsView",
    "TotalView",
    "TypingView",
    "UnreadView",
    "UserView",
    "View",
]

T = TypeVar("T")


class View(Struct, Generic[T], frozen=True, gc=False):
    """Base of all views: `size` items of a key, shown as a T."""

    key: Key
    size: int = 1

    @property
    def ask(self) -> Ask | None:
        """The one request whose answer is enough; None: there is no such."""
        return None

    def show(self, state: State) -> T | UnsetType:
        """Return the value, or `UNSET` while it is not known."""
        shown: T | UnsetType = state.show(self.key, self.size)
        return shown

    def answer(self, outcome: Any) -> T | UnsetType:  # Any: the result of `ask`
        """Return the value; `outcome` None: there is none, or I may not see it."""
        return UNSET


class UserView(View[UserSnapshot | None], frozen=True):
    """A user."""

    @classmethod
    def of(cls, id: str) -> "UserView":
        """Look at this user."""
        return cls(UserKey(id))

    @property
    def ask(self) -> Ask:
        """Ask for this user alone."""
        assert isinstance(self.key, UserKey)
        return Ask(GET_USERS, (), UserIds(ids=(self.key.id,)))

    def answer(self, outcome: Any) -> UserSnapshot | None:  # Any: as in View
        """Return the value."""
        assert isinstance(self.key, UserKey)
        user = outcome and outcome.get(self.key.id)
        return user_snapshot(user) if user else None


class UnreadView(View[int], frozen=True):
    """How many messages of a conversation I have not read."""

    @classmethod
    def of(cls, id: str) -> "UnreadView":
        """Look at this conversation."""
        return cls(SideKey(id))

    @property
    def ask(self) -> Ask:
        """Ask for the conversation alone."""
        assert isinstance(self.key, SideKey)
        return Ask(GET_CONVERSATION, (self.key.conversation,), WITHOUT_LAST)

    def show(self, state: State) -> int | UnsetType:
        """Return the value, if it is known."""
        assert isinstance(self.key, SideKey)
        side = state.sides.known.get(self.key.conversation)
        return UNSET if side is UNSET else self.answer(side)

    def answer(self, outcome: Any) -> int:  # Any: as in View
        """Return the value."""
        return int(outcome.unread_message_count) if outcome else 0


class ConversationView(View[ConversationSnapshot | None], frozen=True):
    """A conversation with its last message."""

    @classmethod
    def of(cls, id: str) -> "ConversationView":
        """Look at this conversation."""
        return cls(ConversationKey(id))

    @property
    def ask(self) -> Ask:
        """Ask for the conversation, its last message and that message's sender."""
        assert isinstance(self.key, ConversationKey)
        return Ask(GET_CONVERSATION, (self.key.conversation,), WITH_LAST)

    def answer(self, outcome: Any) -> ConversationSnapshot | UnsetType | None:  # Any: as in View
        """Return the value, unless the answer lacks the last message, or what belongs to that."""
        if outcome is None:
            return None
        last: Message | UnsetType | None = outcome.last_message
        if last is None:
            return conversation_snapshot(outcome, None)
        if last is UNSET or (last.sender is UNSET and last.sender_id is not None):
            return UNSET
        if last.referenced_message_id is not None:
            return UNSET
        sender = user_snapshot(last.sender) if last.sender else None
        return conversation_snapshot(outcome, message_snapshot(last, sender))


class MessageView(View[MessageSnapshot | None], frozen=True):
    """One message."""

    @classmethod
    def of(cls, conversation: str, id: str) -> "MessageView":
        """Look at this message of this conversation."""
        return cls(MessageKey(conversation, id))


class MessagesView(View[Window[MessageSnapshot] | None], frozen=True):
    """The newest messages of a conversation."""

    @classmethod
    def of(cls, id: str, n: int) -> "MessagesView":
        """Look at `n` messages of this conversation."""
        return cls(MessagesKey(id), n)


class ParticipantView(View[ParticipantSnapshot | None], frozen=True):
    """Somebody's membership of a conversation."""

    @classmethod
    def of(cls, conversation: str, user: str) -> "ParticipantView":
        """Look at this user in this conversation."""
        return cls(ParticipantKey(conversation, user))


class ParticipantsView(View[Window[ParticipantSnapshot] | None], frozen=True):
    """Who joined a conversation last."""

    @classmethod
    def of(cls, conversation: str, n: int) -> "ParticipantsView":
        """Look at `n` participants of this conversation."""
        return cls(ParticipantsKey(conversation), n)


class ReactionsView(View[Window[ReactionSnapshot] | None], frozen=True):
    """Who reacted first to a message with one emoji."""

    @classmethod
    def of(cls, conversation: str, message: str, emoji: str, n: int) -> "ReactionsView":
        """Look at `n` reactions to this message with this emoji."""
        return cls(ReactionsKey(conversation, message, emoji), n)


class TypingView(View[TypingSnapshot | None], frozen=True):
    """Who is writing in a conversation."""

    @classmethod
    def of(cls, conversation: str) -> "TypingView":
        """Look at this conversation."""
        return cls(TypingKey(conversation))


class OnlineView(View[UserOnlineSnapshot | None], frozen=True):
    """Whether a user has a connection."""

    @classmethod
    def of(cls, user: str) -> "OnlineView":
        """Look at this user."""
        return cls(OnlineKey(user))


class ListView(View[Window[ConversationSnapshot]], frozen=True):
    """My most recently active conversations that match a filter."""

    @classmethod
    def of(cls, filter: Filter, n: int) -> "ListView":
        """Look at `n` conversations."""
        return cls(ListKey.of(filter), n)


class TotalView(View[int], frozen=True):
    """How many messages I have not read, over all my conversations."""

    @classmethod
    def of(cls) -> "TotalView":
        """Look at it."""
        return cls(TotalKey())
