"""Who may do what: one function per rule, from plain facts to a refusal, or None for "yes".

Not here: finding the facts (conversations.py and its neighbours).
Invariant: nobody learns from a refusal that a conversation exists which he is not in, except by
creating, setting or joining it by its id, where that cannot be avoided.
"""

from enum import Enum

from rtflow.errors import Conflict, Forbidden, NotFound, RequestRefused
from rtflow.model.entities import Access
from rtflow.server.domain.rules import Rules

__all__ = [
    "Standing",
    "may_add_participant",
    "may_create_conversation",
    "may_delete_message",
    "may_edit_conversation",
    "may_edit_message",
    "may_edit_participant",
    "may_react",
    "may_remove_participant",
    "may_see_conversation",
    "may_send_message",
    "may_sync_conversations",
    "may_sync_users",
    "require",
]


class Standing(Enum):
    """What somebody is to a conversation."""

    NOWHERE = "there is no such conversation"
    STRANGER = "it exists without him"
    FOUNDER = "he made it, and nobody is in it"
    READER = "he is in it with Read access"
    WRITER = "he is in it with ReadWrite access"

    @staticmethod
    def inside(access: Access) -> "Standing":
        """Return the standing of a participant."""
        return Standing.WRITER if access == "ReadWrite" else Standing.READER

    @property
    def is_inside(self) -> bool:
        """True for participants."""
        return self in (Standing.READER, Standing.WRITER)


def require(refusal: RequestRefused | None) -> None:
    """Raise the refusal, if it is one."""
    if refusal is not None:
        raise refusal


def may_sync_users(rules: Rules) -> RequestRefused | None:
    """May users be created and edited from client programs?"""
    if rules.client_side_user_syncing:
        return None
    return Forbidden(
        "USER_SYNC_DISABLED", "this app does not let clients create or edit users; its server does"
    )


def may_sync_conversations(rules: Rules) -> RequestRefused | None:
    """May conversations and participants be created and edited from client programs?"""
    if rules.client_side_conversation_syncing:
        return None
    return Forbidden(
        "CONVERSATION_SYNC_DISABLED",
        "this app does not let clients create or edit conversations or participants;"
        " its server does",
    )


def may_see_conversation(actor: Standing) -> RequestRefused | None:
    """May he read it, mark it, know of it?"""
    return None if actor.is_inside else _no_conversation()


def may_create_conversation(actor: Standing) -> RequestRefused | None:
    """May he make it? A conflict tells those who may know that it is there already."""
    match actor:
        case Standing.NOWHERE:
            return None
        case Standing.STRANGER:
            return _not_inside()
        case Standing.FOUNDER | Standing.READER | Standing.WRITER:
            return Conflict("CONVERSATION_ALREADY_EXISTS", "this conversation exists already")


def may_edit_conversation(actor: Standing, *, changes: bool) -> RequestRefused | None:
    """May he set it? `changes` tells whether any property of the conversation itself was given."""
    match actor:
        case Standing.STRANGER:
            return _not_inside()
        case Standing.READER if changes:
            return Forbidden(
                "UNAUTHORIZED_TO_EDIT", "with Read access you cannot edit the conversation"
            )
        case _:
            return None


def may_add_participant(actor: Standing, *, himself: bool) -> RequestRefused | None:
    """May he make somebody (or himself) a participant?"""
    match actor:
        case Standing.NOWHERE:
            return _no_conversation()
        case Standing.STRANGER:
            return _not_inside()
        case Standing.FOUNDER:
            return None if himself else _not_inside()
        case Standing.READER:
            return _no_participant_edits()
        case Standing.WRITER:
            return None


def may_edit_participant(
    actor: Standing, *, himself: bool, access: bool, notify: bool
) -> RequestRefused | None:
    """May he set somebody's access, or notify? Both tell whether it was given."""
    if not actor.is_inside:
        return may_add_participant(actor, himself=himself)
    if actor is Standing.WRITER or (not access and (himself or not notify)):
        return None
    return _no_participant_edits()


def may_remove_participant(actor: Standing, *, himself: bool) -> RequestRefused | None:
    """May he take somebody (or himself) out?"""
    if not actor.is_inside:
        return _no_conversation()
    return None if himself or actor is Standing.WRITER else _no_participant_edits()


def may_send_message(actor: Standing) -> RequestRefused | None:
    """May he say something?"""
    if not actor.is_inside:
        return _no_conversation()
    if actor is Standing.WRITER:
        return None
    return Forbidden("UNAUTHORIZED_TO_SEND", "with Read access you cannot send messages")


def may_edit_message(actor: Standing, *, own: bool) -> RequestRefused | None:
    """May he change a message that he has said (`own`), or somebody else, or nobody?"""
    if not actor.is_inside:
        return _no_conversation()
    if actor is Standing.WRITER and own:
        return None
    return Forbidden(
        "UNAUTHORIZED_TO_EDIT_MESSAGE",
        "you can edit your own messages only, and only with ReadWrite access",
    )


def may_delete_message(actor: Standing, *, own: bool) -> RequestRefused | None:
    """May he take back a message that he has said (`own`), or somebody else, or nobody?"""
    if not actor.is_inside:
        return _no_conversation()
    if actor is Standing.WRITER and own:
        return None
    return Forbidden(
        "UNAUTHORIZED_TO_DELETE_MESSAGE",
        "you can delete your own messages only, and only with ReadWrite access",
    )


def may_react(actor: Standing, *, himself: bool) -> RequestRefused | None:
    """May he add or remove a reaction of his own (`himself`), or of somebody else?"""
    if not actor.is_inside:
        return _no_conversation()
    if actor is Standing.WRITER and himself:
        return None
    return Forbidden(
        "UNAUTHORIZED_TO_REACT",
        "you can add and remove your own reactions only, and only with ReadWrite access",
    )


def _no_conversation() -> RequestRefused:
    return NotFound("CONVERSATION_NOT_FOUND", "there is no such conversation, or you are not in it")


def _not_inside() -> RequestRefused:
    return Forbidden("NOT_A_PARTICIPANT", "you are not a participant of this conversation")


def _no_participant_edits() -> RequestRefused:
    return Forbidden(
        "UNAUTHORIZED_TO_EDIT_PARTICIPANT", "with Read access you cannot edit participants"
    )
