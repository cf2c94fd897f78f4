"""Each request of the table in rtflow.wire.endpoints to what it does: a command, a query, an
errand, or what to watch.

What is stored nowhere is read in two steps: the query says whether the actor may see it, and the
value is taken when the answer leaves (`LATE`), because the events that follow the answer are those
that were not in the value then. An errand has nothing to do with events, so no event waits for it.

Not here: how that is carried out (peer.py), what it means (rtflow.server.domain).
Invariant: every endpoint is in exactly one of the tables, those of the session aside (a test says
so).
"""

from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from random import getrandbits
from typing import Any, Final, TypeAlias

from msgspec import Raw

from rtflow.model.entities import Conversation, Message, Online, Participant, Typing, User
from rtflow.model.params import Empty, GetConversation, Translate, UserIds
from rtflow.server.domain.conversations import create_conversation, set_conversation
from rtflow.server.domain.files import validate_file
from rtflow.server.domain.messages import message, messages
from rtflow.server.domain.participants import (
    delete_participant,
    participant,
    participant_actions,
    participants,
)
from rtflow.server.domain.presence import must_see
from rtflow.server.domain.reactions import add_reaction, reactions, remove_reaction
from rtflow.server.domain.reading import mark_read, mark_unread
from rtflow.server.domain.rules import Rules
from rtflow.server.domain.saying import delete_message, edit_message
from rtflow.server.domain.sending import send_message
from rtflow.server.domain.sides import conversation, conversations
from rtflow.server.domain.users import create_user, must_exist, set_user, users_by_ids
from rtflow.server.gateway.audience import Kind, Topic
from rtflow.server.gateway.node import Node
from rtflow.server.store.interface import Command, Joint, Outcome, Query, Steps
from rtflow.wire import endpoints as table
from rtflow.wire.endpoints import AnyEndpoint
from rtflow.wire.server import Call

__all__ = [
    "CHECKS",
    "ERRANDS",
    "JOINT",
    "LATE",
    "QUERIES",
    "WATCHES",
    "WRITES",
    "command",
    "errand",
    "query",
    "user_topics",
    "value_now",
    "watched",
]

# Any: the table mixes all kinds of parameters and results; `Endpoint` holds each to its own
Work: TypeAlias = Callable[..., Steps[Outcome[Any]]]
Look: TypeAlias = Callable[..., Steps[Any]]
Take: TypeAlias = Callable[..., Any]
Errand: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]


def _bare(work: Work) -> Work:
    """Let work without parameters of its own be called like all other."""

    def do(*args: Any) -> Steps[Outcome[Any]]:  # Any: actor, ids, `Empty`, time, rules
        *before, _params, now, rules = args
        return work(*before, now, rules)

    return do


def _message(actor: str, conversation_id: str, message_id: str, _params: Empty) -> Steps[Message]:
    return message(actor, conversation_id, message_id)


def _users(_actor: str, params: UserIds) -> Steps[dict[str, User]]:
    return users_by_ids(params.ids)


def _conversation(actor: str, conversation_id: str, params: GetConversation) -> Steps[Conversation]:
    return conversation(actor, conversation_id, params.expand)


def _participant(
    actor: str, conversation_id: str, user_id: str, _params: Empty
) -> Steps[Participant]:
    return participant(actor, conversation_id, user_id)


def _may_see_online(_actor: str, user_id: str, _params: Empty) -> Steps[None]:
    return must_exist(user_id)


def _online(node: Node, _actor: str, user_id: str) -> Online:
    return node.signals.online(user_id)


def _may_see_typing(actor: str, conversation_id: str, _params: Empty) -> Steps[None]:
    return must_see(actor, conversation_id)


def _typing(node: Node, actor: str, conversation_id: str) -> Typing:
    return node.signals.typing(conversation_id, actor)


async def _mark_typing(node: Node, actor: str, conversation_id: str, _params: Empty) -> table.Done:
    return await node.signals.mark_typing(actor, conversation_id)


async def _translate(node: Node, actor: str, conversation_id: str, params: Translate) -> Raw:
    return await node.translator.translate(actor, conversation_id, params)


WRITES: Final[dict[AnyEndpoint, Work]] = {
    table.CREATE_USER: create_user,
    table.SET_USER: set_user,
    table.CREATE_CONVERSATION: create_conversation,
    table.SET_CONVERSATION: set_conversation,
    table.MARK_READ: mark_read,
    table.MARK_UNREAD: mark_unread,
    table.PARTICIPANTS: participant_actions,
    table.DELETE_PARTICIPANT: _bare(delete_participant),
    table.EDIT_MESSAGE: edit_message,
    table.DELETE_MESSAGE: _bare(delete_message),
    table.ADD_REACTION: _bare(add_reaction),
    table.REMOVE_REACTION: _bare(remove_reaction),
}

