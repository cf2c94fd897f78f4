"""Words: the index of search, compared with one that is made anew from what was said.

Two comparisons. The words that are kept with each thing are those of its text; and the index, from
its first word to its last, is the one that these words give. The new one is built beside the
database, in a temporary file, which takes about as much room as the old one.

Not here: what becomes a word (domain/fulltext.py).
"""

from collections.abc import Generator
from itertools import zip_longest
from typing import Final, get_args

from msgspec import DecodeError

from rtflow.model.content import Block, plaintext
from rtflow.server.domain.fulltext import Matter, index_words, room_word
from rtflow.server.store.sqlite.visitor import Visitor
from rtflow.server.upkeep.amounts import amount
from rtflow.wire.codec import decoder

__all__ = ["complaints_of_words"]

MATTERS: Final[tuple[Matter, ...]] = get_args(Matter)
STRAYS: Final = (
    "SELECT 'conversation', c.id FROM conversations c"
    " WHERE NOT EXISTS (SELECT 1 FROM searchable_conversations s WHERE s.id = c.id)"
    " UNION ALL SELECT 'message', m.id FROM messages m"
    " WHERE NOT EXISTS (SELECT 1 FROM searchable_messages s WHERE s.id = m.id"
    " AND s.conversation_id = m.conversation_id)"
)
SUBJECTS: Final = (
    "SELECT s.id, s.words, c.id, c.subject FROM searchable_conversations s"
    " LEFT JOIN conversations c ON c.id = s.id"
)
TEXTS: Final = (
    "SELECT s.id, s.words, m.id, m.content FROM searchable_messages s"
    " LEFT JOIN messages m ON m.id = s.id"
)

_content = decoder(tuple[Block, ...])


def complaints_of_words(visitor: Visitor) -> Generator[str, None, str]:
    """Compare all that can be found with all that there is. Returns what there is."""
    texts = missing = 0
    for matter, thing in visitor.rows(STRAYS):
        yield f"{matter} {thing!r} cannot be found"
    for thing, words, there, subject in visitor.rows(SUBJECTS):
        if there is None:
            yield f"conversation {thing!r} can be found, but is not there"
        elif words is not None and words != index_words(subject or ""):
            yield f"conversation {thing!r} is found by other words than its subject's"
    for thing, words, there, content in visitor.rows(TEXTS):
        texts, missing = texts + 1, missing + (words is None)
        if there is None:
            yield f"message {thing!r} can be found, but is not there"
            continue
        try:
            said = index_words(plaintext(_content.decode(content)))
        except DecodeError as exc:
            yield f"what message {thing!r} says cannot be read: {exc}"
            continue
        if words is not None and words != said:
            yield f"message {thing!r} is found by other words than its own"
    visitor.define("room_word", room_word)
    for matter in MATTERS:
        yield from _complaints_of_index(visitor, matter)
    later = f", {missing:,} of them not indexed yet" if missing else ""
    return f"the index is as made anew, of {amount(texts, 'message')}{later}"


def _complaints_of_index(visitor: Visitor, matter: Matter) -> Generator[str]:
    index = f"{matter}_words"
    (declared,) = next(visitor.rows("SELECT sql FROM sqlite_master WHERE name = ?1", index))
    options = declared[declared.index("USING") :]
    for statement in (
        f"CREATE VIRTUAL TABLE temp.{matter}_anew {options}",
        f"INSERT INTO temp.{matter}_anew (rowid, words, room)"
        " SELECT position, words, room_word(conversation_id)"
        f" FROM searchable_{matter}s WHERE words IS NOT NULL ORDER BY position",
        f"CREATE VIRTUAL TABLE temp.{matter}_kept USING fts5vocab(main, {index}, instance)",
        f"CREATE VIRTUAL TABLE temp.{matter}_made USING fts5vocab(temp, {matter}_anew, instance)",
    ):
        for _ in visitor.rows(statement):
            pass
    kept = visitor.rows(f"SELECT term, doc, col, offset FROM temp.{matter}_kept")
    made = visitor.rows(f"SELECT term, doc, col, offset FROM temp.{matter}_made")
    for has, shall in zip_longest(kept, made):
        if has != shall:  # from here on the two are out of step
            yield f"the index of {matter}s has {has} where it should have {shall}"
            return
