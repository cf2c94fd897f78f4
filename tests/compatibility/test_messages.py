"""Messages: all that can be sent and edited is seen, in every form that a text may have."""

import pytest

import rtflow
from rtflow.model.content import Node
from rtflow.model.frozen import FrozenDict
from tests.compatibility.conftest import Lunch

NODES = (
    "plain",
    rtflow.Bold(("b",)),
    rtflow.Italic((rtflow.Strikethrough(("is",)),)),
    rtflow.Link("https://example.com", ("l",)),
    rtflow.AutoLink("https://example.com", "https://example.com"),
    rtflow.ActionLink("order", {"what": "pizza"}, ("order",)),
    rtflow.ActionButton("pay", {"how": "cash"}, ("pay",)),
    rtflow.CodeSpan("x = 1"),
    rtflow.CustomEmoji(":pizza:"),
    rtflow.Mention("bob", "Bob"),
    rtflow.BulletList((rtflow.BulletPoint(("one",)), rtflow.BulletPoint(("two",)))),
)


async def test_a_message_is_what_was_sent(lunch: Lunch) -> None:
    first = await lunch.hers.send("Pizza?")
    reply = await lunch.his.send("*Sure*", referenced_message=first, custom={"mood": "hungry"})
    assert (reply.conversation_id, reply) == (
        "lunch",
        lunch.bob.conversation("lunch").message(reply.id),
    )
    it = await lunch.hers.message(reply.id).get()
    assert it is not None
    assert it.referenced_message is not None
    assert it == rtflow.MessageSnapshot(
        id=reply.id,
        type="UserMessage",
        sender=await lunch.alice.user("bob").get(),
        content=(rtflow.TextBlock((rtflow.Bold(("Sure",)),)),),
        plaintext="Sure",
        custom=FrozenDict({"mood": "hungry"}),
        created_at=it.created_at,
        edited_at=None,
        origin="web",
        reactions=(),
        referenced_message=it.referenced_message,
    )
    assert it.referenced_message == rtflow.ReferencedMessageSnapshot(
        id=first.id,
        type="UserMessage",
        sender=await lunch.alice.current_user.get(),
        content=(rtflow.TextBlock(("Pizza?",)),),
        plaintext="Pizza?",
        custom=FrozenDict(),
        created_at=it.referenced_message.created_at,
        edited_at=None,
        origin="web",
        reactions=(),
        referenced_message_id=None,
    )
    assert it.referenced_message.created_at < it.created_at


async def test_a_message_is_edited_and_deleted(lunch: Lunch) -> None:
    ref = await lunch.hers.send("Piza?", custom={"a": "1", "b": "2"})
    await ref.edit("_Pizza?_", custom={"a": None, "c": "3"})
    it = await lunch.his.message(ref.id).get()
    assert it is not None
    assert (it.plaintext, it.custom) == ("Pizza?", {"b": "2", "c": "3"})
    assert it.content == (rtflow.TextBlock((rtflow.Italic(("Pizza?",)),)),)
    assert it.edited_at is not None
    await ref.edit((rtflow.TextBlock(("Pasta?",)),))
    it = await lunch.his.message(ref.id).get()
    assert it is not None
    assert it.plaintext == "Pasta?"
    await ref.delete()
    await ref.delete()
    assert await lunch.his.message(ref.id).get() is None


async def test_the_messages_are_newest_first_and_say_whether_they_are_all(lunch: Lunch) -> None:
    ids = [await lunch.says(str(number)) for number in range(3)]
    window = lunch.his.messages.window(2)
    newest = await window.get()
    assert newest is not None
    assert ([it.id for it in newest.items], newest.loaded_all) == (ids[:0:-1], False)
    await window.load_more(2)
    every = await window.get()
    assert every is not None
    assert ([it.id for it in every.items], every.loaded_all) == (ids[::-1], True)


@pytest.mark.parametrize("node", NODES, ids=lambda node: type(node).__name__)
async def test_every_kind_of_node_arrives_as_it_was_sent(lunch: Lunch, node: Node) -> None:
    block = rtflow.TextBlock(("see: ", node))
    sent = await lunch.hers.send((block,))
    it = await lunch.his.message(sent.id).get()
    assert it is not None
    assert it.content == (block,)


async def test_a_place_arrives_as_it_was_sent(lunch: Lunch) -> None:
    place = rtflow.LocationBlock(52.37, 4.9)
    sent = await lunch.hers.send((place,))
    it = await lunch.his.message(sent.id).get()
    assert it is not None
    assert it.content == (place,)


async def test_a_message_is_translated(lunch: Lunch) -> None:
    ref = await lunch.hers.send("Pizza?")
    translated = await ref.translate("nl")
    assert translated is not None
    assert (translated.content, translated.plaintext) == (
        (rtflow.TextBlock(("Pizza?",)),),
        "Pizza?",
    )
    assert await lunch.hers.message("nothing").translate("nl") is None