JOINT: Final[dict[AnyEndpoint, Callable[..., Joint[Any]]]] = {
    table.SEND_MESSAGE: send_message,
}

QUERIES: Final[dict[AnyEndpoint, Look]] = {
    table.GET_USERS: _users,
    table.GET_CONVERSATION: _conversation,
    table.GET_CONVERSATIONS: conversations,
    table.GET_PARTICIPANTS: participants,
    table.GET_PARTICIPANT: _participant,
    table.GET_MESSAGES: messages,
    table.GET_MESSAGE: _message,
    table.GET_REACTIONS: reactions,
    table.GET_ONLINE: _may_see_online,
    table.GET_TYPING: _may_see_typing,
}

LATE: Final[dict[AnyEndpoint, Take]] = {
    table.GET_ONLINE: _online,
    table.GET_TYPING: _typing,
}

ERRANDS: Final[dict[AnyEndpoint, Errand]] = {
    table.MARK_TYPING: _mark_typing,
    table.TRANSLATE: _translate,
}

CHECKS: Final[dict[AnyEndpoint, Look]] = {
    table.VALIDATE_FILE: validate_file,
}

WATCHES: Final[dict[AnyEndpoint, Kind]] = {
    table.WATCH_USERS: Kind.USER,
    table.UNWATCH_USER: Kind.USER,
    table.WATCH_CONVERSATIONS: Kind.CONVERSATIONS,
    table.UNWATCH_CONVERSATIONS: Kind.CONVERSATIONS,
    table.WATCH_CONVERSATION: Kind.CONVERSATION,
    table.UNWATCH_CONVERSATION: Kind.CONVERSATION,
    table.WATCH_ONLINE: Kind.ONLINE,
    table.UNWATCH_ONLINE: Kind.ONLINE,
    table.WATCH_PARTICIPANTS: Kind.PARTICIPANTS,
    table.UNWATCH_PARTICIPANTS: Kind.PARTICIPANTS,
    table.WATCH_PARTICIPANT: Kind.PARTICIPANT,
    table.UNWATCH_PARTICIPANT: Kind.PARTICIPANT,
    table.WATCH_TYPING: Kind.TYPING,
    table.UNWATCH_TYPING: Kind.TYPING,
    table.WATCH_MESSAGES: Kind.MESSAGES,
    table.UNWATCH_MESSAGES: Kind.MESSAGES,
    table.WATCH_REACTIONS: Kind.REACTIONS,
    table.UNWATCH_REACTIONS: Kind.REACTIONS,
}


def command(call: Call, actor: str, now: int, rules: Rules) -> Command[Any]:
    """Return the command of a write. It may be run again, and does the same then."""
    if (joint := JOINT.get(call.endpoint)) is not None:
        return joint(actor, *call.ids, _new_message_id(now), call.params, now, rules)
    return partial(WRITES[call.endpoint], actor, *call.ids, call.params, now, rules)


def _new_message_id(now: int) -> str:
    """Make an id: 11 digits for the time in ms, 13 of chance.

    What comes later sorts later, so all indexes by id grow at their end, and a commit writes the
    same few pages however large they are. Nobody gains by guessing one.
    """
    return f"msg_{now:011x}{getrandbits(52):013x}"


def query(call: Call, actor: str, rules: Rules) -> Query[Any]:
    """Return the query of a read."""
    if (check := CHECKS.get(call.endpoint)) is not None:
        return partial(check, call.params, rules)
    return partial(QUERIES[call.endpoint], actor, *call.ids, call.params)


def value_now(call: Call, actor: str, node: Node, found: Any) -> Any:
    """Return what a read is answered with, when it is: what the query found, or what is so now."""
    take = LATE.get(call.endpoint)
    return found if take is None else take(node, actor, *call.ids)


def errand(call: Call, actor: str, node: Node) -> Coroutine[Any, Any, Any]:
    """Return the work of an errand, to be awaited. Raises what the actor is refused with."""
    return ERRANDS[call.endpoint](node, actor, *call.ids, call.params)


def watched(call: Call, actor: str) -> tuple[Topic, ...]:
    """Return what a SUBSCRIBE or UNSUBSCRIBE is about."""
    kind = WATCHES[call.endpoint]
    if call.endpoint is table.WATCH_USERS:
        return user_topics(call.params.ids)
    match call.ids:
        case ():
            return (Topic(kind, actor),)
        case (single,):
            return (Topic(kind, single),)
        case several:
            return (Topic(kind, several),)


def user_topics(ids: Iterable[str]) -> tuple[Topic, ...]:
    """Return what to watch to hear of these users."""
    return tuple(Topic(Kind.USER, user_id) for user_id in ids)
