"""Messages over a socket: every kind of content, edits and deletions, and who hears of them."""

import json

import pytest

from rtflow.server.clock import unix_ms
from tests.server.conftest import People
from tests.server.raw import Json, RawClient

SAID = "/conversations/lunch/messages"
MINE = "/me/conversations/lunch/messages"
TREE = [
    "see ",
    {"type": "bold", "children": [{"type": "italic", "children": ["this"]}]},
    {"type": "autoLink", "url": "https://example.com", "text": "example.com"},
    {"type": "codeSpan", "text": "x = 1"},
    {"type": "customEmoji", "text": ":cat:"},
    {"type": "mention", "id": "bob", "text": "Bob"},
    {"type": "bulletList", "children": [{"type": "bulletPoint", "children": ["one"]}]},
]
PLACE = {"type": "location", "latitude": 1.5, "longitude": -2}


def lower(content: Json) -> Json:
    """Return content as the official client's parser makes it."""
    types = ("autoLink", "codeSpan", "customEmoji", "bulletList", "bulletPoint")
    raw = json.dumps(content)
    for name in types:
        raw = raw.replace(f'"{name}"', f'"{name.lower()}"')
    return json.loads(raw)


def kinds(events: list[Json]) -> list[str]:
    return [event["type"] for event in events]


def text(*children: Json) -> Json:
    return {"type": "text", "children": list(children)}


async def test_content_of_every_kind_comes_back_in_camel_case(people: People) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    await bob.do("SUBSCRIBE", MINE)
    content = [text(*TREE), PLACE]
    sent = await alice.do("POST", SAID, {"content": lower(content)})
    (created,) = await bob.settle()
    assert created["state"]["content"] == content
    assert await bob.get(f"{MINE}/{sent['id']}") == created["state"]
    await alice.do("PATCH", f"{SAID}/{sent['id']}", {"content": lower([PLACE, text(*TREE[:3])])})
    (edited,) = await bob.settle()
    assert edited["diff"]["content"] == [PLACE, text(*TREE[:3])]
    assert (await bob.get(MINE))["data"][0]["content"] == [PLACE, text(*TREE[:3])]


async def test_the_id_of_a_message_begins_with_its_time(people: People) -> None:
    (alice,) = await people("alice")
    await alice.found("lunch")
    before = unix_ms()
    sent = await alice.do("POST", SAID, {"content": [text("hello")]})
    assert before <= int(sent["id"].removeprefix("msg_")[:11], 16) <= unix_ms()


REFUSED: list[tuple[Json, str]] = [
    ({"content": [text(" ")]}, "EMPTY_MESSAGE"),
    ({"content": [{"type": "location", "latitude": 91, "longitude": 0}]}, "INVALID_LOCATION"),
    ({"content": [{"type": "file", "fileToken": "nothing"}]}, "FILE_NOT_FOUND"),
    ({"content": [{"type": "file"}]}, "INVALID_PARAMETERS"),
    ({"content": [{"type": "location", "latitude": "1", "longitude": 0}]}, "INVALID_PARAMETERS"),
    ({"content": [{"type": "video"}]}, "INVALID_PARAMETERS"),
    ({"content": [text({"type": "blink", "children": []})]}, "INVALID_PARAMETERS"),
    ({"content": []}, "INVALID_PARAMETERS"),
    ({"content": [PLACE] * 21}, "INVALID_PARAMETERS"),
    ({"content": None}, "INVALID_PARAMETERS"),
    ({"content": [text("x" * 10_001)]}, "MESSAGE_TOO_LONG"),
    ({"content": [text("x")], "custom": {"k": 1}}, "INVALID_PARAMETERS"),
]


@pytest.mark.parametrize(("data", "code"), REFUSED, ids=range(len(REFUSED)))
async def test_bad_content_is_refused_and_nobody_notices(
    people: People, data: Json, code: str
) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    message = await alice.send("lunch", "hi")
    await bob.do("SUBSCRIBE", MINE)
    for method, path in [("POST", SAID), ("PATCH", f"{SAID}/{message}")]:
        answer = await alice.ask(method, path, data)
        assert (answer.status, answer.code) == (400, code)
    assert await bob.settle() == []
    (only,) = (await alice.get(MINE))["data"]
    assert (only["content"], only["editedAt"]) == ([text("hi")], None)


async def test_a_location_that_is_not_a_number_is_refused(people: People) -> None:
    (alice,) = await people("alice")
    await alice.found("lunch")
    for number in ("1e999", "NaN", "Infinity"):
        data = f'{{"content":[{{"type":"location","latitude":{number},"longitude":0}}]}}'
        await alice.say_raw(f'[70,"POST","{SAID}",{data},{{}}]')
        answer = await alice.until(
            lambda: next((frame for frame in alice.heard if frame[0] in (70, -1)), None)
        )
        assert answer[1] == 400
        alice.heard.clear()


