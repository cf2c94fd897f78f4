"""What is said in one go is what would be said one after the other."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Struct

from rtflow.errors import RequestRefused
from rtflow.model.content import SendFileBlock
from rtflow.model.params import SendMessage
from rtflow.server.domain.sending import send_message
from rtflow.server.store.interface import Command
from rtflow.wire.endpoints import Sent
from tests.server.domain.test_files import upload
from tests.server.domain.test_search import said
from tests.server.domain.world import World, step, text

CROWD = [f"user {n:02}" for n in range(12)]
TABLES = (
    "messages",
    "conversations",
    "participants",
    "sent_keys",
    "searchable_messages",
    "files",
    "message_files",
)


class Wish(Struct, frozen=True):
    """Something that somebody wants to say."""

    actor: str
    room: str
    words: str = "hello"
    key: str | None = None
    reply_to: str | None = None
    token: str | None = None
    later: int = 0
    """Milliseconds after what was said before it."""


WISHES = st.lists(
    st.builds(
        Wish,
        st.sampled_from(["ada", "bob", "reader", "stranger"]),
        st.sampled_from(["talk", "town", "nowhere"]),
        st.sampled_from(["hello", " ", "x" * 11_000]),
        st.sampled_from([None, "", "used", "old", "new", "newer"]),
        st.sampled_from([None, "m1", "m99"]),
        st.sampled_from([None, None, "mine", "nobody's"]),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=8,
)


@contextmanager
def furnished() -> Generator[World]:
    """A small and a crowded conversation, in which something was said, read and marked before."""
    world = World()
    for room, others in (("talk", ["bob", "reader"]), ("town", ["bob", "reader", *CROWD])):
        world.start(room, "ada", *others)
        world.act("ada", room, step("PATCH", "reader", access="Read"))
        world.send("ada", room, "old", idempotency_key="old")
    world.now += 25 * 60 * 60 * 1000
    for room in ("talk", "town"):
        world.send("bob", room, "used", idempotency_key="used")
        world.send("ada", room, "used", idempotency_key="used")
        world.unread("bob", room)
        world.read("reader", room)
    world.create_user("stranger", "stranger")
    upload(world, "ada", "mine")
    yield world
    world.database.close()


def commands(world: World, wishes: list[Wish]) -> list[Command[Sent]]:
    found: list[Command[Sent]] = []
    now = world.now
    for number, wish in enumerate(wishes):
        now += wish.later
        files = () if wish.token is None else (SendFileBlock(file_token=wish.token),)
        params = SendMessage(
            content=(*text(wish.words), *files),
            idempotency_key=UNSET if wish.key is None else wish.key,
            referenced_message_id=wish.reply_to,
        )
        message_id = f"new {number}"
        found.append(send_message(wish.actor, wish.room, message_id, params, now, world.rules))
    return found


def told(answer: Sent | Exception) -> object:
    if isinstance(answer, RequestRefused):
        return type(answer), answer.code, answer.reasons
    return answer


def kept(world: World) -> dict[str, list[tuple[object, ...]]]:
    execute = world.database.reader.execute
    return {table: execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES}


@settings(max_examples=60, deadline=None)
@given(wishes=WISHES)
@example(wishes=[Wish("bob", "talk", key="new"), Wish("bob", "talk", " again", key="new")])
@example(wishes=[Wish("ada", "talk"), Wish("bob", "talk", later=2), Wish("ada", "talk")])
def test_what_is_said_in_one_go_is_what_is_said_one_after_the_other(wishes: list[Wish]) -> None:
    with furnished() as alone, furnished() as together:
        for world in (alone, together):
            world.take()
        one_by_one = [told(alone.answers(it)[0]) for it in commands(alone, wishes)]
        at_once = [told(it) for it in together.answers(*commands(together, wishes))]
        assert at_once == one_by_one
        assert together.take() == alone.take()
        assert kept(together) == kept(alone)


def test_each_of_the_things_that_can_be_found_in_one_go_can_be_found() -> None:
    with furnished() as world:
        wishes = [Wish("ada", "talk", "an apple"), Wish("bob", "town", "a pear and an apple")]
        world.answers(*commands(world, wishes))
        assert said(world, "bob", "apple") == ["new 1", "new 0"]


def test_more_messages_of_one_sender_in_one_go_take_hardly_more_statements() -> None:
    with furnished() as world:
        wishes = [Wish("ada", "talk", key=f"key {number}") for number in range(20)]
        asked: list[str] = []
        world.database.writer.set_trace_callback(asked.append)
        world.answers(*commands(world, wishes))
        world.database.writer.set_trace_callback(None)
        verbs = Counter(sql.split()[0] for sql in asked)
        assert (verbs["SELECT"], verbs["UPDATE"]) == (3, 3)
