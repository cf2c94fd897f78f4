"""Other ways to what is not yours: without a token, through a conversation of your own, as somebody
else, with what you have seen of others. Each is tried with every request of the table that it fits.

Not here: asking for a conversation that you are not in (test_outsiders.py), somebody else's client
id (test_returning.py).
"""

import json
from typing import Any, Final, get_args

import httpx2
import pytest
from pydantic import SecretStr
from starlette.routing import Route

from rtflow.model.events import Event
from rtflow.server import Settings, create_app, mint_token
from rtflow.wire import endpoints as table
from rtflow.wire.endpoints import AnyEndpoint, Kind
from tests.server.conftest import People
from tests.server.gateway.test_outsiders import (
    GIVEN,
    NOT_CAUSED,
    STEPS,
    TEXT,
    WATCHES,
    ask,
    of_conversations,
)
from tests.server.raw import Answer, Json, RawClient, dial, join

SECRET: Final = "a secret of more than thirty-two bytes"
IDS: Final = {"conversation": "lunch", "user": "alice", "message": "msg", "emoji": "👍"}

# What everybody may ask who has shown a token, and why. A request that names no conversation has to
# be here.
OPEN: Final[dict[AnyEndpoint, str]] = {
    table.RENEW: "it is how one shows a token",
    table.PING: "it says nothing",
    table.GET_USERS: "users of an app may see each other; what is private of them is never sent",
    table.WATCH_USERS: "as above",
    table.UNWATCH_USER: "as above",
    table.GET_ONLINE: "as above",
    table.WATCH_ONLINE: "as above",
    table.UNWATCH_ONLINE: "as above",
    table.CREATE_USER: "client_side_user_syncing lets clients do so",
    table.SET_USER: "as above",
    table.GET_CONVERSATIONS: "one's own: the list is that of the actor, and names nobody",
    table.WATCH_CONVERSATIONS: "as above",
    table.UNWATCH_CONVERSATIONS: "as above",
    table.VALIDATE_FILE: "it tells the settings, and nothing of anybody",
}


def test_every_request_is_about_a_conversation_or_is_open_for_a_reason() -> None:
    about = {it for it in table.ALL if "{conversation}" in it.name}
    assert about | OPEN.keys() == set(table.ALL)
    assert not about & OPEN.keys()
    assert {it.params for it in table.ALL} <= GIVEN.keys()


# Without a token


class TestWithoutToken:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, secret=SecretStr(SECRET))

    async def test_no_request_is_answered(self, url: str) -> None:
        closed = [it for it in table.ALL if it.kind is not Kind.SESSION]
        async with dial(url, "alice") as nobody:
            for token in ("", mint_token("demo", "bob", SECRET)):
                assert (await nobody.renew(token)).status == 401
                for endpoint in closed:
                    answer = await ask(nobody, endpoint, IDS)
                    assert (answer.status, answer.code) == (401, "NOT_AUTHENTICATED"), endpoint

    async def test_no_event_is_told(self, url: str) -> None:
        """Not even to who has watched everything before his token was refused."""
        tokens = {user: mint_token("demo", user, SECRET) for user in ("alice", "bob", "carol")}
        async with (
            join(url, "alice", tokens["alice"]) as alice,
            join(url, "bob", tokens["bob"]) as bob,
            dial(url, "bob") as nobody,
        ):
            await alice.ask("POST", "/users/carol", {"name": "Carol"})
            await alice.found("lunch", "bob")
            message = await alice.send("lunch", "a secret")
            await watch_everything(bob, message)
            await watch_everything(nobody, message)
            assert (await bob.renew("a bad token")).status == 401
            for client in (bob, nobody):
                await client.settle()
                client.heard.clear()
            for endpoint, user, data in STEPS:
                done = await ask(alice, endpoint, {**IDS, "message": message, "user": user}, data)
                assert done.status == 200
            assert await bob.settle() == []
            assert await nobody.settle() == []

    @pytest.mark.parametrize("user", ["nobody", "of another app", "expired", "of another key"])
    async def test_over_http_nothing_is_told(self, url: str, user: str) -> None:
        tokens = {
            "nobody": "",
            "of another app": mint_token("other", "alice", SECRET),
            "expired": mint_token("demo", "alice", SECRET, expires=-60),
            "of another key": mint_token("demo", "alice", "x" * 32),
        }
        headers = {"Authorization": f"Bearer {tokens[user]}"} if tokens[user] else {}
        async with httpx2.AsyncClient(base_url=url, headers=headers) as client:
            for path, (method, status) in HTTP.items():
                answer = await client.request(method, filled(path))
                assert answer.status_code == status, path


