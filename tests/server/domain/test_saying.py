"""Changing what one has said, and taking it back."""

from functools import partial

import pytest
from msgspec import UNSET

from rtflow.model.content import LocationBlock, SendFileBlock
from rtflow.model.events import MessageDeleted, MessageDiff, MessageEdited
from rtflow.model.params import EditMessage
from rtflow.server.domain.rules import Rules
from rtflow.server.domain.saying import edit_message
from rtflow.server.domain.sending import DAY
from rtflow.server.store.interface import ReactionsTouched, SideTouched
from tests.server.domain.test_files import collected, upload
from tests.server.domain.test_search import said
from tests.server.domain.world import World, refused, step, text


@pytest.fixture(autouse=True)
def lunch(world: World) -> None:
    """Ada, Bob and Cy have lunch. Ada said m1 at 2000, Bob m2 at 3000, a reply."""
    world.start("lunch", "ada", "bob", "cy")
    world.now = 2_000
    world.send("ada", "lunch", "hello", custom={"mood": "good", "place": "here"})
    world.now = 3_000
    world.send("bob", "lunch", "indeed", referenced_message_id="m1")
    world.now = 4_000
    world.take()


# Editing


def test_an_edit_tells_what_is_new_and_when(world: World) -> None:
    world.edit_message("ada", "lunch", "m1", "hi", custom={"mood": None, "day": "Monday"})
    diff = MessageDiff(content=text("hi"), custom={"mood": None, "day": "Monday"}, edited_at=4_000)
    event = MessageEdited(conversation_id="lunch", message_id="m1", diff=diff)
    assert world.take() == [event]
    for user in ("ada", "bob"):
        seen = world.message(user, "lunch", "m1")
        assert seen.content == text("hi")
        assert seen.custom == {"place": "here", "day": "Monday"}
        assert (seen.created_at, seen.edited_at) == (2_000, 4_000)


def test_custom_is_edited_without_the_content_and_the_other_way_round(world: World) -> None:
    world.edit_message("ada", "lunch", "m1", custom=None)
    world.edit_message("ada", "lunch", "m1", "hi")
    first, second = world.take()
    assert isinstance(first, MessageEdited)
    assert isinstance(second, MessageEdited)
    assert (first.diff.content, second.diff.custom) == (UNSET, UNSET)
    assert first.diff.custom == {"mood": None, "place": None}
    seen = world.message("bob", "lunch", "m1")
    assert (seen.content, seen.custom) == (text("hi"), {})


def test_an_edit_that_changes_nothing_is_none(world: World) -> None:
    world.edit_message("ada", "lunch", "m1")
    world.edit_message("ada", "lunch", "m1", "hello", custom={"mood": "good", "none": None})
    assert world.take() == []
    assert world.message("ada", "lunch", "m1").edited_at is None


def test_an_edit_is_never_older_than_its_message(world: World) -> None:
    world.now = 5
    world.edit_message("ada", "lunch", "m1", "hi")
    assert world.message("ada", "lunch", "m1").edited_at == 2_000


def test_an_edit_may_say_no_more_than_a_message(world: World) -> None:
    world.rules = Rules(max_message_length=5, max_custom_bytes=40)
    for words, fields, code in [
        ((" ",), {}, "400 EMPTY_MESSAGE"),
        (("123456",), {}, "400 MESSAGE_TOO_LONG"),
        ((), {"custom": {"k": "x" * 40}}, "400 CUSTOM_TOO_LARGE"),
    ]:
        with refused(code):
            world.edit_message("ada", "lunch", "m1", *words, **fields)
    params = EditMessage(content=(LocationBlock(91, 0),))
    with refused("400 INVALID_LOCATION"):
        world.do(lambda: edit_message("ada", "lunch", "m1", params, world.now, world.rules))
    assert world.take() == []
    assert world.message("ada", "lunch", "m1").content == text("hello")


def as_a_system(world: World, message: str) -> None:
    world.database.writer.execute("UPDATE messages SET sender_id = NULL WHERE id = ?", (message,))


