"""What a client sends wrongly is answered with its code; it goes on, and others notice nothing."""

import json

import pytest
from websockets.exceptions import InvalidStatus

from rtflow.wire.codec import MAX_FRAME
from tests.server.conftest import People
from tests.server.raw import Json, RawClient, dial, join

LONG = "x" * 256
TEXT = {"content": [{"type": "text", "children": ["hi"]}]}

REFUSED: list[tuple[str, str, Json, int, str]] = [
    ("POST", "/users/", {"name": "N"}, 400, "INVALID_ID"),
    ("POST", f"/users/{LONG}", {"name": "N"}, 400, "INVALID_ID"),
    ("POST", "/users/%ff", {"name": "N"}, 400, "INVALID_PATH"),
    ("POST", "/users/new", {}, 400, "INVALID_PARAMETERS"),
    ("POST", "/users/new", {"name": 7}, 400, "INVALID_PARAMETERS"),
    ("POST", "/users/new", {"name": ""}, 400, "INVALID_PARAMETERS"),
    ("POST", "/users/new", [], 400, "INVALID_PARAMETERS"),
    ("POST", "/users/new", {"name": "N", "custom": {"k": 1}}, 400, "INVALID_PARAMETERS"),
    ("GET", "/users", {"ids": "alice"}, 400, "INVALID_PARAMETERS"),
    ("GET", "/users", {"ids": [""]}, 400, "INVALID_PARAMETERS"),
    ("GET", "/users", {"ids": [LONG]}, 400, "INVALID_PARAMETERS"),
    ("GET", "/users", {"ids": [7]}, 400, "INVALID_PARAMETERS"),
    ("SUBSCRIBE", "/users", {"ids": [None]}, 400, "INVALID_PARAMETERS"),
    (
        "POST",
        "/conversations/c/participants",
        {"actions": [{"id": "b"}]},
        400,
        "INVALID_PARAMETERS",
    ),
    ("POST", "/conversations/c/messages", {"content": []}, 400, "INVALID_PARAMETERS"),
    ("GET", "/me/conversations", {"limit": 0}, 400, "INVALID_PARAMETERS"),
    ("GET", "/me/conversations", {"filter": {"colour": ["==", "red"]}}, 400, "INVALID_PARAMETERS"),
    ("GET", "/me/conversations", {"cursor": "nonsense"}, 400, "INVALID_CURSOR"),
    ("GET", "/nowhere", {}, 404, "UNKNOWN_PATH"),
    ("GET", "/users/alice/friends", {}, 404, "UNKNOWN_PATH"),
    ("DELETE", "/users/alice", {}, 405, "METHOD_NOT_ALLOWED"),
    ("SHOUT", "/users", {}, 405, "METHOD_NOT_ALLOWED"),
    ("GET", "/me/conversations/nowhere", {}, 404, "CONVERSATION_NOT_FOUND"),
    ("POST", "/conversations/nowhere/messages", TEXT, 404, "CONVERSATION_NOT_FOUND"),
]


@pytest.mark.parametrize(("method", "path", "data", "status", "code"), REFUSED)
async def test_a_wrong_request_is_refused_with_its_code(
    people: People, method: str, path: str, data: Json, status: int, code: str
) -> None:
    alice, bob = await people("alice", "bob")
    await bob.do("SUBSCRIBE", "/users", {"ids": ["alice", "new"]})
    answer = await alice.ask(method, path, data)
    assert (answer.status, answer.code) == (status, code)
    assert all(isinstance(reason, str) and reason for reason in answer.data["reasons"])
    await alice_goes_on_and_bob_has_not_noticed(alice, bob)