HTTP: Final = {  # what who has no token is answered with
    "/api/v0/{app}": ("GET", 200),  # that there is such an app
    "/api/v0/{app}/bokens/{user:path}": ("GET", 401),
    "/public_api/v1/{app}/me/messages/search": ("GET", 401),
    "/public_api/v1/{app}/me/conversations/search": ("GET", 401),
    "/public_api/v1/{app}/files": ("POST", 401),
    "/public_api/v1/{app}/files/{token}/{name:path}": ("GET", 404),  # nobody guesses it
    "/healthz": ("GET", 200),
    "/metrics": ("GET", 200),  # to this machine
}


def filled(path: str) -> str:
    holes = {"{app}": "demo", "{user:path}": "alice", "{token}": "file_0", "{name:path}": "a.png"}
    for hole, value in holes.items():
        path = path.replace(hole, value)
    return path


def test_every_route_of_http_is_tried() -> None:
    app = create_app(Settings(database=":memory:"))
    routes = app._http.routes  # pyright: ignore[reportPrivateUsage]  there is no other list
    assert {route.path for route in routes if isinstance(route, Route)} == HTTP.keys()
    assert len(routes) == len(HTTP)


async def watch_everything(client: RawClient, message: str) -> None:
    await client.ask("SUBSCRIBE", "/me/conversations")
    await client.ask("SUBSCRIBE", "/users", {"ids": ["alice", "bob", "carol"]})
    for endpoint in WATCHES:
        if endpoint.method == "SUBSCRIBE":
            for user in ("alice", "bob", "carol"):
                await ask(client, endpoint, {**IDS, "message": message, "user": user})


# Through a conversation of one's own


class Rooms:
    """Lunch, of Alice and Bob, and a conversation of Eve's own, each with a message."""

    def __init__(self, alice: RawClient, eve: RawClient, theirs: str, mine: str) -> None:
        self.alice, self.eve = alice, eve
        self.theirs, self.mine = theirs, mine

    @property
    def ids(self) -> dict[str, str]:
        """What names their message as if it were in Eve's conversation."""
        return {"conversation": "mine", "message": self.theirs, "emoji": "👍", "user": "eve"}


@pytest.fixture
async def rooms(people: People) -> Rooms:
    alice, _, eve = await people("alice", "bob", "eve")
    await alice.found("lunch", "bob")
    await eve.found("mine")
    theirs, mine = await alice.send("lunch", "a secret"), await eve.send("mine", "my own")
    await alice.do("PUT", f"/conversations/lunch/messages/{theirs}/reactions/👍/alice")
    return Rooms(alice, eve, theirs, mine)


OF_MESSAGES: Final = [
    it for it in table.ALL if "{message}" in it.name and it.kind is not Kind.WATCH
]


@pytest.mark.parametrize("endpoint", OF_MESSAGES, ids=lambda it: it.name)
async def test_a_message_of_others_is_not_there_in_ones_own_conversation(
    rooms: Rooms, endpoint: AnyEndpoint
) -> None:
    theirs = await ask(rooms.eve, endpoint, rooms.ids)
    nothing = await ask(rooms.eve, endpoint, {**rooms.ids, "message": "msg_nobody"})
    assert theirs.status in (403, 404) or theirs.data == {"data": [], "cursor": None}
    assert said_of(theirs, rooms.theirs) == said_of(nothing, "msg_nobody")
    untouched = await rooms.alice.get(f"/me/conversations/lunch/messages/{rooms.theirs}")
    assert untouched["content"] == TEXT
    assert untouched["reactions"]["👍"]["count"] == 1


def said_of(answer: Answer, message: str) -> str:
    return str(answer).replace(message, "...")


