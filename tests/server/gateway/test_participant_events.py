"""Whoever looks at who is in a conversation is told who comes, changes and goes, once, while he is
in it himself."""

import pytest

from tests.server.conftest import People
from tests.server.raw import Json, RawClient

ROOM = "/conversations/lunch/participants"
ALL = f"/me{ROOM}"
CAROL = f"/me{ROOM}/carol"


def told(events: list[Json]) -> list[tuple[str, str]]:
    return [(event["type"], event["userId"]) for event in events if "participant" in event["type"]]


async def act(client: RawClient, method: str, user: str, **params: Json) -> None:
    actions = [{"id": user, "method": method, "params": params}]
    answer = await client.do("POST", ROOM, {"actions": actions})
    assert answer == {"responses": [{"status": 200}]}


async def come_change_and_go(alice: RawClient) -> None:
    """Carol and Dave do so."""
    for user in ("carol", "dave"):
        await act(alice, "POST", user, notify=False)
        await act(alice, "PUT", user, notify=True, access="Read")
        await act(alice, "PUT", user, notify=True)
        await alice.do("DELETE", f"{ROOM}/{user}")


STORY = ["participant.created", "participant.edited", "participant.deleted"]


@pytest.mark.parametrize(
    ("path", "users"), [(ALL, ["carol", "dave"]), (CAROL, ["carol"]), ("/me/conversations", [])]
)
async def test_a_list_hears_of_everybody_and_a_single_one_of_that_one(
    people: People, path: str, users: list[str]
) -> None:
    alice, bob = await people("alice", "bob")
    for user in ("carol", "dave"):
        await alice.do("POST", f"/users/{user}", {"name": user})
    await alice.found("lunch", "bob")
    await bob.do("SUBSCRIBE", path)
    await come_change_and_go(alice)
    assert told(await bob.settle()) == [(kind, user) for user in users for kind in STORY]
    await bob.do("UNSUBSCRIBE", path)
    await come_change_and_go(alice)
    assert await bob.settle() == []


async def test_what_is_told_is_what_can_be_read(people: People) -> None:
    alice, bob, _ = await people("alice", "bob", "carol")
    await alice.found("lunch", "bob")
    await bob.do("SUBSCRIBE", ALL)
    before = await bob.get(ALL)
    await act(alice, "POST", "carol", notify="MentionsOnly")
    created = await bob.event("participant.created")
    assert created["state"] == await bob.get(CAROL)
    assert await bob.get(ALL) == {"data": [created["state"], *before["data"]], "cursor": None}
    await act(alice, "PATCH", "carol", access="Read", notify=True)
    edited = await bob.event("participant.edited")
    assert edited["diff"] == {"access": "Read", "notify": True}
    assert await bob.get(CAROL) == {**created["state"], **edited["diff"]}
    await alice.do("DELETE", f"{ROOM}/carol")
    await bob.event("participant.deleted")
    assert (await bob.ask("GET", CAROL)).code == "PARTICIPANT_NOT_FOUND"
    assert await bob.get(ALL) == before


async def test_who_is_edited_hears_it_once_whatever_he_watches(people: People) -> None:
    alice, carol, again = await people("alice", "carol", "carol")
    await alice.found("lunch", "carol")
    for path in ("/me/conversations", "/me/conversations/lunch", ALL, CAROL):
        await carol.do("SUBSCRIBE", path)
    await carol.settle()
    await again.settle()
    await act(alice, "PATCH", "carol", access="Read")
    for client in (carol, again):  # the latter did not ask for it: it is about his own side
        (heard,) = await client.settle()
        assert (heard["type"], heard["userId"]) == ("participant.edited", "carol")
        assert heard["diff"] == {"access": "Read"}


async def test_who_goes_hears_no_more_of_the_others_and_who_comes_hears_of_them(
    people: People,
) -> None:
    alice, bob, carol = await people("alice", "bob", "carol")
    await alice.found("lunch", "bob")
    for client in (bob, carol):
        for path in (ALL, CAROL, f"/me{ROOM}/bob"):
            await client.do("SUBSCRIBE", path)
        await client.settle()
    await alice.do("DELETE", f"{ROOM}/bob")
    await act(alice, "POST", "carol")
    await act(alice, "PATCH", "carol", notify=False)
    assert [event["type"] for event in await bob.settle()] == ["side.deleted"]
    kinds = [event["type"] for event in await carol.settle()]
    assert kinds == ["side.created", "participant.created", "participant.edited"]


async def test_the_many_of_one_batch_come_in_one_frame(people: People) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    await bob.do("SUBSCRIBE", ALL)
    users = [f"user {n}" for n in range(100)]
    for user in users:
        await alice.do("POST", f"/users/{user.replace(' ', '%20')}", {"name": user})
    bob.heard.clear()
    actions = [{"id": user, "method": "POST"} for user in users]
    await alice.do("POST", ROOM, {"actions": actions})
    await bob.settle()
    (frame,) = [frame for frame in bob.heard if frame[1] == "PUBLISH"]
    assert [event["userId"] for event in frame[2:]] == users
    first = await bob.get(ALL, {"limit": 50})
    second = await bob.get(ALL, {"limit": 50, "cursor": first["cursor"]})
    assert [it["id"] for it in first["data"] + second["data"]] == users[::-1]


async def test_of_a_batch_each_hears_what_comes_after_his_own_joining(people: People) -> None:
    alice, bob, carol = await people("alice", "bob", "carol")
    await alice.found("lunch")
    for client in (bob, carol):
        await client.do("SUBSCRIBE", ALL)
    actions = [{"id": user, "method": "POST"} for user in ("bob", "carol")]
    await alice.do("POST", ROOM, {"actions": actions})
    bobs, carols = await bob.settle(), await carol.settle()
    assert [bobs[0]["type"], *told(bobs)] == [
        "side.created",
        ("participant.created", "bob"),
        ("participant.created", "carol"),
    ]
    assert [carols[0]["type"], *told(carols)] == ["side.created", ("participant.created", "carol")]
