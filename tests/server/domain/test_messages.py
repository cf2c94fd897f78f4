"""Messages: saying something, saying it twice, saying nothing, and reading page by page."""

import pytest
from msgspec import UNSET

from rtflow.model.content import (
    ActionButton,
    AutoLink,
    Bold,
    BulletList,
    BulletPoint,
    CodeSpan,
    CustomEmoji,
    Link,
    Mention,
    Node,
    TextBlock,
)
from rtflow.model.entities import Message
from rtflow.model.events import MessageCreated
from rtflow.model.params import SendMessage
from rtflow.server.domain.rules import Rules
from rtflow.server.domain.sending import DAY, send_message
from rtflow.server.store.interface import SideTouched
from tests.server.domain.world import World, refused, step, text


@pytest.fixture(autouse=True)
def lunch(world: World) -> None:
    """Ada and Bob have lunch; Bob just listens."""
    world.start("lunch", "ada", "bob")
    world.act("ada", "lunch", step("PATCH", "bob", access="Read"))
    world.take()


def test_everyone_is_told_of_a_message_and_that_their_side_changed(world: World) -> None:
    world.now = 5_000
    world.send("ada", "lunch", "hello", "world", custom={"mood": "good", "none": None})
    said = Message(
        id="m1",
        sender_id="ada",
        custom={"mood": "good"},
        created_at=5_000,
        content=text("hello", "world"),
    )
    assert world.take() == [
        MessageCreated(conversation_id="lunch", message_id="m1", state=said),
        SideTouched("lunch"),
    ]
    assert world.messages("bob", "lunch").data == (said,)


def test_sending_reads_everything_before_it(world: World) -> None:
    world.act("ada", "lunch", step("PUT", "bob", access="ReadWrite"))
    world.send("ada", "lunch", "one")
    world.send("ada", "lunch", "two")
    world.unread("bob", "lunch")
    assert world.see("bob", "lunch").unread_message_count == 2
    world.send("bob", "lunch", "three")
    bob, ada = world.see("bob", "lunch"), world.see("ada", "lunch")
    assert (bob.unread_message_count, bob.is_unread, bob.read_until) == (
        0,
        False,
        bob.last_message_at,
    )
    assert (ada.unread_message_count, ada.is_unread) == (1, True)


@pytest.mark.parametrize("now", [1_000, 900, 0])
def test_times_strictly_increase_even_if_the_clock_does_not(world: World, now: int) -> None:
    world.send("ada", "lunch", "one")
    world.read("bob", "lunch")
    world.now = now
    world.send("ada", "lunch", "two")
    world.send("ada", "lunch", "three")
    times = [message.created_at for message in world.messages("ada", "lunch").data]
    assert times[0] > times[1] > times[2]
    assert times[1] > world.see("bob", "lunch").read_until


def test_the_same_key_is_the_same_message_for_a_day(world: World) -> None:
    assert world.send("ada", "lunch", "hello", idempotency_key="k") == "m1"
    world.take()
    world.now += DAY - 1
    assert world.send("ada", "lunch", "hello", idempotency_key="k") == "m1"
    assert world.take() == []
    world.now += 1
    assert world.send("ada", "lunch", "hello", idempotency_key="k") == "m3"
    assert world.send("ada", "lunch", "hello", idempotency_key="k") == "m3"
    assert len(world.messages("ada", "lunch").data) == 2


def test_a_key_belongs_to_its_sender_and_conversation(world: World) -> None:
    world.act("ada", "lunch", step("PUT", "bob", access="ReadWrite"))
    world.start("work", "ada")
    sent = [
        world.send(user, room, "hi", idempotency_key="k")
        for user, room in [("ada", "lunch"), ("bob", "lunch"), ("ada", "work")]
    ]
    assert sent == ["m1", "m2", "m3"]


def test_strangers_and_listeners_cannot_send(world: World) -> None:
    world.create_user("eve", "eve")
    world.take()
    with refused("404 CONVERSATION_NOT_FOUND"):
        world.send("eve", "lunch", "hello")
    with refused("404 CONVERSATION_NOT_FOUND"):
        world.send("ada", "nowhere", "hello")
    with refused("403 UNAUTHORIZED_TO_SEND"):
        world.send("bob", "lunch", "hello")
    assert world.take() == []


