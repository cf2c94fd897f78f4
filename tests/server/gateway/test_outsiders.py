"""Who is not in a conversation learns nothing of it: from no request of the table, from no event.

There are two of them: one has never been in it, one has left. Requests and events are computed from
the vocabulary, so new ones are covered by themselves, or these tests fail.

Not here: who has shown no token, and other ways in (test_strangers.py).
"""

import json
import re
from itertools import product
from typing import Any, Final, get_args

import pytest
from msgspec import Struct

from rtflow.model import params
from rtflow.model.events import Event
from rtflow.wire import endpoints as table
from rtflow.wire.endpoints import AnyEndpoint, Kind
from tests.server.conftest import People
from tests.server.raw import Answer, Json, RawClient

NOT_CAUSED: Final = {"conversation.cleared"}  # there is no request that clears

# These can tell that an id is taken: it cannot be avoided
BY_ID: Final = {table.CREATE_CONVERSATION, table.SET_CONVERSATION, table.PARTICIPANTS}

THEIRS: Final = tuple(it for it in table.ALL if "{conversation}" in it.name)
REQUESTS: Final = tuple(it for it in THEIRS if it.kind is not Kind.WATCH)
WATCHES: Final = tuple(it for it in THEIRS if it.kind is Kind.WATCH)
OUTSIDERS: Final = ("eve", "dave")  # never in it; no longer in it

HOLE: Final = re.compile(r"\{(\w+)\}")
TEXT: Final = [{"type": "text", "children": ["a secret"]}]
GIVEN: Final[dict[type[Struct], Json]] = {  # to each kind of parameters, some that are valid
    params.Empty: {},
    params.Renew: {"token": "anything"},
    params.UserIds: {"ids": ["{user}"]},
    params.CreateUser: {"name": "Mallory"},
    params.SetUser: {"name": "Mallory"},
    params.ConversationPage: {"limit": 10},
    params.ValidateFile: {"filename": "a.png", "size": 7},
    params.ConversationParams: {"subject": "mine"},
    params.GetConversation: {"expand": ["lastMessage"]},
    params.ListPage: {"limit": 10},
    params.MarkParams: {},
    params.SendMessage: {"content": TEXT},
    params.EditMessage: {"content": TEXT},
    params.Translate: {"ids": ["{message}"], "lang": "nl"},
    params.ParticipantActions: {
        "actions": [
            {"id": user, "method": method, "params": {"notify": False}}
            for user, method in product(("{user}", "alice", "nobody"), ("POST", "PUT", "PATCH"))
        ]
    },
}


Ids = dict[str, str]  # by the name of the hole


async def ask(client: RawClient, endpoint: AnyEndpoint, ids: Ids, data: Json = None) -> Answer:
    """Ask with these ids in the holes of the path, and with something valid."""
    path = endpoint.path(*[ids[name] for name in HOLE.findall(endpoint.name)])
    if data is None:
        given = json.dumps(GIVEN[endpoint.params])
        data = json.loads(HOLE.sub(lambda hole: ids[hole[1]], given))
    return await client.ask(endpoint.method, path, data)


class Place:
    """A conversation of Alice and Bob with a message, and somebody who is not in it."""

    def __init__(self, alice: RawClient, bob: RawClient, outsider: RawClient, message: str) -> None:
        self.alice, self.bob, self.outsider = alice, bob, outsider
        self.ids = {"conversation": "lunch", "message": message, "emoji": "👍"}


@pytest.fixture(params=OUTSIDERS)
async def place(request: pytest.FixtureRequest, people: People) -> Place:
    alice, bob, outsider = await people("alice", "bob", request.param)
    await alice.ask("POST", "/users/carol", {"name": "Carol"})
    await alice.found("lunch", "bob", *({request.param} & {"dave"}))
    message = await alice.send("lunch", "a secret")
    if request.param == "dave":
        await outsider.do("DELETE", "/conversations/lunch/participants/dave")
        await outsider.event("side.deleted")
    await outsider.settle()
    outsider.heard.clear()
    return Place(alice, bob, outsider, message)


