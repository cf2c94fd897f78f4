"""Participants: who is in a conversation, and what they may do there.

Not here yet: reading and watching them.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, Unpack

from rtflow.client.mirror import Mirror
from rtflow.client.refs.ref import Ref
from rtflow.errors import Conflict, NotFound, RequestRefused, refusal
from rtflow.model.params import (
    Empty,
    ParticipantAction,
    ParticipantActions,
    ParticipantFields,
    ParticipantParams,
    checked,
)
from rtflow.wire.endpoints import DELETE_PARTICIPANT, PARTICIPANTS

__all__ = ["ParticipantRef", "act"]


class ParticipantRef(Ref):
    """Somebody's membership of a conversation."""

    def __init__(self, mirror: Mirror, conversation_id: str, user_id: str) -> None:
        self._mirror, self._names = mirror, (conversation_id, user_id)

    @property
    def conversation_id(self) -> str:
        """The conversation's id."""
        return self._names[0]

    @property
    def user_id(self) -> str:
        """The user's id."""
        return self._names[1]

    async def create_if_not_exists(self, **fields: Unpack[ParticipantFields]) -> None:
        """Let the user join, or leave everything as it is if the user is in already.

        `access` is "ReadWrite" and `notify` True when not given. Raises `TypeError` or `ValueError`
        for wrong fields, and a `RequestRefused` (`Forbidden`, `NotFound` for an unknown user).
        """
        refused = await self._act("POST", "create_if_not_exists", fields)
        if refused is not None and not isinstance(refused, Conflict):
            raise refused

    async def set(self, **fields: Unpack[ParticipantFields]) -> None:
        """Let the user join with these fields, or change them. Raises as `create_if_not_exists`."""
        if (refused := await self._act("PUT", "set", fields)) is not None:
            raise refused

    async def edit(self, **fields: Unpack[ParticipantFields]) -> None:
        """Change these fields; `NotFound` when not in. Raises as `create_if_not_exists`."""
        if (refused := await self._act("PATCH", "edit", fields)) is not None:
            raise refused

    async def delete(self) -> None:
        """Let the user leave, if the user is in. Raises a `RequestRefused` (`Forbidden`)."""
        with suppress(NotFound):  # not in: done
            await self._mirror.ask(DELETE_PARTICIPANT, self._names, Empty())

    async def _act(
        self, method: Literal["POST", "PUT", "PATCH"], call: str, fields: ParticipantFields
    ) -> RequestRefused | None:
        params = checked(ParticipantParams, f"participant.{call}", **fields)
        actions = (ParticipantAction(id=self.user_id, method=method, params=params),)
        (refused,) = await act(self._mirror, self.conversation_id, actions)
        return refused


async def act(
    mirror: Mirror, conversation_id: str, actions: tuple[ParticipantAction, ...]
) -> Sequence[RequestRefused | None]:
    """Do these steps, in order; return for each why it was refused, or None."""
    answers = await mirror.ask(
        PARTICIPANTS, (conversation_id,), ParticipantActions(actions=actions)
    )
    request = f"{PARTICIPANTS.method} {PARTICIPANTS.path(conversation_id)}"
    return [
        None
        if answer.status == 200
        else refusal(answer.status, answer.error_code or "UNKNOWN", answer.reasons, request)
        for answer in answers.responses
    ]