async def test_nothing_else_takes_a_message_of_others_either(rooms: Rooms) -> None:
    sent = {"content": TEXT, "referencedMessageId": rooms.theirs}
    reply = await rooms.eve.ask("POST", "/conversations/mine/messages", sent)
    sent["referencedMessageId"] = "msg_nobody"
    to_nobody = await rooms.eve.ask("POST", "/conversations/mine/messages", sent)
    assert reply.status >= 400
    assert said_of(reply, rooms.theirs) == said_of(to_nobody, "msg_nobody")
    asked = {"ids": [rooms.theirs, rooms.mine], "lang": "nl"}
    translated = await rooms.eve.get("/me/conversations/mine/translate", asked)
    assert translated["data"][rooms.theirs] is None
    assert translated["data"][rooms.mine] is not None


async def test_watching_reactions_there_tells_nothing(rooms: Rooms) -> None:
    await ask(rooms.eve, table.WATCH_REACTIONS, rooms.ids)
    await ask(rooms.eve, table.WATCH_MESSAGES, rooms.ids)
    path = f"/conversations/lunch/messages/{rooms.theirs}/reactions/👍"
    await rooms.alice.do("DELETE", f"{path}/alice")
    await rooms.alice.do("PUT", f"{path}/alice")
    await rooms.alice.do("DELETE", f"/conversations/lunch/messages/{rooms.theirs}")
    assert await rooms.eve.settle() == []


async def test_the_cursor_of_somebody_else_leads_nowhere(rooms: Rooms) -> None:
    for number in range(5):
        await rooms.alice.send("lunch", f"secret no {number}")
        await rooms.alice.found(f"secret place {number}")
    lists = {
        "/me/conversations": "/me/conversations",
        "/me/conversations/lunch/messages": "/me/conversations/mine/messages",
        "/me/conversations/lunch/participants": "/me/conversations/mine/participants",
    }
    for theirs, mine in lists.items():
        cursor = (await rooms.alice.get(theirs, {"limit": 1}))["cursor"]
        assert cursor is not None
        for path in (theirs, mine):
            answer = await rooms.eve.ask("GET", path, {"limit": 10, "cursor": cursor})
            assert "secret" not in str(answer)
            assert "lunch" not in str(answer.data)
            assert "alice" not in str(answer.data)


# Over HTTP


async def test_nobody_finds_by_search_what_he_may_not_read(rooms: Rooms, url: str) -> None:
    pages = dict[tuple[str, str], Json]()
    for number in range(3):
        await rooms.alice.send("lunch", f"secret no {number}")
        await rooms.alice.found(f"secret{number}")
        subject = {"subject": f"secret place {number}"}
        await rooms.alice.do("PUT", f"/conversations/secret{number}", subject)
    for what in ("messages", "conversations"):
        for user in ("alice", "eve"):
            headers = {"Authorization": f"Bearer development:{user}"}
            async with httpx2.AsyncClient(base_url=url, headers=headers) as client:
                path = f"/public_api/v1/demo/me/{what}/search"
                first = await client.get(path, params={"searchString": "secret", "limit": 1})
                pages[what, user] = json.loads(first.text)
                if user == "eve":
                    cursor = pages[what, "alice"]["cursor"]
                    more = await client.get(path, params={"cursor": cursor, "limit": 10})
                    assert more.status_code in (200, 400)
                    assert "secret" not in more.text
        assert pages[what, "alice"]["data"], "nothing is proved"
        assert pages[what, "eve"] == {"data": []}


async def test_nobody_sends_a_file_of_somebody_else(rooms: Rooms, url: str) -> None:
    headers = {"Authorization": "Bearer development:alice"}
    async with httpx2.AsyncClient(base_url=url, headers=headers) as client:
        uploaded = await client.post("/public_api/v1/demo/files", files={"file": ("a", b"secret")})
    block = {"type": "file", "fileToken": uploaded.json()["fileToken"]}
    by_eve = await rooms.eve.ask("POST", "/conversations/mine/messages", {"content": [block]})
    block["fileToken"] = "file_nobody"
    of_nobody = await rooms.eve.ask("POST", "/conversations/mine/messages", {"content": [block]})
    assert by_eve == of_nobody
    assert by_eve.code == "FILE_NOT_FOUND"


# Events

