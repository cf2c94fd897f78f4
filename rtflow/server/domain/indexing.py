"""Keeping the index of search: called in the transaction that changes what can be found.

Not here: words and the index (fulltext.py), searching (search.py).
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from rtflow.model.content import Block, plaintext
from rtflow.server.domain.fulltext import NEW_PLACE, New, add_words, put_words, remove_words
from rtflow.server.store.interface import Outcome, Steps, rows
from rtflow.wire.codec import decoder

__all__ = [
    "NEW_PLACE",
    "index_conversation",
    "index_message",
    "index_missing",
    "index_new_messages",
    "new_message",
    "unindex_message",
]

MISSING_SUBJECTS: Final = (
    "SELECT s.id, c.subject FROM searchable_conversations s JOIN conversations c ON c.id = s.id"
    " WHERE s.words IS NULL ORDER BY s.position DESC LIMIT ?1"
)
MISSING_TEXTS: Final = (
    "SELECT s.id, s.conversation_id, m.content FROM searchable_messages s"
    " JOIN messages m ON m.id = s.id"
    " WHERE s.words IS NULL ORDER BY s.position DESC LIMIT ?1"
)

_content = decoder(tuple[Block, ...])


def new_message(
    place: int, message_id: str, conversation_id: str, content: tuple[Block, ...]
) -> New:
    """Return a message to be found. The first `place` is what SQL finds for `NEW_PLACE`."""
    return New(place, message_id, conversation_id, plaintext(content))


def index_new_messages(messages: Sequence[New]) -> Steps[None]:
    """Let messages be found when they are sent."""
    yield from add_words("message", messages)


def index_message(message_id: str, conversation_id: str, content: tuple[Block, ...]) -> Steps[None]:
    """Let a message be found by what it says now: when it is edited."""
    yield from put_words("message", message_id, conversation_id, plaintext(content))


def unindex_message(message_id: str, conversation_id: str) -> Steps[None]:
    """Let a message not be found any more: when it is deleted."""
    yield from remove_words("message", message_id, conversation_id)


def index_conversation(conversation_id: str, subject: str | None) -> Steps[None]:
    """Let a conversation be found by its subject: when it is created, and when it is edited."""
    yield from put_words("conversation", conversation_id, conversation_id, subject or "")


def index_missing(most: int) -> Steps[Outcome[int]]:
    """Index what was there before there was search: so many, the newest first. Returns how many."""
    subjects = yield from rows(_Subject, MISSING_SUBJECTS, most)
    texts = yield from rows(_Text, MISSING_TEXTS, most - len(subjects))
    for it in subjects:
        yield from index_conversation(it.id, it.subject)
    for message in texts:
        content = _content.decode(message.content)
        yield from index_message(message.id, message.conversation_id, content)
    return Outcome(len(subjects) + len(texts))


class _Subject(Struct, frozen=True):
    id: str
    subject: str | None


class _Text(Struct, frozen=True):
    id: str
    conversation_id: str
    content: str
