"""Conversations: one of them, and the list of mine."""

import asyncio
from collections.abc import Awaitable, Mapping
from functools import cached_property
from typing import Final, Literal, TypeVar, Unpack

from msgspec import UNSET, UnsetType

from rtflow.client.live import Live
from rtflow.client.mirror import Mirror
from rtflow.client.refs.content import Content, blocks_of
from rtflow.client.refs.marks import mark_as_typing, unmarked
from rtflow.client.refs.messages import MessageRef, Messages, idempotency_key
from rtflow.client.refs.participants import ParticipantRef, Participants, act
from rtflow.client.refs.ref import LiveRef, watching
from rtflow.client.refs.users import UserRef
from rtflow.client.refs.windows import LiveWindow, checked_count
from rtflow.client.state.views import (
    ConversationView,
    ListView,
    TotalView,
    TypingView,
    UnreadView,
)
from rtflow.errors import Conflict, Forbidden, RtflowError
from rtflow.model.arguments import checked
from rtflow.model.filters import ALL, Filter, as_filter
from rtflow.model.ids import checked_id
from rtflow.model.params import (
    ConversationFields,
    ConversationParams,
    MarkParams,
    ParticipantAction,
    ParticipantParams,
    SendMessage,
)
from rtflow.model.snapshots import ConversationSnapshot, TypingSnapshot, Window
from rtflow.wire.endpoints import (
    CREATE_CONVERSATION,
    MARK_READ,
    MARK_UNREAD,
    SEND_MESSAGE,
    SET_CONVERSATION,
    AnyEndpoint,
)

__all__ = ["ConversationRef", "Conversations"]

T = TypeVar("T")
DEFAULT_LENGTH: Final = 20