async def test_the_events_of_an_edit_and_a_deletion_come_before_their_answers(
    people: People,
) -> None:
    (alice,) = await people("alice")
    await alice.found("lunch")
    first, second = await alice.send("lunch", "one"), await alice.send("lunch", "two")
    for path in (MINE, "/me/conversations/lunch"):
        await alice.do("SUBSCRIBE", path)
    for method, message, data, expected in [
        ("PATCH", first, {"custom": {"k": "v"}}, ["message.edited"]),
        ("PATCH", first, {"custom": {"k": "v"}}, []),
        ("DELETE", second, {}, ["message.deleted", "side.edited"]),
        ("DELETE", first, {}, ["message.deleted", "side.edited"]),
    ]:
        alice.heard.clear()
        await alice.do(method, f"{SAID}/{message}", data)
        assert kinds(alice.events) == expected
        assert len(alice.heard) == 1 + bool(expected), "one frame of events, then the answer"
    assert (await alice.ask("DELETE", f"{SAID}/{first}")).status == 404


async def test_a_deletion_moves_what_all_see_of_the_conversation(people: People) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    first, second = await alice.send("lunch", "one"), await alice.send("lunch", "two")
    for path in (MINE, "/me/conversations"):
        await bob.do("SUBSCRIBE", path)
    before = await bob.get("/me/conversations/lunch")
    page = (await bob.get(MINE))["data"]
    await alice.do("DELETE", f"{SAID}/{second}")
    deleted, side = await bob.settle()
    assert deleted["newLastMessage"] == page[1]
    assert side["diff"]["unreadMessageCount"] == before["unreadMessageCount"] - 1 == 1
    assert side["diff"]["lastMessageAt"] == page[1]["createdAt"]
    await alice.do("DELETE", f"{SAID}/{first}")
    deleted, side = await bob.settle()
    assert deleted["newLastMessage"] is None
    assert side["diff"]["lastMessageAt"] == before["joinedAt"]
    assert (side["diff"]["unreadMessageCount"], side["diff"]["isUnread"]) == (0, False)


async def test_a_message_in_the_middle_goes_without_a_new_last_one(people: People) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    first = await alice.send("lunch", "one")
    await alice.send("lunch", "two")
    await bob.do("SUBSCRIBE", MINE)
    await alice.do("DELETE", f"{SAID}/{first}")
    (deleted,) = await bob.settle()
    assert deleted == {
        "type": "message.deleted",
        "conversationId": "lunch",
        "messageId": first,
    }


async def test_others_can_neither_change_nor_delete_nor_strangers_see(people: People) -> None:
    alice, bob, eve = await people("alice", "bob", "eve")
    await alice.found("lunch", "bob")
    message = await alice.send("lunch", "a secret")
    for client in (alice, bob, eve):
        await client.do("SUBSCRIBE", MINE)
    edit = {"custom": {"k": "v"}}
    for client, status, codes in [
        (bob, 403, {"UNAUTHORIZED_TO_EDIT_MESSAGE", "UNAUTHORIZED_TO_DELETE_MESSAGE"}),
        (eve, 404, {"CONVERSATION_NOT_FOUND"}),
    ]:
        answers = [
            await client.ask("PATCH", f"{SAID}/{message}", edit),
            await client.ask("DELETE", f"{SAID}/{message}"),
        ]
        assert {answer.status for answer in answers} == {status}
        assert {answer.code for answer in answers} == codes
    assert (await eve.ask("GET", f"{MINE}/{message}")).code == "CONVERSATION_NOT_FOUND"
    assert (await bob.ask("GET", f"{MINE}/nothing")).code == "MESSAGE_NOT_FOUND"
    await alice.do("PATCH", f"{SAID}/{message}", edit)
    await alice.do("DELETE", f"{SAID}/{message}")
    assert kinds(await bob.settle()) == ["message.edited", "message.deleted"]
    assert await eve.settle() == []
    assert "secret" not in str(eve.heard)


async def sent_twice(alice: RawClient, key: str) -> tuple[str, str]:
    first = await alice.send("lunch", "hi", idempotencyKey=key)
    await alice.do("DELETE", f"{SAID}/{first}")
    return first, await alice.send("lunch", "hi", idempotencyKey=key)


async def test_a_repeated_send_does_not_bring_a_deleted_message_back(people: People) -> None:
    (alice,) = await people("alice")
    await alice.found("lunch")
    first, again = await sent_twice(alice, "k")
    assert first == again
    assert (await alice.get(MINE))["data"] == []