def test_a_reference_is_to_a_message_of_the_same_conversation(world: World) -> None:
    world.start("work", "ada")
    first, elsewhere = world.send("ada", "lunch", "hello"), world.send("ada", "work", "hello")
    world.send("ada", "lunch", "indeed", referenced_message_id=first)
    assert world.messages("ada", "lunch").data[0].referenced_message_id == first
    for unknown in (elsewhere, "nonsense"):
        with refused("400 REFERENCED_MESSAGE_NOT_FOUND"):
            world.send("ada", "lunch", "indeed", referenced_message_id=unknown)
    world.send("ada", "lunch", "indeed", referenced_message_id=None)


def send_nodes(world: World, *nodes: Node) -> None:
    params = SendMessage(content=(TextBlock(nodes),))
    world.do(send_message("ada", "lunch", "m", params, world.now, world.rules))


@pytest.mark.parametrize(
    "nodes",
    [
        (),
        ("",),
        (" \n\t", " "),
        (Bold((" ",)),),
        (BulletList((BulletPoint(("",)),)),),
        (CodeSpan(" "),),
    ],
)
def test_a_blank_message_is_refused(world: World, nodes: tuple[Node, ...]) -> None:
    with refused("400 EMPTY_MESSAGE"):
        send_nodes(world, *nodes)


@pytest.mark.parametrize(
    "node",
    [
        "x",
        Bold(("x",)),
        BulletList((BulletPoint(("x",)),)),
        Link("http://x", ("x",)),
        ActionButton("buy", {"it": "now"}, ("x",)),
        AutoLink("http://x", "x"),
        CodeSpan("x"),
        CustomEmoji("x"),
        Mention("bob", "x"),
    ],
)
def test_every_kind_of_text_comes_back_as_it_was_sent(world: World, node: Node) -> None:
    send_nodes(world, node, " ")
    assert world.messages("bob", "lunch").data[0].content == (TextBlock((node, " ")),)


def test_a_message_has_a_greatest_length(world: World) -> None:
    world.rules = Rules(max_message_length=10)
    send_nodes(world, "12345", Bold(("67", Mention("b", "890"))))
    for long in ("1" * 11, Bold(("1" * 11,)), Link("http://" + "x" * 2_000, ("x",))):
        with refused("400 MESSAGE_TOO_LONG"):
            send_nodes(world, long)


def test_a_message_has_a_greatest_depth(world: World) -> None:
    node: Node = "x"
    for _ in range(19):
        node = Bold((node,))
    send_nodes(world, node)
    with refused("400 MESSAGE_TOO_DEEP"):
        send_nodes(world, Bold((node,)))


def test_custom_has_a_greatest_size(world: World) -> None:
    world.rules = Rules(max_custom_bytes=10)
    with refused("400 CUSTOM_TOO_LARGE"):
        world.send("ada", "lunch", "hello", custom={"mood": "very good"})


def test_pages_are_newest_first_and_end_with_no_cursor(world: World) -> None:
    assert world.messages("bob", "lunch").data == ()
    sent = [world.send("ada", "lunch", str(n)) for n in range(7)]
    seen: list[str] = []
    cursor = None
    sizes: list[int] = []
    while sizes == [] or cursor is not None:
        page = world.messages("bob", "lunch", limit=3, cursor=cursor or UNSET)
        seen += [message.id for message in page.data]
        sizes.append(len(page.data))
        cursor = page.cursor
        world.send("ada", "lunch", "meanwhile")
    assert seen == sent[::-1]
    assert sizes == [3, 3, 1]


def test_a_full_last_page_is_known_to_be_the_last(world: World) -> None:
    for n in range(3):
        world.send("ada", "lunch", str(n))
    assert world.messages("bob", "lunch", limit=3).cursor is None


def test_messages_are_for_participants_only(world: World) -> None:
    world.create_user("eve", "eve")
    for user, room in [("eve", "lunch"), ("ada", "nowhere"), ("nobody", "lunch")]:
        with refused("404 CONVERSATION_NOT_FOUND"):
            world.messages(user, room)