@pytest.mark.parametrize("what", ["edit", "delete"])
def test_only_the_own_messages_can_be_changed_and_only_while_one_may_write(
    world: World, what: str
) -> None:
    world.create_user("eve", "eve")
    world.start("work", "ada")
    world.send("ada", "work", "hello")  # m3
    world.act("bob", "lunch", step("PUT", "ada", access="Read"))
    as_a_system(world, world.send("bob", "lunch", "Cy has joined"))  # m4
    world.take()
    no = f"403 UNAUTHORIZED_TO_{what.upper()}_MESSAGE"
    for user, room, message, code in [
        ("eve", "lunch", "m1", "404 CONVERSATION_NOT_FOUND"),
        ("eve", "lunch", "nothing", "404 CONVERSATION_NOT_FOUND"),
        ("ada", "nowhere", "m1", "404 CONVERSATION_NOT_FOUND"),
        ("ada", "lunch", "nothing", "404 MESSAGE_NOT_FOUND"),
        ("ada", "lunch", "m3", "404 MESSAGE_NOT_FOUND"),  # which is elsewhere
        ("cy", "lunch", "m1", no),
        ("ada", "lunch", "m1", no),  # her own, but she may only read
        ("bob", "lunch", "m4", no),
        ("ada", "lunch", "m4", no),
    ]:
        with refused(code):
            if what == "edit":
                world.edit_message(user, room, message, "hi")
            else:
                world.delete_message(user, room, message)
    assert world.take() == []


def test_an_edited_message_is_found_by_what_it_says_now(world: World) -> None:
    world.edit_message("ada", "lunch", "m1", "goodbye")
    assert (said(world, "bob", "hello"), said(world, "bob", "goodbye")) == ([], ["m1"])
    world.edit_message("ada", "lunch", "m1", custom={"mood": "bad"})
    assert said(world, "bob", "goodbye") == ["m1"]


def test_an_edit_holds_the_files_that_it_shows_and_no_others(world: World) -> None:
    for token in ("t1", "t2", "t3"):
        upload(world, "ada", token, token)
    for content in (("t1", "t2"), ("t2", "t3")):
        blocks = tuple(map(SendFileBlock, content))
        params = EditMessage(content=blocks)
        world.do(partial(edit_message, "ada", "lunch", "m1", params, world.now, world.rules))
    world.now += 2 * DAY
    assert collected(world) == (1, frozenset({"t1"}))
    world.edit_message("ada", "lunch", "m1", custom={"mood": "bad"})
    world.delete_message("ada", "lunch", "m1")
    assert collected(world) == (0, frozenset())
    world.now += 2 * DAY
    assert collected(world) == (2, frozenset({"t2", "t3"}))


# Deleting


def test_a_deleted_message_is_found_no_more(world: World) -> None:
    assert said(world, "cy", "hello") == ["m1"]
    world.delete_message("ada", "lunch", "m1")
    assert said(world, "cy", "hello") == []
    assert said(world, "cy", "indeed") == ["m2"]
    indexed = world.database.reader.execute("SELECT id FROM searchable_messages").fetchall()
    assert indexed == [("m2",)], "its words are kept"


def test_the_newest_message_leaves_the_place_to_the_one_before(world: World) -> None:
    first = world.message("ada", "lunch", "m1")
    world.delete_message("bob", "lunch", "m2")
    gone = MessageDeleted(conversation_id="lunch", message_id="m2", new_last_message=first)
    assert world.take() == [gone, SideTouched("lunch")]
    seen = world.see("cy", "lunch", ("lastMessage",))
    assert seen.last_message
    assert (seen.last_message.id, seen.last_message_at) == ("m1", 2_000)
    assert world.page("cy", limit=1).data[0].last_message_at == 2_000
    with refused("404 MESSAGE_NOT_FOUND"):
        world.message("bob", "lunch", "m2")


def test_when_the_last_one_goes_there_is_none(world: World) -> None:
    world.delete_message("ada", "lunch", "m1")
    world.take()
    world.delete_message("bob", "lunch", "m2")
    gone = MessageDeleted(conversation_id="lunch", message_id="m2", new_last_message=None)
    assert world.take() == [gone, SideTouched("lunch")]
    seen = world.see("cy", "lunch", ("lastMessage",))
    assert (seen.last_message, seen.last_message_at) == (None, seen.joined_at)
    assert (seen.unread_message_count, seen.is_unread) == (0, False)
    world.send("ada", "lunch", "again")
    assert world.see("cy", "lunch").unread_message_count == 1


def test_an_older_message_goes_without_a_word_about_the_newest(world: World) -> None:
    world.delete_message("ada", "lunch", "m1")
    gone = MessageDeleted(conversation_id="lunch", message_id="m1")
    assert world.take() == [gone, SideTouched("lunch")]  # cy had not read it
    assert world.see("cy", "lunch").unread_message_count == 1


def test_what_everybody_has_read_goes_without_touching_a_side(world: World) -> None:
    for user in ("ada", "bob", "cy"):
        world.read(user, "lunch", 2_000)
    world.take()
    world.delete_message("ada", "lunch", "m1")
    assert world.take() == [MessageDeleted(conversation_id="lunch", message_id="m1")]
    assert world.see("cy", "lunch").unread_message_count == 1


