"""Search: messages and conversations, page by page."""

import rtflow
from tests.compatibility.conftest import Lunch


async def test_messages_are_found_with_where_they_are(lunch: Lunch) -> None:
    ids = [await lunch.says(f"pizza {number}") for number in range(5)]
    await lunch.says("pasta")
    search = lunch.bob.search_messages("pizza")
    first = await search.next_page(3)
    rest = await search.next_page(10)
    assert {it.message.id for it in (*first, *rest)} == {*ids}
    assert (len(first), len(rest)) == (3, 2)
    found, conversation = first[0], await lunch.his.get()
    message = await lunch.his.message(found.message.id).get()
    assert conversation is not None
    assert message is not None
    assert found == rtflow.SearchMessageSnapshot(conversation=conversation, message=message)
    nowhere = lunch.bob.search_messages("pizza", filter={"subject": ["==", "Dinner"]})
    assert await nowhere.next_page() == ()


async def test_conversations_are_found_by_subject(lunch: Lunch) -> None:
    for number in range(4):
        await lunch.alice.conversation(f"t{number}").create_if_not_exists(subject=f"Team {number}")
    search = lunch.alice.search_conversations("team")
    first, rest = await search.next_page(3), await search.next_page(3)
    assert {it.id for it in (*first, *rest)} == {"t0", "t1", "t2", "t3"}
    read = lunch.alice.search_conversations("team", filter={"isUnread": True})
    assert [it async for it in read] == []
