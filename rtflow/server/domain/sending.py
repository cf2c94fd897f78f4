"""Sending: to say something new. What many say at a time is written in one go.

A message writes the same few rows however many participants there are: unread counts come from
numbers (sides.py), and the activity of each is kept only where they are few (activity.py). Several
messages in one conversation, in one transaction, write what is kept once for all of them. Within a
conversation the time of a message is later than that of any message, joining and reading mark
before it.

First all is decided, message by message, with what those before it have changed in mind; then all
is written. Refused: to write each and read again for the next, at twice the cost.

Not here: changing what was said and taking it back (saying.py), reading it (messages.py).
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field

from rtflow.errors import BadRequest, RequestRefused
from rtflow.model.entities import Access, Message
from rtflow.model.events import MessageCreated
from rtflow.model.params import SendMessage
from rtflow.server.domain.activity import touch_others
from rtflow.server.domain.content import checked_content
from rtflow.server.domain.files import hold_files
from rtflow.server.domain.indexing import NEW_PLACE, index_new_messages, new_message
from rtflow.server.domain.many import rows_among
from rtflow.server.domain.merging import merge_map
from rtflow.server.domain.permissions import Standing, may_send_message, require
from rtflow.server.domain.rules import Rules
from rtflow.server.store.interface import (
    Entry,
    Joint,
    Outcome,
    SideTouched,
    Steps,
    one,
    run,
    run_many,
)
from rtflow.wire.codec import encode
from rtflow.wire.endpoints import Sent

__all__ = ["DAY", "Saying", "send_message", "send_messages"]

DAY: Final = 24 * 60 * 60 * 1000  # milliseconds

SPEAKER: Final = (
    "p.access, (SELECT max(q.joined_at) FROM participants q WHERE q.user_id = ?2),"
    " (SELECT k.message_id FROM sent_keys k"
    " WHERE k.conversation_id = ?1 AND k.user_id = ?2 AND k.key = ?3 AND k.at > ?4)"
)
STAGE: Final = (
    f"SELECT {SPEAKER}, c.last_number, coalesce(c.last_message_at, 0),"
    " (SELECT max(q.read_until) FROM participants q WHERE q.conversation_id = ?1),"
    f" c.is_crowded, {NEW_PLACE}"
    " FROM participants p JOIN conversations c ON c.id = p.conversation_id"
    " WHERE p.conversation_id = ?1 AND p.user_id = ?2"
)
ANOTHER: Final = (
    f"SELECT {SPEAKER} FROM participants p WHERE p.conversation_id = ?1 AND p.user_id = ?2"
)
KEYS: Final = (
    "SELECT key, message_id FROM sent_keys"
    " WHERE conversation_id = ?1 AND user_id = ?2 AND at > ?3 AND key IN ({ids})"
)


class Saying(Struct, frozen=True):
    """Something that is to be said. `id` is new."""

    actor: str
    conversation_id: str
    id: str
    params: SendMessage
    now: int
    rules: Rules


def send_message(
    actor: str, conversation_id: str, message_id: str, params: SendMessage, now: int, rules: Rules
) -> Joint[Sent]:
    """Return the command that says something; `message_id` is new."""
    return Joint(send_messages, Saying(actor, conversation_id, message_id, params, now, rules))


def send_messages(sayings: Sequence[Saying]) -> Steps[list[Outcome[Sent] | RequestRefused]]:
    """Say something, each after the one before. Each sender counts as having read all before it."""
    meeting = _Meeting()
    for it in sayings:
        meeting.keys.setdefault((it.conversation_id, it.actor), []).append(_key(it))
    outcomes: list[Outcome[Sent] | RequestRefused] = []
    for saying in sayings:
        try:
            outcomes.append((yield from _decide(meeting, saying)))
        except RequestRefused as refusal:
            outcomes.append(refusal)
    yield from _write(meeting)
    return outcomes


# What is known meanwhile


class _Speaker(Struct):
    """A participant who says something."""

    access: Access
    joined_at: int  # the latest of his, anywhere: what is said now is newer
    sent: dict[str, str]  # by key: the message that had it
    number: int = 0  # of the last that he says
    said_at: int = 0


class _Talk(Struct):
    """A conversation in which something is said."""

    last_number: int
    latest: int  # of all messages and reading marks
    is_crowded: int
    speakers: dict[str, _Speaker | None] = field(default_factory=dict[str, "_Speaker | None"])
    """None: who may not know of it."""
    last_speaker: str = ""


class _Said(Struct, frozen=True):
    """A message to be written."""

    saying: Saying
    number: int
    place: int  # in the order of search
    message: Message


class _Meeting(Struct):
    """All that is said in one go."""

    keys: dict[tuple[str, str], list[str | None]] = field(
        default_factory=dict[tuple[str, str], "list[str | None]"]
    )
    """By conversation and speaker: the keys of what he says."""
    talks: dict[str, _Talk] = field(default_factory=dict[str, _Talk])
    said: list[_Said] = field(default_factory=list[_Said])
    next_place: int = 0


class _SpeakerRow(Struct, frozen=True):
    access: Access
    joined_at: int
    sent_before: str | None


class _Stage(_SpeakerRow, frozen=True):
    last_number: int
    last_message_at: int
    read_until: int  # the latest of all participants
    is_crowded: int
    new_place: int


class _Sent(Struct, frozen=True):
    key: str
    message_id: str


class _Id(Struct, frozen=True):
    id: str


# Deciding


def _decide(meeting: _Meeting, saying: Saying) -> Steps[Outcome[Sent]]:
    params, key = saying.params, _key(saying)
    speaker = yield from _speaker(meeting, saying)
    require(may_send_message(Standing.inside(speaker.access) if speaker else Standing.STRANGER))
    assert speaker is not None, "who may send is inside"
    if key is not None and (before := speaker.sent.get(key)) is not None:
        return Outcome(Sent(before))  # though it may have been taken back since
    content = yield from checked_content(
        saying.actor, params.content, saying.rules.max_message_length
    )
    custom = merge_map({}, params.custom, saying.rules.max_custom_bytes)
    referenced = params.referenced_message_id or None
    if referenced is not None:
        yield from _must_be_here(saying.conversation_id, referenced)
    if key is not None:
        speaker.sent[key] = saying.id
    talk = meeting.talks[saying.conversation_id]
    talk.last_number += 1
    talk.latest = max(saying.now, talk.latest + 1, speaker.joined_at + 1)
    talk.last_speaker = saying.actor
    speaker.number, speaker.said_at = talk.last_number, talk.latest
    message = Message(
        id=saying.id,
        sender_id=saying.actor,
        custom=custom,
        created_at=talk.latest,
        referenced_message_id=referenced,
        content=content,
    )
    meeting.said.append(_Said(saying, talk.last_number, meeting.next_place, message))
    meeting.next_place += 1
    said = MessageCreated(
        conversation_id=saying.conversation_id, message_id=saying.id, state=message
    )
    return Outcome(Sent(saying.id), (Entry(said), Entry(SideTouched(saying.conversation_id))))


def _key(saying: Saying) -> str | None:
    return saying.params.idempotency_key or None


def _speaker(meeting: _Meeting, saying: Saying) -> Steps[_Speaker | None]:
    """Find who says something. None: a stranger, or there is no such conversation."""
    about = saying.conversation_id, saying.actor
    talk = meeting.talks.get(saying.conversation_id)
    if talk is None:
        stage = yield from one(_Stage, STAGE, *about, _key(saying), saying.now - DAY)
        if stage is None:
            return None
        meeting.next_place = meeting.next_place or stage.new_place
        talk = meeting.talks[saying.conversation_id] = _Talk(
            stage.last_number, max(stage.last_message_at, stage.read_until), stage.is_crowded
        )
        row: _SpeakerRow | None = stage
    elif saying.actor in talk.speakers:
        return talk.speakers[saying.actor]
    else:
        row = yield from one(_SpeakerRow, ANOTHER, *about, _key(saying), saying.now - DAY)
    speaker = None
    if row is not None:
        sent = yield from _sent_before(meeting, saying, row.sent_before)
        speaker = _Speaker(row.access, row.joined_at, sent)
    talk.speakers[saying.actor] = speaker
    return speaker


def _sent_before(
    meeting: _Meeting, saying: Saying, sent_before: str | None
) -> Steps[dict[str, str]]:
    """Find what the same speaker has sent with any of the keys that he uses now."""
    about, first = (saying.conversation_id, saying.actor), _key(saying)
    sent = {} if first is None or sent_before is None else {first: sent_before}
    others = [key for key in meeting.keys[about] if key is not None and key != first]
    if others:
        found = yield from rows_among(_Sent, KEYS, *about, saying.now - DAY, ids=others)
        sent.update({it.key: it.message_id for it in found})
    return sent


def _must_be_here(conversation_id: str, message_id: str) -> Steps[None]:
    row = yield from one(
        _Id,
        "SELECT id FROM messages WHERE id = ?1 AND conversation_id = ?2",
        message_id,
        conversation_id,
    )
    if row is None:
        raise BadRequest(
            "REFERENCED_MESSAGE_NOT_FOUND",
            f"there is no message {message_id!r} in this conversation",
        )


# Writing


def _write(meeting: _Meeting) -> Steps[None]:
    if not meeting.said:
        return
    yield from run_many(
        "INSERT INTO messages (id, conversation_id, number, created_at, sender_id, origin,"
        " referenced_message_id, content, custom) VALUES (?1, ?2, ?3, ?4, ?5, 'web', ?6, ?7, ?8)",
        [_row(it) for it in meeting.said],
    )
    for conversation_id, talk in meeting.talks.items():
        if talk.last_speaker:
            yield from _write_talk(conversation_id, talk)
    yield from run_many(
        "INSERT INTO sent_keys (conversation_id, user_id, key, message_id, at)"
        " VALUES (?1, ?2, ?3, ?4, ?5)"
        " ON CONFLICT (conversation_id, user_id, key)"
        " DO UPDATE SET message_id = excluded.message_id, at = excluded.at",
        [
            (it.conversation_id, it.actor, key, it.id, it.now)
            for it in (said.saying for said in meeting.said)
            if (key := _key(it)) is not None
        ],
    )
    for it in meeting.said:
        yield from hold_files(it.saying.id, it.message.content)
    yield from index_new_messages(
        [
            new_message(it.place, it.saying.id, it.saying.conversation_id, it.message.content)
            for it in meeting.said
        ]
    )


def _row(said: _Said) -> tuple[object, ...]:
    message = said.message
    return (
        message.id,
        said.saying.conversation_id,
        said.number,
        message.created_at,
        message.sender_id,
        message.referenced_message_id,
        encode(message.content).decode(),
        encode(message.custom).decode(),
    )


def _write_talk(conversation_id: str, talk: _Talk) -> Steps[None]:
    yield from run(
        "UPDATE conversations SET last_number = ?2, last_message_at = ?3 WHERE id = ?1",
        conversation_id,
        talk.last_number,
        talk.latest,
    )
    activity = None if talk.is_crowded else talk.latest
    yield from run_many(
        "UPDATE participants SET read_number = ?3, read_until = ?4, deleted_unread = 0,"
        " marked_unread = 0, activity = ?5, is_unread = 0"
        " WHERE conversation_id = ?1 AND user_id = ?2",
        [
            (conversation_id, user_id, speaker.number, speaker.said_at, activity)
            for user_id, speaker in talk.speakers.items()
            if speaker is not None and speaker.number
        ],
    )
    if not talk.is_crowded:
        yield from touch_others(conversation_id, talk.last_speaker, talk.latest)
