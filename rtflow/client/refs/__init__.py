"""Refs: what you hold. A ref names something on the server and has no data of its own."""

from rtflow.client.refs.conversations import ConversationRef, Conversations
from rtflow.client.refs.messages import MessageRef, Messages
from rtflow.client.refs.participants import ParticipantRef, Participants
from rtflow.client.refs.reactions import ReactionsRef
from rtflow.client.refs.ref import Ref
from rtflow.client.refs.users import UserRef
from rtflow.client.refs.windows import LiveWindow

__all__ = [
    "ConversationRef",
    "Conversations",
    "LiveWindow",
    "MessageRef",
    "Messages",
    "ParticipantRef",
    "Participants",
    "ReactionsRef",
    "Ref",
    "UserRef",
]