# Events that name no conversation, and who may hear them.
OF_USERS: Final = {"user.created", "user.edited", "user.online.changed"}  # whoever watches the user
OF_THE_LINK: Final = {"session.expired", "upstream.restarting"}  # they tell nothing of anybody
OWN: Final = {"side.created", "side.edited", "side.deleted"}  # one's own side alone


def test_every_event_is_about_a_conversation_or_is_open_for_a_reason() -> None:
    events: tuple[Any, ...] = get_args(Event)  # Any: classes
    assert {it.__struct_config__.tag for it in events} == (
        of_conversations() | OF_USERS | OF_THE_LINK
    )


async def test_who_watches_nothing_hears_only_what_concerns_him_alone(people: People) -> None:
    alice, bob = await people("alice", "bob")
    await alice.ask("POST", "/users/carol", {"name": "Carol"})
    await alice.found("lunch", "bob")
    message = await alice.send("lunch", "hi")
    await bob.settle()
    bob.heard.clear()
    for endpoint, user, data in STEPS:
        await ask(alice, endpoint, {**IDS, "message": message, "user": user}, data)
    assert {event["type"] for event in await bob.settle()} == {"side.deleted", "side.created"}


async def test_users_are_told_only_to_who_watches_them(people: People) -> None:
    alice, bob, eve = await people("alice", "bob", "eve")
    await bob.do("SUBSCRIBE", "/users", {"ids": ["carol"]})
    await bob.do("SUBSCRIBE", "/users/carol/online")
    await eve.do("SUBSCRIBE", "/users", {"ids": ["bob"]})
    await eve.do("SUBSCRIBE", "/users/bob/online")
    await alice.do("POST", "/users/carol", {"name": "Carol"})
    await alice.do("PUT", "/users/carol", {"name": "Carola"})
    (carol,) = await people("carol", create=False)
    await carol.settle()
    await bob.event("user.online.changed")
    assert {event["type"] for event in bob.events} == OF_USERS
    assert await eve.settle() == []
    assert await alice.settle() == []


async def test_what_one_has_read_is_ones_own(people: People) -> None:
    """Of others in the conversation nobody learns more than up to where all have read."""
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    message = await alice.send("lunch", "hi")
    for client in (alice, bob):
        await watch_everything(client, message)
        await client.settle()
        client.heard.clear()
    await bob.do("POST", "/me/conversations/lunch/unread")
    await bob.do("POST", "/me/conversations/lunch/read")
    await alice.settle()
    sides = [event["diff"] for event in alice.events if event["type"] in OWN]
    assert sides
    for diff in sides:
        assert diff.get("unreadMessageCount", 0) == 0
        assert not diff.get("isUnread")
    assert any(event["diff"].get("isUnread") for event in bob.events if event["type"] in OWN)


def test_the_story_of_events_is_told_whole() -> None:
    assert len(NOT_CAUSED) == 1, "one more event that no request causes: say who may hear it"


# As somebody else


async def test_nobody_marks_reacts_or_writes_as_somebody_else(people: People) -> None:
    """The actor is whose connection it is; where a path names a user as well, both must agree."""
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    message = await alice.send("lunch", "hi")
    path = f"/conversations/lunch/messages/{message}"
    await bob.do("PUT", f"{path}/reactions/👍/bob")
    for method in ("PUT", "DELETE"):
        assert (await alice.ask(method, f"{path}/reactions/👍/bob")).status == 403
        assert (await alice.ask(method, f"{path}/reactions/❤/bob")).status in (403, 404)
    assert (await bob.ask("PATCH", path, {"content": TEXT})).status == 403
    as_alice = {"content": TEXT, "senderId": "alice", "origin": "rest", "type": "SystemMessage"}
    sent = await bob.do("POST", "/conversations/lunch/messages", as_alice)
    shown = await alice.get(f"/me/conversations/lunch/messages/{sent['id']}")
    assert (shown["senderId"], shown["type"], shown["origin"]) == ("bob", "UserMessage", "web")


async def test_a_key_that_somebody_else_has_used_says_nothing_of_his_message(
    people: People,
) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    first = await alice.send("lunch", "one", idempotencyKey="key")
    assert await alice.send("lunch", "one", idempotencyKey="key") == first
    assert await bob.send("lunch", "two", idempotencyKey="key") != first