class ConversationRef(LiveRef[ConversationSnapshot | None]):
    """A conversation; its snapshot is None while it does not exist, or I am not in it."""

    def __init__(self, mirror: Mirror, id: str) -> None:
        super().__init__(mirror, ConversationView.of(id), id)

    @property
    def id(self) -> str:
        """The conversation's id."""
        return self._names[0]

    @cached_property
    def unread(self) -> Live[int]:
        """How many messages I have not read; 0 when I am not in it. The lightest to watch."""
        return watching(self._mirror, UnreadView.of(self.id))

    @cached_property
    def messages(self) -> Messages:
        """Its messages."""
        return Messages(self._mirror, self.id)

    @cached_property
    def participants(self) -> Participants:
        """Who is in it."""
        return Participants(self._mirror, self.id)

    @cached_property
    def typing(self) -> Live[TypingSnapshot | None]:
        """Who is writing at this moment, I myself aside; None when I am not in it."""
        return watching(self._mirror, TypingView.of(self.id))

    def message(self, id: str) -> MessageRef:
        """Return a ref to the message with this `id`, be there one or not.

        Raises `TypeError` or `ValueError` for what cannot be an id.
        """
        return MessageRef(self._mirror, self.id, checked_id(id, "a message id"))

    def participant(self, user: str | UserRef) -> ParticipantRef:
        """Return a ref to somebody's membership; `user` is an id or a ref.

        Raises `TypeError` or `ValueError` for what cannot be an id.
        """
        id = user.id if isinstance(user, UserRef) else checked_id(user, "a user id")
        return ParticipantRef(self._mirror, self.id, id)

    async def create_if_not_exists(self, **fields: Unpack[ConversationFields]) -> None:
        """Create the conversation and join it; what is there already stays as it is.

        Raises `TypeError` or `ValueError` for wrong fields, and a `RequestRefused`: `Forbidden`
        when others are in it and I am not.
        """
        params = checked(ConversationParams, "conversation.create_if_not_exists", **fields)
        for refused in await self._both_halves(CREATE_CONVERSATION, "POST", params):
            if not isinstance(refused, Conflict):
                raise refused

    async def set(self, **fields: Unpack[ConversationFields]) -> None:
        """Change the conversation, and my membership (`access`, `notify`); create it, and join.

        A field that is left out stays as it is, None resets it; `custom` merges key by key, a
        value of None deletes the key. Raises as `create_if_not_exists`.
        """
        params = checked(ConversationParams, "conversation.set", **fields)
        shared = {params.subject, params.photo_url, params.welcome_messages}
        changes = {
            "UNAUTHORIZED_TO_EDIT": shared != {UNSET} or params.custom is not UNSET,
            "UNAUTHORIZED_TO_EDIT_PARTICIPANT": {params.access, params.notify} != {UNSET},
        }
        for refused in await self._both_halves(SET_CONVERSATION, "PUT", params):
            if not isinstance(refused, Forbidden) or changes.get(refused.code, True):
                raise refused

    async def send(
        self,
        content: Content,
        *,
        referenced_message: str | MessageRef | None = None,
        custom: Mapping[str, str] | None = None,
    ) -> MessageRef:
        """Send a message, and return a ref to it.

        `content` is a text with markup (`*bold*`; see `rtflow.parse_markup`, with `links=False`),
        an `rtflow.TextBlock`, `SendFileBlock` or `LocationBlock`, or up to 20 of these blocks. To
        send a text as it is, put it into a `TextBlock`. `referenced_message` is what it replies to:
        a ref or an id. `custom` is data of the application, text by key.

        Raises `TypeError` or `ValueError` for what cannot be sent, and a `RequestRefused`:
        `Forbidden` when I may only read, `Forbidden` or `NotFound` when I am not in the
        conversation, `BadRequest` for what the server does not take.
        """
        call = "conversation.send"
        fields: dict[str, object] = {"content": blocks_of(content, call, links=False)}
        if custom is not None:
            fields["custom"] = custom
        if referenced_message is not None:
            fields["referenced_message_id"] = self._id_of(referenced_message)
        params = checked(SendMessage, call, idempotency_key=idempotency_key(), **fields)
        sent = await self._mirror.ask(SEND_MESSAGE, (self.id,), params)
        unmarked(self._mirror, self.id)
        return MessageRef(self._mirror, self.id, sent.id)

    def _id_of(self, message: str | MessageRef) -> str:
        if not isinstance(message, MessageRef):
            return checked_id(message, "referenced_message")
        if message.conversation_id != self.id:
            raise ValueError(
                f"referenced_message is of the conversation {message.conversation_id!r}, "
                f"and cannot be replied to in {self.id!r}"
            )
        return message.id

    async def mark_as_read(self) -> None:
        """Mark as read what has been said so far; what comes in the meantime stays unread.

        Raises a `RequestRefused`: `Forbidden` or `NotFound` when I am not in the conversation.
        """
        side = await self._mirror.side(self.id)
        await self._mark(MARK_READ, side.last_message_at if side else UNSET)

    async def mark_as_unread(self) -> None:
        """Mark as unread; the number of unread messages stays. Raises as `mark_as_read`."""
        side = await self._mirror.side(self.id)
        await self._mark(MARK_UNREAD, side.read_until if side else UNSET)

    async def mark_as_typing(self) -> None:
        """Tell the others that I am writing; it is forgotten after 10 s, or when I send a message.

        Call it at each keystroke: at most one request in 5 s is sent. It means nothing later, so it
        is given up in silence when the connection is lost or does not come in time. Raises a
        `RequestRefused`: `Forbidden` or `NotFound` when I am not in the conversation.
        """
        await mark_as_typing(self._mirror, self.id)

    async def _mark(self, endpoint: AnyEndpoint, until: int | UnsetType) -> None:
        await self._mirror.ask(endpoint, (self.id,), MarkParams(until=until))

    async def _both_halves(
        self, endpoint: AnyEndpoint, method: Literal["POST", "PUT"], params: ConversationParams
    ) -> list[RtflowError]:
        """Ask for the conversation and for my membership, back to back; return what failed."""
        mine = ParticipantParams(access=params.access, notify=params.notify)
        action = ParticipantAction(id=self._mirror.me, method=method, params=mine)
        async with asyncio.TaskGroup() as halves:  # they start in order, and so they leave
            whole = halves.create_task(_tried(self._mirror.ask(endpoint, (self.id,), params)))
            membership = halves.create_task(_tried(act(self._mirror, self.id, (action,))))
        joined = membership.result()
        outcomes = [whole.result(), *(joined if isinstance(joined, list) else [joined])]
        return [outcome for outcome in outcomes if isinstance(outcome, RtflowError)]


class Conversations(LiveRef[Window[ConversationSnapshot]]):
    """My conversations, most recently active first.

    Watching it is watching the first 20; `window(n)` is for other lengths and filters, and more.
    """

    def __init__(self, mirror: Mirror) -> None:
        super().__init__(mirror, ListView.of(ALL, DEFAULT_LENGTH))

    @cached_property
    def unread(self) -> Live[int]:
        """How many messages I have not read, over all my conversations (at most 10,000)."""
        return watching(self._mirror, TotalView.of())

    def window(
        self, n: int = DEFAULT_LENGTH, filter: Filter | Mapping[str, object] | None = None
    ) -> LiveWindow[Window[ConversationSnapshot]]:
        """Make a window of the first `n` that match `filter`; None: of all.

        A filter is an `rtflow.ConversationFilter`, `("any", (filter, ...))`, or the same as plain
        data with the wire's keys. Raises `TypeError` or `ValueError` for what cannot be one, or
        unless `n` is 1 or more.
        """
        given = ALL if filter is None else as_filter(filter)
        return LiveWindow(self._mirror, ListView.of(given, checked_count(n)))


async def _tried(half: Awaitable[T]) -> T | RtflowError:
    try:
        return await half
    except RtflowError as exc:
        return exc
