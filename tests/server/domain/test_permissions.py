"""Who may do what, as one table per rule: a row for every standing."""

from collections.abc import Callable
from inspect import signature
from itertools import product

import pytest

from rtflow.errors import Forbidden, RequestRefused
from rtflow.server.domain import permissions
from rtflow.server.domain.permissions import (
    Standing,
    may_add_participant,
    may_create_conversation,
    may_delete_message,
    may_edit_conversation,
    may_edit_message,
    may_edit_participant,
    may_react,
    may_remove_participant,
    may_see_conversation,
    may_send_message,
    may_sync_conversations,
    may_sync_users,
    require,
)
from rtflow.server.domain.rules import Rules

NOWHERE, STRANGER, FOUNDER, READER, WRITER = Standing

YES = None
UNKNOWN = "404 CONVERSATION_NOT_FOUND"
OUTSIDE = "403 NOT_A_PARTICIPANT"
TAKEN = "409 CONVERSATION_ALREADY_EXISTS"
NO_EDIT = "403 UNAUTHORIZED_TO_EDIT"
NO_SEAT = "403 UNAUTHORIZED_TO_EDIT_PARTICIPANT"
NO_SEND = "403 UNAUTHORIZED_TO_SEND"
NO_CHANGE = "403 UNAUTHORIZED_TO_EDIT_MESSAGE"
NO_DELETION = "403 UNAUTHORIZED_TO_DELETE_MESSAGE"
NO_REACTION = "403 UNAUTHORIZED_TO_REACT"

OWN = {"himself": True}
OTHER = {"himself": False}


def said(refusal: RequestRefused | None) -> str | None:
    if refusal is None:
        return None
    assert refusal.reasons, "a refusal says why"
    return f"{refusal.status} {refusal.code}"


class Row:
    """A rule, the facts that it looks at besides the standing, and its answer to each: nowhere,
    stranger, founder, reader, writer."""

    def __init__(
        self,
        rule: Callable[..., RequestRefused | None],
        facts: dict[str, bool],
        *answers: str | None,
    ) -> None:
        self.rule, self.facts, self.answers = rule, facts, answers


NOTHING = {"access": False, "notify": False}
NOTIFY = {"access": False, "notify": True}
ACCESS = {"access": True, "notify": False}
BOTH = {"access": True, "notify": True}