@pytest.mark.parametrize("endpoint", REQUESTS, ids=lambda it: it.name)
async def test_no_request_tells_an_outsider_anything(place: Place, endpoint: AnyEndpoint) -> None:
    refused = Answer(0, None)
    for user in ("alice", place.outsider.user):
        ids = {**place.ids, "user": user}
        refused = await ask(place.outsider, endpoint, ids)
        if endpoint is table.PARTICIPANTS:
            assert {it["errorCode"] for it in refused.data["responses"]} == {"NOT_A_PARTICIPANT"}
            assert all(it["status"] == 403 for it in refused.data["responses"])
        elif endpoint in BY_ID:
            assert (refused.status, refused.code) == (403, "NOT_A_PARTICIPANT")
        else:
            assert refused.status in (403, 404)
            nowhere = await ask(place.outsider, endpoint, {**ids, "conversation": "nowhere"})
            assert nowhere == refused, "an outsider can tell that it exists"
        assert "secret" not in str(refused)
    inside = await ask(place.alice, endpoint, {**place.ids, "user": "alice"})
    assert inside != refused, "nothing is proved: who is in it is refused as well"
    assert await place.outsider.get("/me/conversations") == {"data": [], "cursor": None}


@pytest.mark.parametrize("endpoint", WATCHES, ids=lambda it: it.name)
async def test_watching_tells_an_outsider_nothing(place: Place, endpoint: AnyEndpoint) -> None:
    for room, user in product(("lunch", "nowhere"), ("alice", place.outsider.user)):
        answer = await ask(
            place.outsider, endpoint, {**place.ids, "conversation": room, "user": user}
        )
        assert answer == Answer(200, {})


# Events

STEPS: Final[list[tuple[AnyEndpoint, str, Json]]] = [  # whose, of which user, with what
    (table.SET_CONVERSATION, "alice", {"subject": "secret"}),
    (table.PARTICIPANTS, "alice", {"actions": [{"id": "carol", "method": "POST"}]}),
    (
        table.PARTICIPANTS,
        "alice",
        {"actions": [{"id": "carol", "method": "PATCH", "params": {"access": "Read"}}]},
    ),
    (table.DELETE_PARTICIPANT, "carol", {}),
    (table.MARK_TYPING, "alice", {}),
    (table.SEND_MESSAGE, "alice", {"content": TEXT}),
    (table.ADD_REACTION, "alice", {}),
    (table.REMOVE_REACTION, "alice", {}),
    (table.EDIT_MESSAGE, "alice", {"content": TEXT}),
    (table.MARK_READ, "alice", {}),
    (table.MARK_UNREAD, "alice", {}),
    (table.DELETE_MESSAGE, "alice", {}),
    (table.DELETE_PARTICIPANT, "bob", {}),
    (table.PARTICIPANTS, "alice", {"actions": [{"id": "bob", "method": "PUT"}]}),
]


def of_conversations() -> set[str]:
    """Return the types of all events that name a conversation."""
    events: tuple[Any, ...] = get_args(Event)  # Any: classes
    return {it.__struct_config__.tag for it in events if "conversation_id" in it.__struct_fields__}


async def test_no_event_reaches_an_outsider(place: Place) -> None:
    for client in (place.bob, place.outsider):
        await client.do("SUBSCRIBE", "/me/conversations")
        for endpoint, user in product(WATCHES, ("alice", "bob", "carol", client.user)):
            if endpoint.method == "SUBSCRIBE":
                assert (await ask(client, endpoint, {**place.ids, "user": user})).status == 200
        await client.settle()
        client.heard.clear()
    for endpoint, user, data in STEPS:
        done = await ask(place.alice, endpoint, {**place.ids, "user": user}, data)
        assert done.status == 200, (endpoint, done)
    heard = {event["type"] for event in await place.bob.settle()}
    assert heard == of_conversations() - NOT_CAUSED, "the story does not cause all events"
    assert await place.outsider.settle() == []
    assert "secret" not in str(place.outsider.heard)
