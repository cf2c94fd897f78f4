"""Who may do what, as one table per rule: a row for every standing."""

import pytest

from rtflow.errors import Forbidden, RequestRefused
from rtflow.server.domain.permissions import (
    Standing,
    may_add_participant,
    may_create_conversation,
    may_edit_conversation,
    may_edit_participant,
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
NO_EDIT_OF_PARTICIPANTS = "403 UNAUTHORIZED_TO_EDIT_PARTICIPANT"
NO_SEND = "403 UNAUTHORIZED_TO_SEND"


def said(refusal: RequestRefused | None) -> str | None:
    if refusal is None:
        return None
    assert refusal.reasons, "a refusal says why"
    return f"{refusal.status} {refusal.code}"


# Columns: nowhere, stranger, founder, reader, writer
TABLE = {
    "see": (UNKNOWN, UNKNOWN, UNKNOWN, YES, YES),
    "create": (YES, OUTSIDE, TAKEN, TAKEN, TAKEN),
    "edit": (YES, OUTSIDE, YES, NO_EDIT, YES),
    "edit nothing": (YES, OUTSIDE, YES, YES, YES),
    "add oneself": (UNKNOWN, OUTSIDE, YES, NO_EDIT_OF_PARTICIPANTS, YES),
    "add somebody": (UNKNOWN, OUTSIDE, OUTSIDE, NO_EDIT_OF_PARTICIPANTS, YES),
    "edit nothing of oneself": (UNKNOWN, OUTSIDE, YES, YES, YES),
    "edit nothing of somebody": (UNKNOWN, OUTSIDE, OUTSIDE, YES, YES),
    "edit own notify": (UNKNOWN, OUTSIDE, YES, YES, YES),
    "edit own access": (UNKNOWN, OUTSIDE, YES, NO_EDIT_OF_PARTICIPANTS, YES),
    "edit own access and notify": (UNKNOWN, OUTSIDE, YES, NO_EDIT_OF_PARTICIPANTS, YES),
    "edit somebody's notify": (UNKNOWN, OUTSIDE, OUTSIDE, NO_EDIT_OF_PARTICIPANTS, YES),
    "edit somebody's access": (UNKNOWN, OUTSIDE, OUTSIDE, NO_EDIT_OF_PARTICIPANTS, YES),
    "leave": (UNKNOWN, UNKNOWN, UNKNOWN, YES, YES),
    "remove somebody": (UNKNOWN, UNKNOWN, UNKNOWN, NO_EDIT_OF_PARTICIPANTS, YES),
    "send": (UNKNOWN, UNKNOWN, UNKNOWN, NO_SEND, YES),
}


def ask(what: str, actor: Standing) -> RequestRefused | None:
    himself = "own" in what or "oneself" in what
    match what:
        case "see":
            return may_see_conversation(actor)
        case "create":
            return may_create_conversation(actor)
        case "edit" | "edit nothing":
            return may_edit_conversation(actor, changes=what == "edit")
        case "add oneself" | "add somebody":
            return may_add_participant(actor, himself=himself)
        case "leave" | "remove somebody":
            return may_remove_participant(actor, himself=what == "leave")
        case "send":
            return may_send_message(actor)
        case _:
            return may_edit_participant(
                actor, himself=himself, access="access" in what, notify="notify" in what
            )


@pytest.mark.parametrize(
    ("what", "actor", "answer"),
    [
        pytest.param(what, actor, answer, id=f"{what} as {actor.name.lower()}")
        for what, answers in TABLE.items()
        for actor, answer in zip(Standing, answers, strict=True)
    ],
)
def test_what_somebody_may_do_depends_on_his_standing(
    what: str, actor: Standing, answer: str | None
) -> None:
    assert said(ask(what, actor)) == answer


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