UNREADABLE: list[tuple[str | bytes, int]] = [
    ("hello", -1),
    ("", -1),
    ("{}", -1),
    ("[]", -1),
    ("[1]", -1),
    ('[1, "GET", "/ping", {}, {}]x', -1),
    ('["7", "GET", "/ping", {}, {}]', -1),
    ('[-1, "GET", "/ping", {}, {}]', -1),
    ('[1e999, "GET", "/ping", {}, {}]', -1),
    (f'[{2**70}, "GET", "/ping", {{}}, {{}}]', -1),
    ('[70, 7, "/ping", {}, {}]', 70),
    ('[71, "GET", 7, {}, {}]', 71),
    ('[72, "GET"]', 72),
    ('[73, "POST", "/users/u", ' + "[" * 100_000 + "]" * 100_000 + ", {}]", -1),
    (b'[1, "GET", "/ping", {}, {}]', -1),
    (b"\x00\xff", -1),
]


@pytest.mark.parametrize(("message", "seq"), UNREADABLE, ids=range(len(UNREADABLE)))
async def test_a_frame_that_cannot_be_read_is_answered(
    people: People, message: str | bytes, seq: int
) -> None:
    alice, bob = await people("alice", "bob")
    await bob.do("SUBSCRIBE", "/users", {"ids": ["alice", "new"]})
    await alice.say_raw(message)
    answer = await alice.answer(seq)
    assert answer.status == 400
    assert answer.code in ("INVALID_FRAME", "INVALID_PARAMETERS")
    await alice_goes_on_and_bob_has_not_noticed(alice, bob)


async def alice_goes_on_and_bob_has_not_noticed(alice: RawClient, bob: RawClient) -> None:
    assert await bob.settle() == []
    assert "alice" in await alice.get("/users", {"ids": ["alice"]})


async def test_an_acknowledgement_is_taken_without_an_answer(people: People) -> None:
    (alice,) = await people("alice")
    await alice.say_raw('[1, "ACK"]')
    await alice.settle()
    assert len(alice.heard) == 1


async def test_what_is_unknown_beside_the_parameters_is_ignored(people: People) -> None:
    (alice,) = await people("alice")
    await alice.do("PUT", "/users/alice", {"name": "Ada", "shoeSize": 43})
    await alice.say_raw('[50, "GET", "/users", {"ids": ["alice"], "more": 1}, {"h": 1}, "more"]')
    assert (await alice.answer(50)).data["alice"]["name"] == "Ada"


async def test_a_frame_over_the_limit_ends_its_own_connection_only(people: People) -> None:
    alice, bob = await people("alice", "bob")
    await alice.say_raw(json.dumps([1, "GET", "/ping", {"x": "y" * MAX_FRAME}]))
    assert (await alice.closed())[0] == 1009
    await bob.settle()


async def test_only_ping_and_renew_are_answered_before_a_token_is_shown(url: str) -> None:
    async with dial(url, "alice") as alice:
        for method, path in [("GET", "/users"), ("SUBSCRIBE", "/me/conversations")]:
            answer = await alice.ask(method, path, {"ids": ["alice"]})
            assert (answer.status, answer.code) == (401, "NOT_AUTHENTICATED")
        assert await alice.ask("GET", "/ping") == (200, {})
        assert await alice.renew() == (200, {"expiresInSeconds": None, "acks": False})
        assert await alice.get("/users", {"ids": ["alice"]}) == {}


@pytest.mark.parametrize(
    ("user", "app", "status"),
    [
        ("alice", "other", 404),
        ("", "demo", 400),
        (LONG, "demo", 400),
    ],
)
async def test_a_handshake_for_nobody_is_refused(
    url: str, user: str, app: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with dial(url, user, app):
            pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["reasons"]
    assert not caplog.records, "a scanner could fill the log"


async def test_a_websocket_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with dial(f"{url}/elsewhere", "alice"):
            pass
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("user", ["a/b", "we ird/é?#%", "ü" * 255, "."])
async def test_an_id_may_hold_anything(url: str, user: str) -> None:
    async with join(url, user) as somebody:
        assert list(await somebody.get("/users", {"ids": [user]})) == [user]
