"""The full-text index: what is in it, and asking it. All that is SQLite's FTS5 alone is here.

Text is folded before it is indexed and before it is looked for, so that what looks the same is the
same: normal forms, case, accents. Scripts that put no spaces between words are cut into letters,
and a word of theirs is looked for as a row of letters.

Not here: who may find what, pages and filters (search.py).
Invariant: whatever text is looked for, it is never syntax.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal, TypeAlias
from unicodedata import category, combining, normalize

from msgspec import Struct

from rtflow.server.domain.activity import ACTIVITY
from rtflow.server.store.interface import Steps, one, rows, run, run_late, run_many

__all__ = [
    "NEW_PLACE",
    "Hit",
    "Matter",
    "New",
    "add_words",
    "conversation_hits",
    "index_words",
    "last_position",
    "message_hits",
    "put_words",
    "remove_words",
    "room_word",
    "terms_of",
]

Matter: TypeAlias = Literal["message", "conversation"]
"""What is searched for; part of the names of its tables."""

LAST_OF_OTHERS: Final = 9  # above it: accents; up to it: what tells letters apart in Asia
# Hiragana to Han, and from Thai to Khmer
WITHOUT_SPACES: Final = re.compile(
    "([\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])"
)

NEW_PLACE: Final = "(SELECT coalesce(max(position), 0) + 1 FROM searchable_messages)"
"""SQL for the place of the next message in the order of search."""

HITS: Final = (
    "SELECT s.position, s.id, s.conversation_id FROM {matter}_words w"
    " CROSS JOIN searchable_{matter}s s ON s.position = w.rowid"  # as said: from words to things
    " CROSS JOIN participants p ON p.conversation_id = s.conversation_id AND p.user_id = ?2"
)
MESSAGE_HITS: Final = HITS.format(matter="message") + (
    " WHERE message_words MATCH ?1 AND w.rowid < ?3 AND w.rowid >= ?4"
    " ORDER BY w.rowid DESC LIMIT ?5"
)
CONVERSATION_HITS: Final = HITS.format(matter="conversation") + (
    " CROSS JOIN conversations c ON c.id = s.conversation_id"
    f" WHERE conversation_words MATCH ?1 AND ({ACTIVITY} < ?3 OR {ACTIVITY} = ?3 AND c.id > ?4)"
    f" ORDER BY {ACTIVITY} DESC, c.id LIMIT ?5"
)


class Hit(Struct, frozen=True):
    """Something that was found, and its place in the order of search."""

    position: int
    id: str
    conversation_id: str


class New(Struct, frozen=True):
    """Something that shall be found from now on, and its place, which is free."""

    place: int
    id: str
    conversation_id: str
    text: str


def add_words(matter: Matter, things: Sequence[New]) -> Steps[None]:
    """Let new things be found."""
    spelled = [(it, index_words(it.text)) for it in things]
    yield from run_many(
        f"INSERT INTO searchable_{matter}s (position, id, conversation_id, words)"
        " VALUES (?1, ?2, ?3, ?4)",
        [(it.place, it.id, it.conversation_id, words) for it, words in spelled],
    )
    yield from _put_in(
        matter, [(it.place, words, room_word(it.conversation_id)) for it, words in spelled]
    )


def put_words(matter: Matter, thing_id: str, conversation_id: str, text: str) -> Steps[None]:
    """Let something be found by these words, and by no others."""
    old = yield from _find(matter, thing_id)
    if old.position is None:
        yield from add_words(matter, [New(old.free, thing_id, conversation_id, text)])
        return
    words = index_words(text)
    yield from _take_out(matter, old, conversation_id)
    yield from run(f"UPDATE searchable_{matter}s SET words = ?2 WHERE id = ?1", thing_id, words)
    yield from _put_in(matter, [(old.position, words, room_word(conversation_id))])


def remove_words(matter: Matter, thing_id: str, conversation_id: str) -> Steps[None]:
    """Let something not be found any more."""
    yield from _take_out(matter, (yield from _find(matter, thing_id)), conversation_id)
    yield from run(f"DELETE FROM searchable_{matter}s WHERE id = ?1", thing_id)


class _Old(Struct, frozen=True):
    """The place of something, None when it has none, its words, and a place that is free."""

    position: int | None
    words: str | None
    free: int


def _find(matter: Matter, thing_id: str) -> Steps[_Old]:
    old = yield from one(
        _Old,
        f"SELECT (SELECT position FROM searchable_{matter}s WHERE id = ?1),"
        f" (SELECT words FROM searchable_{matter}s WHERE id = ?1),"
        f" (SELECT coalesce(max(position), 0) + 1 FROM searchable_{matter}s)",
        thing_id,
    )
    assert old is not None, "there is always a row"
    return old


def _put_in(matter: Matter, placed: Sequence[tuple[int, str, str]]) -> Steps[None]:
    yield from run_late(
        f"INSERT INTO {matter}_words (rowid, words, room) VALUES (?1, ?2, ?3)", placed
    )


def _take_out(matter: Matter, old: _Old, conversation_id: str) -> Steps[None]:
    """Take words out of the index, which wants to be told them as they were put in."""
    if old.words is not None:
        yield from run_late(
            f"INSERT INTO {matter}_words ({matter}_words, rowid, words, room)"
            " VALUES ('delete', ?1, ?2, ?3)",
            [(old.position, old.words, room_word(conversation_id))],
        )


def last_position(matter: Matter) -> Steps[int]:
    """Return the last place in the order of search; 0 when there is nothing."""
    last = yield from one(_Place, f"SELECT coalesce(max(position), 0) FROM searchable_{matter}s")
    assert last is not None, "an aggregate has a row"
    return last.position


def message_hits(
    user_id: str,
    terms: Sequence[str],
    rooms: Sequence[str] | None,
    *,
    before: int,
    floor: int,
    most: int,
) -> Steps[list[Hit]]:
    """Find messages with all these terms in conversations of a user, the last sent first.

    Among those with a place below `before` and not below `floor`. `rooms`: in these conversations
    only; None: in any.
    """
    if rooms is not None and not rooms:
        return []
    sought = _expression(terms, rooms)
    return (yield from rows(Hit, MESSAGE_HITS, sought, user_id, before, floor, most))


def conversation_hits(
    user_id: str,
    terms: Sequence[str],
    rooms: Sequence[str] | None,
    *,
    activity: int,
    after: str,
    most: int,
) -> Steps[list[Hit]]:
    """Find conversations of a user with all these terms, the most recently active first.

    Of those that come after the one with this activity and id. `rooms` as above.
    """
    if rooms is not None and not rooms:
        return []
    sought = _expression(terms, rooms)
    return (yield from rows(Hit, CONVERSATION_HITS, sought, user_id, activity, after, most))


class _Place(Struct, frozen=True):
    position: int


# Words


def terms_of(text: str) -> tuple[str, ...]:
    """Return the words that are looked for; none when nothing in the text can be looked for."""
    spelled = "".join(c if _is_letter(c) else " " for c in _folded(text))
    return tuple(" ".join(_spaced(word).split()) for word in spelled.split())


def _folded(text: str) -> str:
    if text.isascii():
        return text  # the index sees to upper and lower case
    bare = (c for c in normalize("NFKD", text) if combining(c) <= LAST_OF_OTHERS)
    return normalize("NFC", "".join(bare)).casefold()


def _spaced(text: str) -> str:
    return text if text.isascii() else WITHOUT_SPACES.sub(r" \1 ", text)


def _is_letter(character: str) -> bool:
    return character.isalnum() or category(character).startswith("M")


def _expression(terms: Sequence[str], rooms: Sequence[str] | None) -> str:
    """Return the MATCH for all terms, the last of which may be the beginning of a word."""
    assert terms, "nothing is not looked for"
    quoted = " AND ".join(f'"{term}"' for term in terms)
    if rooms is None:
        return f"words : ({quoted} *)"
    named = " OR ".join(f'"{room_word(room)}"' for room in rooms)
    return f"words : ({quoted} *) AND room : ({named})"


def index_words(text: str) -> str:
    """Return what the index is told of a text."""
    return _spaced(_folded(text))


@lru_cache(maxsize=4096)
def room_word(conversation_id: str) -> str:
    """Return a word that names a conversation; that two share one does no harm."""
    return "r" + blake2b(conversation_id.encode(), digest_size=8).hexdigest()
