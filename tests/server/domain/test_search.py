"""What is found: by whom, by which words, in which order, page by page."""

import unicodedata
from collections.abc import Generator, Sequence
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from rtflow.model.filters import ConversationFilter
from rtflow.server.domain import search
from rtflow.server.domain.indexing import index_message, index_missing, unindex_message
from rtflow.server.domain.paging import place
from rtflow.server.domain.search import Asked, ConversationSearch, MessageSearch, Search
from rtflow.server.store.interface import Outcome, Steps, run
from tests.server.domain.world import World, refused, step, text

T = TypeVar("T")


def page(world: World, begun: Search[T], limit: int = 100) -> tuple[list[T], str | None]:
    """Return a page, and the cursor of the next one."""
    found: list[T] = []
    last = begun.place
    while not begun.is_over:
        room = limit - len(found)
        finds = world.ask(partial(begun.step, room + 1))
        assert len(finds) <= room + 1
        for find in finds[:room]:
            found.append(find.item)
            last = find.place
        if len(finds) > room:
            return found, place(last)
    return found, None


def said(world: World, user: str, words: str, **asked: Any) -> list[str]:
    """Return the ids of messages that a user finds."""
    found, _ = page(world, MessageSearch(user, Asked(text=words, **asked)))
    return [message.id for message in found]


def subjects(world: World, user: str, words: str, **asked: Any) -> list[str]:
    """Return the ids of conversations that a user finds."""
    found, _ = page(world, ConversationSearch(user, Asked(text=words, **asked)))
    return [conversation.id for conversation in found]


