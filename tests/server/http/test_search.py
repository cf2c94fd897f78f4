"""Search over HTTP: who may ask, the form of a page, what is refused, and callers who leave."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from pydantic import SecretStr

from rtflow.server import Settings, mint_token
from rtflow.server.domain import search
from rtflow.server.http import search as pages
from tests.server.conftest import People
from tests.server.http.conftest import Login
from tests.server.http.test_routes import asked_from
from tests.server.raw import SOON, RawClient

HERE = "/public_api/v1/demo/me"
MESSAGES = f"{HERE}/messages/search"
CONVERSATIONS = f"{HERE}/conversations/search"

Json = Any  # of whatever shape


def query(text: str, **more: object) -> dict[str, Any]:
    """The parameters of a first page, encoded once; the HTTP client does it again."""
    return {"searchString": quote(text, safe=""), "conversationFilter": "{}", "limit": 3, **more}


def items(page: str) -> list[Json]:
    """Read a page as the official client does: line by line."""
    first, *lines, last = page.split("\n")
    assert first == '{"data":['
    assert json.loads('{"data":[' + last)["data"] == []
    assert [line.startswith(",") for line in lines] == [number > 0 for number in range(len(lines))]
    return [json.loads(line.removeprefix(",")) for line in lines]


def cursor(page: str) -> str | None:
    end: dict[str, str] = json.loads('{"data":[' + page.rpartition("\n")[2])
    assert end.get("cursor", "") is not None
    return end.get("cursor")


@pytest.fixture
async def alice(people: People) -> RawClient:
    """Alice, who has said something."""
    alice, _ = await people("alice", "bob")
    await alice.found("lunch", "bob")
    await alice.do("PUT", "/conversations/lunch", {"subject": "Lunch é&+"})
    for number in range(5):
        await alice.send("lunch", f"needle é&+% no {number}")
    return alice


# The form


async def test_a_page_is_a_stream_of_lines(alice: RawClient, login: Login) -> None:
    response = await login("bob").get(MESSAGES, params=query("needle"))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    page = response.text
    assert [item["content"][0]["children"][0][-1] for item in items(page)] == ["4", "3", "2"]
    assert {item["conversationId"] for item in items(page)} == {"lunch"}
    raw = await alice.get("/me/conversations/lunch/messages", {"limit": 1})
    assert items(page)[0] == {**raw["data"][0], "conversationId": "lunch"}
    assert json.loads(page)["cursor"] == cursor(page), "together it is one document"
    rest = (await login("bob").get(MESSAGES, params={"cursor": cursor(page), "limit": 10})).text
    assert [item["content"][0]["children"][0][-1] for item in items(rest)] == ["1", "0"]
    assert rest.endswith("\n]}")


async def test_a_page_that_is_exactly_full_is_the_last_one_when_there_is_no_more(
    alice: RawClient, login: Login
) -> None:
    page = (await login("alice").get(MESSAGES, params=query("needle", limit=5))).text
    assert (len(items(page)), cursor(page)) == (5, None)


async def test_nothing_found_is_an_empty_list(alice: RawClient, login: Login) -> None:
    for path in (MESSAGES, CONVERSATIONS):
        for text in ("zzz", "", "!!!"):
            response = await login("alice").get(path, params=query(text))
            assert (response.status_code, response.text) == (200, '{"data":[\n]}')


async def test_the_text_is_encoded_twice(alice: RawClient, login: Login) -> None:
    """As the official client sends it (protocol.md 1.2)."""
    bob = login("bob")
    one = await bob.get(f"{MESSAGES}?searchString=%25C3%25A9%2526%252B%2525%2520no%25203&limit=3")
    assert [item["content"][0]["children"] for item in items(one.text)] == [["needle é&+% no 3"]]
    once = await bob.get(f"{MESSAGES}?searchString=needle%20no%203")
    assert len(items(once.text)) == 1


async def test_conversations_are_found_whole(alice: RawClient, login: Login) -> None:
    page = (await login("bob").get(CONVERSATIONS, params=query("lunch é"))).text
    bob_sees = items(page)[0]
    assert (bob_sees["id"], bob_sees["unreadMessageCount"]) == ("lunch", 5)
    assert cursor(page) is None


async def test_a_filter_narrows_it_down(alice: RawClient, login: Login) -> None:
    await alice.found("dinner")
    await alice.send("dinner", "needle")
    client = login("alice")
    cases: list[tuple[Json, int]] = [
        ({"subject": ["==", "Lunch é&+"]}, 5),
        ({"createdAt": [">=", 0]}, 6),
        ({"createdAt": ["<=", 0]}, 0),
        (["any", []], 0),
        (["any", [{"subject": ["==", None]}, {"subject": ["oneOf", ["x"]]}]], 1),
    ]
    for wanted, found in cases:
        params = query("needle", conversationFilter=json.dumps(wanted), limit=100)
        assert len(items((await client.get(MESSAGES, params=params)).text)) == found, wanted


# Refusals


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "SEARCH_STRING_REQUIRED"),
        (query("x", limit=0), "INVALID_LIMIT"),
        (query("x", limit=101), "INVALID_LIMIT"),
        (query("x", limit="ten"), "INVALID_LIMIT"),
        (query("x", limit="1" * 5000), "INVALID_LIMIT"),
        (query("x" * 1001), "SEARCH_TOO_LONG"),
        ({"searchString": "%ff"}, "INVALID_SEARCH_STRING"),
        (query("x", conversationFilter="{"), "INVALID_FILTER"),
        (query("x", conversationFilter="[" * 5000), "INVALID_FILTER"),
        (query("x", conversationFilter='{"subject":["==",7]}'), "INVALID_FILTER"),
        (query("x", conversationFilter='{"nonsense":1}'), "INVALID_FILTER"),
        (query("x", conversationFilter='"' + "x" * 9000 + '"'), "FILTER_TOO_LARGE"),
        ({"cursor": "tampered"}, "INVALID_CURSOR"),
        ({"cursor": ""}, "INVALID_CURSOR"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    login: Login, params: dict[str, Any], code: str
) -> None:
    for path in (MESSAGES, CONVERSATIONS):
        response = await login("alice").get(path, params=params)
        assert (response.status_code, response.json()["errorCode"]) == (400, code)
        assert response.json()["reasons"]


async def test_a_wrong_filter_is_told_its_place(login: Login) -> None:
    params = query("x", conversationFilter='{"subject":["==",7]}')
    response = await login("alice").get(MESSAGES, params=params)
    assert "$.subject[1]" in response.json()["reasons"][0]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Bearer development:"},
    ],
)
async def test_without_a_token_nothing_is_told(login: Login, headers: dict[str, str]) -> None:
    for path in (MESSAGES, CONVERSATIONS):
        response = await login("").get(path, params=query("x"), headers=headers)
        assert response.status_code == 401
        assert response.json()["errorCode"] in ("TOKEN_REQUIRED", "TOKEN_INVALID")
        assert response.json()["reasons"]


async def test_another_app_is_not_here(login: Login) -> None:
    path = MESSAGES.replace("demo", "other")
    response = await login("alice").get(path, params=query("x"))
    assert (response.status_code, response.json()["errorCode"]) == (404, "UNKNOWN_APP")


async def test_in_development_other_machines_are_refused() -> None:
    assert await asked_from("127.0.0.1", MESSAGES) == 401
    assert await asked_from("10.0.0.1", MESSAGES) == 403


class TestWithASecret:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, secret=SecretStr("x" * 32))

    async def test_a_token_says_who_searches(self, people: People, login: Login) -> None:
        (alice,) = await people("alice", token=mint_token("demo", "alice", "x" * 32))
        await alice.found("lunch")
        await alice.send("lunch", "needle")
        for user, found in (("alice", 1), ("bob", 0)):
            token = mint_token("demo", user, "x" * 32)
            headers = {"authorization": f"bearer {token}"}
            page = await login("").get(MESSAGES, params=query("needle"), headers=headers)
            assert len(items(page.text)) == found
        for token in ("development:alice", mint_token("demo", "alice", "y" * 32)):
            headers = {"Authorization": f"Bearer {token}"}
            refused = await login("").get(MESSAGES, params=query("needle"), headers=headers)
            assert refused.status_code == 401


# Browsers


async def test_a_page_of_another_origin_may_read_what_is_refused(login: Login) -> None:
    headers = {"Origin": "http://localhost:3000"}
    for params, status in ((query("x"), 401), (query("x", limit=0), 401)):
        response = await login("").get(MESSAGES, params=params, headers=headers)
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == "*"
    ok = await login("alice").get(MESSAGES, params=query("x"), headers=headers)
    assert ok.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", MESSAGES), ("GET", CONVERSATIONS), ("POST", HERE[:-3] + "/files")]
)
async def test_browsers_may_ask_with_the_headers_of_the_official_client(
    login: Login, method: str, path: str
) -> None:
    wanted = "authorization,content-type,x-talkjs-client-build,x-talkjs-client-date"
    headers = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": wanted,
    }
    response = await login("").options(path, headers=headers)
    assert response.status_code == 200
    allowed = response.headers["access-control-allow-headers"].lower()
    assert set(wanted.split(",")) <= {name.strip() for name in allowed.split(",")}
    assert method in response.headers["access-control-allow-methods"]


# A search that does not end


@asynccontextmanager
async def asked(url: str, path: str, user: str) -> AsyncGenerator[None]:
    """Ask, do not wait for an answer, and leave."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer development:{user}\r\n\r\n"
    writer.write(request.encode())
    try:
        yield
        assert not reader.at_eof()
    finally:
        writer.close()
        await writer.wait_closed()


