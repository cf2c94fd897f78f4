"""Participants: the nouns of who is in a conversation, one by one and in a list.

They are subscribed to and read apart, and hear of the same events.
"""

from typing import TypeAlias, assert_never

from msgspec import UNSET, UnsetType

from rtflow.client.state.keyed import Single
from rtflow.client.state.keys import Key, ParticipantKey, ParticipantsKey, UserKey
from rtflow.client.state.noun import Notes
from rtflow.client.state.portraits import participant_snapshot, patched
from rtflow.client.state.users import Users
from rtflow.client.state.windows import Windows
from rtflow.model.entities import Participant
from rtflow.model.events import (
    ParticipantCreated,
    ParticipantDeleted,
    ParticipantEdited,
    SideCreated,
    SideDeleted,
)
from rtflow.model.snapshots import ParticipantSnapshot, UserSnapshot
from rtflow.wire.endpoints import (
    GET_PARTICIPANT,
    GET_PARTICIPANTS,
    UNWATCH_PARTICIPANT,
    UNWATCH_PARTICIPANTS,
    WATCH_PARTICIPANT,
    WATCH_PARTICIPANTS,
)

__all__ = ["Participants", "SingleParticipants"]

AboutParticipants: TypeAlias = ParticipantCreated | ParticipantEdited | ParticipantDeleted
EVENTS = (ParticipantCreated, ParticipantEdited, ParticipantDeleted, SideCreated, SideDeleted)


class SingleParticipants(Single[ParticipantKey, Participant]):
    """Memberships. None: the user is not in the conversation, or I am not."""

    kinds = (ParticipantKey,)
    topics = (WATCH_PARTICIPANT, UNWATCH_PARTICIPANT)
    answers = (GET_PARTICIPANT,)
    events = EVENTS

    def __init__(self, notes: Notes, users: Users) -> None:
        super().__init__(notes)
        self._users = users

    def parts(self, key: ParticipantKey) -> tuple[Key, ...]:
        """See `Noun`: the user, who is read together with the membership."""
        return () if self.get(key) is None else (UserKey(key.user),)

    def change(self, event: AboutParticipants) -> None:
        """See `Keyed`."""
        key = ParticipantKey(event.conversation_id, event.user_id)
        known = self.get(key)
        if known is UNSET:
            return
        match event:
            case ParticipantCreated(state=participant):
                self.put(key, participant)
            case ParticipantEdited(diff=diff):
                if known is not None:
                    self.put(key, patched(known, diff))
            case ParticipantDeleted():
                self.put(key, None)
            case _:
                assert_never(event)

    def show(self, key: ParticipantKey, n: int = 1) -> ParticipantSnapshot | UnsetType | None:
        """See `Noun`."""
        known, user = self.get(key), self._users.get(key.user)
        if known is None:
            return None
        return UNSET if known is UNSET or user is UNSET else participant_snapshot(known, user)


class Participants(Windows[ParticipantsKey, Participant, ParticipantSnapshot]):
    """Who is in each conversation, whoever joined last first. None: I am not in it."""

    kinds = (ParticipantsKey,)
    topics = (WATCH_PARTICIPANTS, UNWATCH_PARTICIPANTS)
    answers = (GET_PARTICIPANTS,)
    events = EVENTS
    most = 50  # protocol.md 5.8
    oldest_first = False

    def place(self, item: Participant) -> tuple[str, int]:
        """See `Windows`."""
        return item.id, item.joined_at

    def portrait(self, item: Participant, user: UserSnapshot | None) -> ParticipantSnapshot:
        """See `Windows`."""
        return participant_snapshot(item, user)

    def change(self, event: AboutParticipants) -> None:
        """See `Keyed`."""
        key = ParticipantsKey(event.conversation_id)
        match event:
            case ParticipantCreated(state=participant):
                self.set_item(key, participant)
            case ParticipantEdited(user_id=id, diff=diff):
                listing = self._known.get(key)
                if listing and id in listing:
                    self.set_item(key, patched(listing[id], diff))
            case ParticipantDeleted(user_id=id):
                self.remove_item(key, id)
            case _:
                assert_never(event)
