"""Participants: who is in a conversation, and what they may do there."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal, Unpack

from rtflow.client.mirror import Mirror
from rtflow.client.refs.ref import LiveRef
from rtflow.client.refs.windows import LiveWindow, checked_count
from rtflow.client.state.views import ParticipantsView, ParticipantView
from rtflow.errors import Conflict, NotFound, RequestRefused, refusal
from rtflow.model.arguments import checked
from rtflow.model.params import (
    Empty,
    ParticipantAction,
    ParticipantActions,
    ParticipantFields,
    ParticipantParams,
)
from rtflow.model.snapshots import ParticipantSnapshot, Window
from rtflow.wire.endpoints import DELETE_PARTICIPANT, PARTICIPANTS

__all__ = ["ParticipantRef", "Participants", "act"]

DEFAULT_LENGTH: Final = 10


class ParticipantRef(LiveRef[ParticipantSnapshot | None]):
    """Somebody's membership of a conversation; None when the user is not in it, or I am not."""

    def __init__(self, mirror: Mirror, conversation_id: str, user_id: str) -> None:
        view = ParticipantView.of(conversation_id, user_id)
        super().__init__(mirror, view, conversation_id, user_id)

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
        for wrong fields, and a `RequestRefused`: `Forbidden` when I may not do that, `NotFound`
        when there is no such user, or I am not in the conversation.
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


class Participants(LiveRef[Window[ParticipantSnapshot] | None]):
    """Who is in a conversation, whoever joined last first; None when I am not.

    Watching it is watching the first 10; `window(n)` is for other lengths, and for more of them.
    """

    def __init__(self, mirror: Mirror, conversation_id: str) -> None:
        view = ParticipantsView.of(conversation_id, DEFAULT_LENGTH)
        super().__init__(mirror, view, conversation_id)

    def window(self, n: int = DEFAULT_LENGTH) -> LiveWindow[Window[ParticipantSnapshot] | None]:
        """Make a window of the first `n`; fewer than 1 is a `ValueError`, no int a `TypeError`."""
        return LiveWindow(self._mirror, ParticipantsView.of(self._names[0], checked_count(n)))


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