async def until_busy(client: httpx2.AsyncClient) -> httpx2.Response:
    """Ask until the other search has begun."""
    async with asyncio.timeout(SOON):
        while (response := await client.get(CONVERSATIONS, params=query("x"))).status_code == 200:
            pass
    assert response.status_code == 429
    return response


class TestALongSearch:
    @pytest.fixture
    def settings(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
        monkeypatch.setattr(search, "FEW", 0)
        monkeypatch.setattr(search, "SPAN", 1)
        return Settings(database=str(tmp_path / "chat.db"), port=0, max_searches_per_user=1)

    @pytest.fixture
    async def endless(self, people: People, settings: Settings) -> None:
        """A message at the end of an index so long that nobody lives to see its beginning."""
        (alice,) = await people("alice")
        await alice.found("lunch")
        await alice.send("lunch", "needle")
        shell = sqlite3.connect(settings.database)
        shell.execute("UPDATE searchable_messages SET position = 1000000000")
        shell.execute("INSERT INTO message_words (rowid, words) VALUES (1000000000, 'needle')")
        shell.commit()
        shell.close()

    async def test_it_ends_when_the_caller_leaves(
        self, endless: None, url: str, login: Login
    ) -> None:
        async with asked(url, f"{MESSAGES}?searchString=other", "alice"):
            await until_busy(login("alice"))
        staying = login("alice")
        async with asyncio.timeout(SOON):
            while (await staying.get(CONVERSATIONS, params=query("x"))).status_code == 429:
                pass  # the server has not noticed

    async def test_another_one_of_the_same_user_is_refused_meanwhile(
        self, endless: None, url: str, login: Login
    ) -> None:
        async with asked(url, f"{MESSAGES}?searchString=other", "alice"):
            second = await until_busy(login("alice"))
            assert second.json()["errorCode"] == "TOO_MANY_AT_ONCE"
            third = await login("bob").get(CONVERSATIONS, params=query("x"))
            assert third.status_code == 200

    async def test_after_a_while_its_page_ends_where_it_has_come_to(
        self, endless: None, login: Login, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pages, "BUDGET", 0.0)
        response = await login("alice").get(MESSAGES, params=query("other"))
        assert items(response.text) == []
        first = cursor(response.text)
        response = await login("alice").get(MESSAGES, params={"cursor": first})
        assert cursor(response.text) not in (None, first)

    async def test_what_is_found_is_told_at_once_and_half_a_page_is_no_page(
        self, endless: None, login: Login, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with login("alice").stream("GET", MESSAGES, params=query("needle")) as page:
            lines = page.aiter_lines()
            assert await anext(lines) == '{"data":['
            assert json.loads(await anext(lines))["conversationId"] == "lunch"
            destroy(settings.database)
            with pytest.raises(httpx2.RemoteProtocolError):
                await anext(lines)
        assert "a query failed" in caplog.text


def destroy(database: str) -> None:
    """Let no search go on."""
    shell = sqlite3.connect(database)
    shell.execute("DROP TABLE message_words")
    shell.close()
