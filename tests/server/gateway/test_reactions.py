"""Reactions over a socket: each hears in his own way, in one frame, and only who may."""

from urllib.parse import quote

import pytest

from tests.server.conftest import People
from tests.server.raw import Json, RawClient

MINE = "/me/conversations/lunch/messages"
THUMB, CAT = "👍", ":cat:"


def reaction(client: RawClient, message: str, emoji: str = THUMB) -> str:
    encoded = quote(emoji, safe="")
    return f"/conversations/lunch/messages/{message}/reactions/{encoded}/{client.user}"


def listed(message: str, emoji: str = THUMB) -> str:
    return f"{MINE}/{message}/reactions/{quote(emoji, safe='')}"


def kinds(events: list[Json]) -> list[str]:
    return [event["type"] for event in events]


def frames(client: RawClient) -> list[list[str]]:
    return [kinds(frame[2:]) for frame in client.heard if frame[1] == "PUBLISH"]


async def test_a_reaction_is_one_frame_that_differs_by_receiver(people: People) -> None:
    alice, bob, again = await people("alice", "bob", "bob")
    await alice.found("lunch", "bob")
    message = await alice.send("lunch", "hi")
    for client in (alice, bob, again):
        await client.settle()
        client.heard.clear()
        await client.do("SUBSCRIBE", MINE)
        await client.do("SUBSCRIBE", listed(message))
    await bob.do("PUT", reaction(bob, message))
    assert [frame[1] for frame in bob.heard[-2:]] == ["PUBLISH", 200], "events come first"
    for client in (alice, bob, again):
        added, edited = await client.settle() or client.events
        assert frames(client) == [["reaction.added", "message.edited"]]
        assert (added["userId"], added["emoji"]) == ("bob", THUMB)
        summary = {
            "createdAt": added["createdAt"],
            "count": 1,
            "currentUserReacted": client is not alice,
        }
        assert edited["diff"] == {"reactions": {THUMB: summary}}
        (seen,) = (await client.get(MINE))["data"]
        assert seen["reactions"] == {THUMB: summary}
        assert await client.get(f"{MINE}/{message}") == seen
        client.heard.clear()
    await bob.do("PUT", reaction(bob, message))
    assert await alice.settle() == [], "a second time is none"
    await bob.do("DELETE", reaction(bob, message))
    for client in (alice, bob, again):
        removed, edited = await client.settle() or client.events
        assert (removed["type"], removed["userId"]) == ("reaction.removed", "bob")
        assert edited["diff"] == {"reactions": {THUMB: None}}
    assert (await bob.ask("DELETE", reaction(bob, message))).status == 404


async def test_each_subscription_brings_its_own_events(people: People) -> None:
    alice, summary, thumbs, cats, other = await people("alice", *["bob"] * 4)
    await alice.found("lunch", "bob")
    message, another = await alice.send("lunch", "one"), await alice.send("lunch", "two")
    await summary.do("SUBSCRIBE", MINE)
    await thumbs.do("SUBSCRIBE", listed(message))
    await cats.do("SUBSCRIBE", listed(message, CAT))
    await other.do("SUBSCRIBE", listed(another))
    for client in (summary, thumbs, cats, other):
        await client.settle()
    await alice.do("PUT", reaction(alice, message))
    await alice.send("lunch", "three")
    await alice.do("DELETE", f"/conversations/lunch/messages/{message}")
    assert kinds(await summary.settle()) == ["message.edited", "message.created", "message.deleted"]
    assert kinds(await thumbs.settle()) == ["reaction.added", "message.deleted"]
    assert kinds(await cats.settle()) == ["message.deleted"]
    assert await other.settle() == [], "it would empty the list of another message"
    assert await other.get(listed(another)) == {"data": [], "cursor": None}
    assert (await thumbs.ask("GET", listed(message))).code == "MESSAGE_NOT_FOUND"


async def test_a_list_of_reactions_can_be_left_while_another_of_the_message_stays(
    people: People,
) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    message = await alice.send("lunch", "hi")
    for emoji in (THUMB, CAT):
        await bob.do("SUBSCRIBE", listed(message, emoji))
    await bob.do("UNSUBSCRIBE", listed(message, CAT))
    await bob.settle()
    for emoji in (THUMB, CAT):
        await alice.do("PUT", reaction(alice, message, emoji))
    assert kinds(await bob.settle()) == ["reaction.added"]
    await alice.do("DELETE", f"/conversations/lunch/messages/{message}")
    assert kinds(await bob.settle()) == ["message.deleted"]
    second = await alice.send("lunch", "hi")
    for method in ("SUBSCRIBE", "UNSUBSCRIBE"):
        await bob.do(method, listed(second))
    await alice.do("DELETE", f"/conversations/lunch/messages/{second}")
    assert await bob.settle() == []