@pytest.fixture(params=["few conversations", "many conversations"])
def way(request: pytest.FixtureRequest) -> Generator[None]:
    """Search both ways: in named conversations, and through the whole index in tiny spans."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "many conversations":
            patch.setattr(search, "FEW", 0)
            patch.setattr(search, "SPAN", 2)
            patch.setattr(search, "CANDIDATES", 2)
        yield


pytestmark = pytest.mark.usefixtures("way")


# Words


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("quick brown", True),
        ("BROWN Quick", True),
        ("qui", True),
        ("brown qui", True),
        ("qui brown", False),  # only the last word may be the beginning of one
        ("uick", False),
        ("quick blue", False),
        ("  quick ,.; brown!  ", True),
        ("the-quick", True),
        ("fox's", True),
        ("don", True),
    ],
)
def test_every_word_must_be_there_and_the_last_may_be_a_beginning(
    world: World, words: str, is_found: bool
) -> None:
    world.start("zoo", "ada")
    world.send("ada", "zoo", "The quick, brown fox's don't")
    assert said(world, "ada", words) == (["m1"] if is_found else [])


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Ein schöner TAG", "SCHONER"),
        ("naive", "naïve"),
        (unicodedata.normalize("NFD", "crème brûlée"), unicodedata.normalize("NFC", "BRÛLÉE")),
        ("Straße", "strasse"),
        ("\uff26\uff35\uff2c\uff2c width", "full"),
        ("Ελληνικά", "ελληνικα"),
        ("Привет, мир", "ПРИВЕТ"),
        ("مُحَمَّد", "محمد"),
        ("שָׁלוֹם", "שלום"),
        ("हिन्दी भाषा", "हिन्दी"),
        ("你好世界", "世界"),
        ("東京タワーに行く", "タワー"),
        ("สวัสดีชาวโลก", "ชาว"),
        ("안녕하세요 세계", "안녕"),
        ("một hai ba", "mot"),
    ],
)
def test_words_of_any_script_are_found_however_they_are_written(
    world: World, message: str, words: str
) -> None:
    world.start("zoo", "ada")
    world.send("ada", "zoo", message)
    world.send("ada", "zoo", "something else")
    assert said(world, "ada", words) == ["m1"]


@pytest.mark.parametrize("words", ["", " ", "!!!", '"', '" OR "', "*", "-", "\0", "🎉", "\ud800"])
def test_what_cannot_be_looked_for_finds_nothing(world: World, words: str) -> None:
    world.start("zoo", "ada")
    world.edit("ada", "zoo", subject=words.replace("\ud800", "") or None)
    world.send("ada", "zoo", "or", "🎉 *!")
    assert said(world, "ada", words.replace("OR", "")) == []
    assert subjects(world, "ada", words.replace("OR", "")) == []


@pytest.mark.parametrize("words", ["words : hello", "NEAR(hello)", "hello OR bye", "room : r"])
def test_what_is_looked_for_is_never_syntax(world: World, words: str) -> None:
    world.start("zoo", "ada")
    world.send("ada", "zoo", "hello")
    world.send("ada", "zoo", "NEAR words or hello bye room r")
    assert said(world, "ada", words) == ["m2"]


def test_a_text_that_is_too_long_is_refused(world: World) -> None:
    with refused("400 SEARCH_TOO_LONG"):
        MessageSearch("ada", Asked(text="x" * 1_001))
    assert MessageSearch("ada", Asked(text="x " * 500)).is_over is False


@given(words=st.text(max_size=100) | st.text("\"'*^():-+\0ORANDNEAT{}words room", max_size=100))
def test_no_text_is_an_error(words: str) -> None:
    world = World()
    world.start("zoo", "ada")
    try:
        sendable = words.encode(errors="ignore").decode()
        if sendable.strip():
            world.send("ada", "zoo", sendable)
        assert said(world, "ada", words) in ([], ["m1"])
        assert subjects(world, "ada", words) == []
    finally:
        world.database.close()


def test_everything_that_a_message_shows_is_searched(world: World) -> None:
    world.start("zoo", "ada")
    world.send("ada", "zoo", "one", "two")
    assert said(world, "ada", "two one") == ["m1"]


# Who finds what


def test_only_what_one_may_see_at_this_moment_is_found(world: World) -> None:
    world.start("zoo", "ada", "bob")
    world.edit("ada", "zoo", subject="Elephants")
    world.send("ada", "zoo", "hello")
    assert said(world, "bob", "hello") == ["m1"]
    assert said(world, "eve", "hello") == []
    assert subjects(world, "eve", "elephants") == []
    world.remove("ada", "zoo", "bob")
    assert said(world, "bob", "hello") == []
    assert subjects(world, "bob", "elephants") == []
    world.act("ada", "zoo", step("POST", "bob", access="Read"))
    assert said(world, "bob", "hello") == ["m1"]
    assert subjects(world, "bob", "elephants") == ["zoo"]


def test_who_is_thrown_out_between_two_pages_finds_no_more(world: World) -> None:
    world.start("zoo", "ada", "bob")
    for _ in range(4):
        world.send("ada", "zoo", "hello")
    found, cursor = page(world, MessageSearch("bob", Asked(text="hello")), limit=2)
    assert [message.id for message in found] == ["m4", "m3"]
    world.remove("ada", "zoo", "bob")
    assert page(world, MessageSearch("bob", Asked(cursor=cursor))) == ([], None)


def test_a_cursor_shows_nobody_what_another_may_see(world: World) -> None:
    world.start("zoo", "ada")
    world.start("den", "eve")
    for _ in range(4):
        world.send("ada", "zoo", "hello")
    _, cursor = page(world, MessageSearch("ada", Asked(text="hello")), limit=2)
    assert page(world, MessageSearch("eve", Asked(cursor=cursor))) == ([], None)


# Order and pages


def test_messages_come_newest_first_and_conversations_most_recently_active_first(
    world: World,
) -> None:
    world.start("zoo", "ada")
    world.start("den", "ada")
    for name in ("zoo", "den"):
        world.edit("ada", name, subject="Animals")
    for conversation in ("zoo", "den", "zoo"):
        world.send("ada", conversation, "hello")
    assert said(world, "ada", "hello") == ["m3", "m2", "m1"]
    assert subjects(world, "ada", "animals") == ["zoo", "den"]
    world.now += 10
    world.send("ada", "den", "again")
    assert subjects(world, "ada", "animals") == ["den", "zoo"]


LETTERS = "ab"
words_of = st.lists(st.text(LETTERS, min_size=1, max_size=3), min_size=1, max_size=3)


def holds(message: Sequence[str], sought: Sequence[str]) -> bool:
    *whole, beginning = sought
    return set(whole) <= set(message) and any(word.startswith(beginning) for word in message)


@given(
    messages=st.lists(st.tuples(st.sampled_from(["x", "y", "z"]), words_of), max_size=12),
    sought=words_of,
    limit=st.integers(1, 4),
    wanted=st.none() | st.sampled_from(["x", "y", "z", "none"]),
)
def test_pages_together_are_all_that_matches_once_each(
    messages: list[tuple[str, list[str]]], sought: list[str], limit: int, wanted: str | None
) -> None:
    world = World()
    for name in "xy":  # ada is not in z
        world.start(name, "ada", "bob")
        world.edit("ada", name, subject=name)
    world.start("z", "bob")
    expected: list[str] = []
    for conversation, words in messages:
        sent = world.send("bob", conversation, " ".join(words))
        if conversation != "z" and wanted in (None, conversation) and holds(words, sought):
            expected.insert(0, sent)
    given_filter = ConversationFilter(subject=("==", wanted) if wanted else UNSET)
    found: list[str] = []
    asked = Asked(text=" ".join(sought), filter=given_filter)
    while True:
        items, cursor = page(world, MessageSearch("ada", asked), limit)
        assert len(items) == limit or cursor is None
        found += [item.id for item in items]
        if cursor is None:
            break
        assert items, "a page with a cursor has an item"
        asked = Asked(cursor=cursor)
    world.database.close()
    assert found == expected


@given(
    names=st.lists(words_of, max_size=8),
    sought=words_of,
    limit=st.integers(1, 4),
    is_filtered=st.booleans(),
)
def test_pages_of_conversations_are_all_that_match_in_order(
    names: list[list[str]], sought: list[str], limit: int, is_filtered: bool
) -> None:
    world = World()
    expected: list[str] = []
    for number, words in enumerate(names):
        who = ("ada", "bob") if number % 3 else ("bob",)
        world.start(f"c{number}", *who)
        custom = {"odd": "yes"} if number % 2 else {}
        world.edit(who[0], f"c{number}", subject=" ".join(words), custom=custom)
        if number % 3 and holds(words, sought) and (number % 2 or not is_filtered):
            expected.insert(0, f"c{number}")
    wanted = ConversationFilter(custom={"odd": "exists"}) if is_filtered else ConversationFilter()
    found: list[str] = []
    asked = Asked(text=" ".join(sought), filter=wanted)
    while True:
        items, cursor = page(world, ConversationSearch("ada", asked), limit)
        found += [item.id for item in items]
        if cursor is None:
            break
        asked = Asked(cursor=cursor)
    world.database.close()
    assert found == expected


@pytest.mark.parametrize("cursor", ["x", "e30=", "WyJtZXNzYWdlcyIsMV0=", "\ud800", "ü", "W10="])
def test_a_cursor_that_was_tampered_with_is_refused(cursor: str) -> None:
    for kind in (MessageSearch, ConversationSearch):
        with refused("400 INVALID_CURSOR"):
            kind("ada", Asked(cursor=cursor))


def test_a_cursor_of_one_search_is_none_of_the_other(world: World) -> None:
    for kind, other in ((MessageSearch, ConversationSearch), (ConversationSearch, MessageSearch)):
        with refused("400 INVALID_CURSOR"):
            other("ada", Asked(cursor=place(kind("ada", Asked(text="x")).place)))


# What changes


def test_an_edited_message_is_found_by_what_it_says_now_in_its_old_place(world: World) -> None:
    world.start("zoo", "ada")
    first = world.send("ada", "zoo", "hello")
    world.send("ada", "zoo", "goodbye hello")

    def edit() -> Steps[Outcome[None]]:
        yield from index_message(first, "zoo", text("goodbye"))
        return Outcome(None)

    world.do(edit)
    assert said(world, "ada", "hello") == ["m2"]
    assert said(world, "ada", "goodbye") == ["m2", "m1"]


def test_a_deleted_message_is_found_no_more(world: World) -> None:
    world.start("zoo", "ada")
    world.send("ada", "zoo", "hello")
    world.send("ada", "zoo", "hello")

    def delete() -> Steps[Outcome[None]]:
        yield from unindex_message("m1", "zoo")
        yield from unindex_message("m1", "zoo")  # twice is once
        return Outcome(None)

    world.do(delete)
    assert said(world, "ada", "hello") == ["m2"]
    world.database.writer.execute(
        "INSERT INTO message_words (message_words) VALUES ('integrity-check')"
    )


def test_what_is_sent_edited_and_deleted_in_one_transaction_leaves_no_words(world: World) -> None:
    world.start("zoo", "ada")

    def all_at_once() -> Steps[Outcome[None]]:
        yield from index_message("m1", "zoo", text("hello"))
        yield from index_message("m1", "zoo", text("goodbye"))
        yield from unindex_message("m1", "zoo")
        return Outcome(None)

    world.do(all_at_once)
    left = world.database.reader.execute(
        "SELECT count(*) FROM message_words WHERE message_words MATCH 'hello OR goodbye'"
    )
    assert left.fetchone() == (0,)


def test_a_command_that_refuses_after_all_leaves_nothing_in_the_index(world: World) -> None:
    world.start("zoo", "ada")

    def refuse() -> Steps[Outcome[None]]:
        yield from index_message("m1", "zoo", text("hello"))
        yield from run("INSERT INTO nowhere VALUES (1)")
        return Outcome(None)

    with refused("500 INTERNAL"):
        world.do(refuse)
    world.send("ada", "zoo", "hello")
    assert said(world, "ada", "hello") == ["m1"]


def test_a_conversation_is_found_by_the_subject_it_has_now(world: World) -> None:
    world.start("zoo", "ada")
    world.create("ada", "new", subject="Elephants and mice")
    world.act("ada", "new", step("POST", "ada"))
    assert subjects(world, "ada", "mice ele") == ["new"]
    world.edit("ada", "zoo", subject="Mice")
    assert subjects(world, "ada", "mice") == ["new", "zoo"]
    world.edit("ada", "new", subject=None)
    assert subjects(world, "ada", "mice") == ["zoo"]
    world.edit("ada", "zoo", custom={"a": "b"})
    assert subjects(world, "ada", "mice") == ["zoo"]


def test_nothing_is_missing_in_a_new_index(world: World) -> None:
    world.start("zoo", "ada")
    world.send("ada", "zoo", "hello")
    assert world.do(lambda: index_missing(10)) == 0
