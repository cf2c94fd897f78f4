"""Each request of the table in rtflow.wire.endpoints to what it does: a command, a query, or what
to watch.

Not here: how that is carried out (peer.py), what it means (rtflow.server.domain).
Invariant: every endpoint is in exactly one of the tables, those of the session aside (a test says
so).
"""

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, TypeAlias

from rtflow.model.entities import Conversation, User
from rtflow.model.params import Empty, GetConversation, UserIds
from rtflow.server.domain.conversations import create_conversation, set_conversation
from rtflow.server.domain.files import validate_file
from rtflow.server.domain.messages import messages, send_message
from rtflow.server.domain.participants import delete_participant, participant_actions
from rtflow.server.domain.reading import mark_read, mark_unread
from rtflow.server.domain.rules import Rules
from rtflow.server.domain.sides import conversation, conversations
from rtflow.server.domain.users import create_user, set_user, users_by_ids
from rtflow.server.gateway.audience import Kind, Topic
from rtflow.server.store.interface import Command, Outcome, Query, Steps
from rtflow.wire import endpoints as table
from rtflow.wire.endpoints import AnyEndpoint
from rtflow.wire.server import Call

__all__ = ["CHECKS", "QUERIES", "WATCHES", "WRITES", "command", "query", "user_topics", "watched"]

# Any: the table mixes all kinds of parameters and results; `Endpoint` holds each to its own
Work: TypeAlias = Callable[..., Steps[Outcome[Any]]]
Look: TypeAlias = Callable[..., Steps[Any]]


def _delete_participant(
    actor: str, conversation_id: str, user_id: str, _params: Empty, now: int, rules: Rules
) -> Steps[Outcome[table.Done]]:
    return delete_participant(actor, conversation_id, user_id, now, rules)


def _users(_actor: str, params: UserIds) -> Steps[dict[str, User]]:
    return users_by_ids(params.ids)


def _conversation(actor: str, conversation_id: str, params: GetConversation) -> Steps[Conversation]:
    return conversation(actor, conversation_id, params.expand)


WRITES: Final[dict[AnyEndpoint, Work]] = {
    table.CREATE_USER: create_user,
    table.SET_USER: set_user,
    table.CREATE_CONVERSATION: create_conversation,
    table.SET_CONVERSATION: set_conversation,
    table.MARK_READ: mark_read,
    table.MARK_UNREAD: mark_unread,
    table.PARTICIPANTS: participant_actions,
    table.DELETE_PARTICIPANT: _delete_participant,
    table.SEND_MESSAGE: send_message,
}

QUERIES: Final[dict[AnyEndpoint, Look]] = {
    table.GET_USERS: _users,
    table.GET_CONVERSATION: _conversation,
    table.GET_CONVERSATIONS: conversations,
    table.GET_MESSAGES: messages,
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
    ids = call.ids
    if call.endpoint is table.SEND_MESSAGE:
        ids = (*ids, f"msg_{os.urandom(12).hex()}")
    return partial(WRITES[call.endpoint], actor, *ids, call.params, now, rules)


def query(call: Call, actor: str, rules: Rules) -> Query[Any]:
    """Return the query of a read."""
    if (check := CHECKS.get(call.endpoint)) is not None:
        return partial(check, call.params, rules)
    return partial(QUERIES[call.endpoint], actor, *call.ids, call.params)


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