def test_only_sides_that_had_not_read_it_are_written_to(world: World) -> None:
    world.read("cy", "lunch", 2_000)
    written: list[str] = []
    connection = world.database.writer
    connection.execute(
        "CREATE TEMP TRIGGER spy AFTER UPDATE OF deleted_unread ON participants"
        " BEGIN SELECT saw(new.user_id); END"
    )
    connection.create_function("saw", 1, written.append)
    world.send("cy", "lunch", "and I")
    world.read("bob", "lunch")
    written.clear()
    world.delete_message("cy", "lunch", "m3")
    assert written == ["ada"]
    assert world.see("ada", "lunch").unread_message_count == 1


def test_a_reply_does_not_name_what_is_gone(world: World) -> None:
    assert world.message("cy", "lunch", "m2").referenced_message_id == "m1"
    world.delete_message("ada", "lunch", "m1")
    seen = world.see("cy", "lunch", ("lastMessage",)).last_message
    assert seen
    for reply in (world.message("cy", "lunch", "m2"), world.messages("cy", "lunch").data[0], seen):
        assert (reply.id, reply.referenced_message_id) == ("m2", None)


def test_deleting_twice_is_refused_and_changes_nothing(world: World) -> None:
    world.delete_message("ada", "lunch", "m1")
    world.take()
    with refused("404 MESSAGE_NOT_FOUND"):
        world.delete_message("ada", "lunch", "m1")
    assert world.take() == []
    assert world.see("cy", "lunch").unread_message_count == 1


def test_a_message_that_is_sent_again_after_its_deletion_stays_deleted(world: World) -> None:
    sent = world.send("ada", "lunch", "oops", idempotency_key="k")
    world.delete_message("ada", "lunch", sent)
    world.take()
    world.now += DAY - 1
    assert world.send("ada", "lunch", "oops", idempotency_key="k") == sent
    assert world.take() == []
    assert [it.id for it in world.messages("ada", "lunch").data] == ["m2", "m1"]


def test_reactions_go_with_their_message_and_those_of_the_new_last_one_are_told(
    world: World,
) -> None:
    for message, emoji in [("m2", "👍"), ("m1", "👍"), ("m1", ":cat:")]:
        world.react("cy", "lunch", message, emoji)
    world.take()
    world.delete_message("bob", "lunch", "m2")
    gone, *touched = world.take()
    assert isinstance(gone, MessageDeleted)
    assert gone.new_last_message
    summaries = gone.new_last_message.reactions.values()
    assert [it.current_user_reacted for it in summaries] == [False, False], "it is for everybody"
    assert touched == [
        ReactionsTouched("lunch", "m1", "👍"),
        ReactionsTouched("lunch", "m1", ":cat:"),
        SideTouched("lunch"),
    ]
    count = world.database.writer.execute("SELECT count(*) FROM reactions").fetchone()
    assert count == (2,)


def test_a_page_goes_on_where_the_message_that_ended_it_is_gone(world: World) -> None:
    page = world.messages("cy", "lunch", limit=1)
    world.delete_message("bob", "lunch", "m2")
    rest = world.messages("cy", "lunch", cursor=page.cursor)
    assert [it.id for it in rest.data] == ["m1"]


def test_what_one_says_costs_the_same_in_a_long_and_crowded_conversation(world: World) -> None:
    def costs() -> list[int]:
        sent = world.send("ada", "lunch", "hello")
        world.database.writer.execute(  # everybody has read it
            "UPDATE participants SET read_until = (SELECT max(created_at) FROM messages)"
        )
        return [
            world.cost(lambda: world.send("ada", "lunch", "hello")),
            world.cost(lambda: world.edit_message("ada", "lunch", sent, "hi")),
            world.cost(lambda: world.react("bob", "lunch", sent, "👍")),
            world.cost(lambda: world.message("bob", "lunch", sent)),
            world.cost(lambda: world.delete_message("ada", "lunch", sent)),
        ]

    before = costs()
    for n in range(300):
        world.create_user(f"u{n}", f"u{n}")
        world.act("bob", "lunch", step("PUT", f"u{n}"))
        world.send("bob", "lunch", "hello", referenced_message_id="m1")
    after = costs()
    assert all(late < 1.5 * early for early, late in zip(before, after, strict=True)), after


def test_reading_in_part_costs_by_what_is_read(world: World) -> None:
    for _ in range(500):
        world.send("ada", "lunch", "hello")
    world.delete_message("ada", "lunch", "m1")
    near = world.cost(lambda: world.read("cy", "lunch", 4_010))
    assert world.see("cy", "lunch").unread_message_count == 489
    assert world.cost(lambda: world.read("cy", "lunch", 4_020)) < near + 50
    assert world.see("cy", "lunch").unread_message_count == 479