@pytest.mark.parametrize("stranger", ["carol", "dave"])  # never in it; no longer in it
async def test_a_stranger_hears_and_learns_nothing(people: People, stranger: str) -> None:
    alice, outsider = await people("alice", stranger)
    await alice.found("lunch", *({stranger} & {"dave"}))
    message = await alice.send("lunch", "hi")
    for path in (MINE, listed(message), listed("nothing", "x")):
        await outsider.do("SUBSCRIBE", path)
    if stranger == "dave":
        await alice.do("DELETE", "/conversations/lunch/participants/dave")
    await outsider.settle()
    await alice.do("PUT", reaction(alice, message))
    await alice.do("DELETE", reaction(alice, message))
    await alice.do("DELETE", f"/conversations/lunch/messages/{message}")
    assert await outsider.settle() == []
    for method in ("PUT", "DELETE"):
        answer = await outsider.ask(method, reaction(outsider, message))
        assert (answer.status, answer.code) == (404, "CONVERSATION_NOT_FOUND")
    assert (await outsider.ask("GET", listed(message))).code == "CONVERSATION_NOT_FOUND"


async def test_what_is_no_emoji_or_somebody_elses_is_refused(people: People) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    message = await alice.send("lunch", "hi")
    await bob.do("SUBSCRIBE", MINE)
    of_bob = reaction(bob, message)
    for path, status, code in [
        (reaction(alice, message, "x"), 400, "INVALID_EMOJI"),
        (reaction(alice, message, "👍👍"), 400, "INVALID_EMOJI"),
        (reaction(alice, message, "a/b"), 400, "INVALID_EMOJI"),
        (reaction(alice, message, "x" * 256), 400, "INVALID_ID"),
        (reaction(alice, "nothing", "x"), 404, "MESSAGE_NOT_FOUND"),
        (of_bob, 403, "UNAUTHORIZED_TO_REACT"),
    ]:
        answer = await alice.ask("PUT", path)
        assert (answer.status, answer.code) == (status, code), path
    assert (await alice.ask("DELETE", of_bob)).code == "UNAUTHORIZED_TO_REACT"
    assert (await alice.ask("GET", listed(message, "x"))).code == "INVALID_EMOJI"
    assert (await alice.ask("GET", listed("nothing", "x"))).code == "MESSAGE_NOT_FOUND"
    assert await bob.settle() == []


async def test_a_new_last_message_comes_with_what_each_has_reacted_to_it(people: People) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    message = await alice.send("lunch", "one")
    await bob.do("PUT", reaction(bob, message))
    second = await alice.send("lunch", "two")
    for client in (alice, bob):
        await client.do("SUBSCRIBE", MINE)
        await client.settle()
        client.heard.clear()
    await alice.do("DELETE", f"/conversations/lunch/messages/{second}")
    for client in (alice, bob):
        await client.settle()
        assert frames(client) == [["message.deleted", "message.edited"]]
        deleted, edited = client.events
        (seen,) = (await client.get(MINE))["data"]
        assert {**deleted["newLastMessage"], **edited["diff"]} == seen
        assert seen["reactions"][THUMB]["currentUserReacted"] is (client is bob)


async def test_many_reactions_in_one_breath_end_in_the_truth(people: People) -> None:
    fans = await people(*[f"fan{n}" for n in range(20)])
    alice = fans[0]
    await alice.found("lunch", *[fan.user for fan in fans[1:]])
    message = await alice.send("lunch", "hi")
    for fan in fans:
        await fan.do("SUBSCRIBE", MINE)
        await fan.settle()
        fan.heard.clear()
    for fan in fans:
        await fan.say("PUT", reaction(fan, message))
        await fan.say("PUT", reaction(fan, message, CAT))
    for fan in fans[::2]:
        await fan.say("DELETE", reaction(fan, message))
    for fan in fans:
        await fan.settle()
    for fan in fans:
        await fan.settle()
        seen: dict[str, Json] = {}
        for event in fan.events:
            seen |= event["diff"]["reactions"]
        assert seen == (await fan.get(f"{MINE}/{message}"))["reactions"]
        assert (seen[THUMB]["count"], seen[CAT]["count"]) == (10, 20)
        mine = [it["currentUserReacted"] for it in (seen[THUMB], seen[CAT])]
        assert mine == [fan not in fans[::2], True]
    page = await alice.get(listed(message, CAT), {"limit": 7})
    assert len(page["data"]) == 7
    rest = await alice.get(listed(message, CAT), {"limit": 30, "cursor": page["cursor"]})
    assert rest["cursor"] is None
    users = [it["userId"] for it in [*page["data"], *rest["data"]]]
    assert sorted(users) == sorted(fan.user for fan in fans)