TABLE = {
    "see, mark as read or unread": Row(
        may_see_conversation, {}, UNKNOWN, UNKNOWN, UNKNOWN, YES, YES
    ),
    "create": Row(may_create_conversation, {}, YES, OUTSIDE, TAKEN, TAKEN, TAKEN),
    "edit": Row(may_edit_conversation, {"changes": True}, YES, OUTSIDE, YES, NO_EDIT, YES),
    "edit nothing": Row(may_edit_conversation, {"changes": False}, YES, OUTSIDE, YES, YES, YES),
    "join": Row(may_add_participant, OWN, UNKNOWN, OUTSIDE, YES, NO_SEAT, YES),
    "invite": Row(may_add_participant, OTHER, UNKNOWN, OUTSIDE, OUTSIDE, NO_SEAT, YES),
    "edit nothing of oneself": Row(
        may_edit_participant, OWN | NOTHING, UNKNOWN, OUTSIDE, YES, YES, YES
    ),
    "edit nothing of somebody": Row(
        may_edit_participant, OTHER | NOTHING, UNKNOWN, OUTSIDE, OUTSIDE, YES, YES
    ),
    "edit own notify": Row(may_edit_participant, OWN | NOTIFY, UNKNOWN, OUTSIDE, YES, YES, YES),
    "edit own access": Row(may_edit_participant, OWN | ACCESS, UNKNOWN, OUTSIDE, YES, NO_SEAT, YES),
    "edit own access and notify": Row(
        may_edit_participant, OWN | BOTH, UNKNOWN, OUTSIDE, YES, NO_SEAT, YES
    ),
    "edit somebody's notify": Row(
        may_edit_participant, OTHER | NOTIFY, UNKNOWN, OUTSIDE, OUTSIDE, NO_SEAT, YES
    ),
    "edit somebody's access": Row(
        may_edit_participant, OTHER | ACCESS, UNKNOWN, OUTSIDE, OUTSIDE, NO_SEAT, YES
    ),
    "edit somebody's access and notify": Row(
        may_edit_participant, OTHER | BOTH, UNKNOWN, OUTSIDE, OUTSIDE, NO_SEAT, YES
    ),
    "leave": Row(may_remove_participant, OWN, UNKNOWN, UNKNOWN, UNKNOWN, YES, YES),
    "remove somebody": Row(may_remove_participant, OTHER, UNKNOWN, UNKNOWN, UNKNOWN, NO_SEAT, YES),
    "send": Row(may_send_message, {}, UNKNOWN, UNKNOWN, UNKNOWN, NO_SEND, YES),
    "edit own message": Row(
        may_edit_message, {"own": True}, UNKNOWN, UNKNOWN, UNKNOWN, NO_CHANGE, YES
    ),
    "edit somebody's message": Row(
        may_edit_message, {"own": False}, UNKNOWN, UNKNOWN, UNKNOWN, NO_CHANGE, NO_CHANGE
    ),
    "delete own message": Row(
        may_delete_message, {"own": True}, UNKNOWN, UNKNOWN, UNKNOWN, NO_DELETION, YES
    ),
    "delete somebody's message": Row(
        may_delete_message, {"own": False}, UNKNOWN, UNKNOWN, UNKNOWN, NO_DELETION, NO_DELETION
    ),
    "react": Row(may_react, OWN, UNKNOWN, UNKNOWN, UNKNOWN, NO_REACTION, YES),
    "react as somebody": Row(may_react, OTHER, UNKNOWN, UNKNOWN, UNKNOWN, NO_REACTION, NO_REACTION),
}
OF_THE_APP = {may_sync_users, may_sync_conversations}


@pytest.mark.parametrize(
    ("what", "actor", "answer"),
    [
        pytest.param(what, actor, answer, id=f"{what} as {actor.name.lower()}")
        for what, row in TABLE.items()
        for actor, answer in zip(Standing, row.answers, strict=True)
    ],
)
def test_what_somebody_may_do_depends_on_his_standing(
    what: str, actor: Standing, answer: str | None
) -> None:
    row = TABLE[what]
    assert said(row.rule(actor, **row.facts)) == answer


def test_every_rule_has_a_row_for_all_that_it_looks_at() -> None:
    rules = {getattr(permissions, name) for name in permissions.__all__ if name.startswith("may_")}
    assert {row.rule for row in TABLE.values()} == rules - OF_THE_APP
    for rule in rules - OF_THE_APP:
        _, *facts = signature(rule).parameters
        rows = [row.facts for row in TABLE.values() if row.rule is rule]
        for values in product((True, False), repeat=len(facts)):
            assert dict(zip(facts, values, strict=True)) in rows, rule


def test_the_standing_of_a_participant_is_his_access() -> None:
    assert Standing.inside("Read") is READER
    assert Standing.inside("ReadWrite") is WRITER


@pytest.mark.parametrize("is_on", [True, False])
def test_client_side_syncing_can_be_switched_off(is_on: bool) -> None:
    rules = Rules(client_side_user_syncing=is_on)
    assert said(may_sync_users(rules)) == (None if is_on else "403 USER_SYNC_DISABLED")
    assert said(may_sync_conversations(rules)) is None
    rules = Rules(client_side_conversation_syncing=is_on)
    assert said(may_sync_conversations(rules)) == (
        None if is_on else "403 CONVERSATION_SYNC_DISABLED"
    )
    assert said(may_sync_users(rules)) is None


def test_a_refusal_is_raised_where_it_is_required_not_to_be() -> None:
    require(None)
    with pytest.raises(Forbidden):
        require(Forbidden("NO"))
