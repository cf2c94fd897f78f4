"""The HTTP half: the app, tokens for development, health; every refusal in the form of ours."""

import asyncio
from collections.abc import AsyncGenerator

import httpx2
import pytest
from pydantic import SecretStr
from starlette.types import Message

from rtflow.server import Settings, create_app
from tests.server.raw import dial

APP = "/api/v0/demo"


@pytest.fixture
async def http(url: str) -> AsyncGenerator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url) as client:
        yield client


async def test_an_app_exists_or_does_not(http: httpx2.AsyncClient) -> None:
    assert (await http.get(APP)).json() == {}
    missing = await http.get("/api/v0/other")
    assert (missing.status_code, missing.json()["errorCode"]) == (404, "UNKNOWN_APP")


async def test_in_development_a_token_is_for_the_asking(http: httpx2.AsyncClient, url: str) -> None:
    boken = (await http.get(f"{APP}/bokens/we%2Fird", params={"signature": ""})).json()["boken"]
    async with dial(url, "we/ird") as weird:
        assert (await weird.renew(boken)).status == 200
    other = await http.get("/api/v0/other/bokens/alice")
    assert (other.status_code, other.json()["errorCode"]) == (404, "UNKNOWN_APP")


@pytest.mark.parametrize("user", ["", "x" * 256, "%ff"])
async def test_a_token_is_for_somebody(http: httpx2.AsyncClient, user: str) -> None:
    response = await http.get(f"{APP}/bokens/{user}")
    assert (response.status_code, response.json()["errorCode"]) == (400, "INVALID_ID")


async def test_health_says_that_all_is_well_and_nothing_of_what_is_stored(
    http: httpx2.AsyncClient,
) -> None:
    response = await http.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_strangers_who_ask_for_health_do_not_keep_the_disk_busy(
    http: httpx2.AsyncClient,
) -> None:
    before = await commits(http)
    for _ in range(5):
        answers = await asyncio.gather(*(http.get("/healthz") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
    assert await commits(http) - before <= 3, "one for each second that this may take"


async def commits(http: httpx2.AsyncClient) -> int:
    told = (await http.get("/metrics")).text
    (line,) = (it for it in told.splitlines() if it.startswith("rtflow_commit_seconds_count "))
    return round(float(line.split()[1]))


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "UNKNOWN_PATH"),
        ("GET", "/api/v0/demo/", 404, "UNKNOWN_PATH"),
        ("GET", "/public_api/v1/demo/realtime/alice", 404, "UNKNOWN_PATH"),
        ("POST", APP, 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_what_is_not_there_is_refused_as_json(
    http: httpx2.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    response = await http.request(method, path)
    assert (response.status_code, response.json()["errorCode"]) == (status, code)
    assert response.json()["reasons"]


async def test_browsers_may_ask_from_any_page(http: httpx2.AsyncClient) -> None:
    wanted = "authorization,content-type,x-talkjs-client-build,x-talkjs-client-date"
    headers = {
        "Origin": "http://localhost:3000",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": wanted,
    }
    response = await http.options(f"{APP}/bokens/alice", headers=headers)
    assert response.status_code == 200
    allowed = response.headers["access-control-allow-headers"].lower()
    assert set(wanted.split(",")) <= {name.strip() for name in allowed.split(",")}
    plain = await http.get(APP, headers={"Origin": "http://localhost:3000"})
    assert plain.headers["access-control-allow-origin"] == "*"


class TestWithASecret:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, secret=SecretStr("x" * 32))

    async def test_no_token_is_given_away(self, http: httpx2.AsyncClient) -> None:
        response = await http.get(f"{APP}/bokens/alice")
        assert (response.status_code, response.json()["errorCode"]) == (401, "TOKEN_REQUIRED")


async def asked_from(client: str, path: str) -> int:
    """The status of a GET as the application sees it from an address."""
    app, sent = create_app(Settings(database=":memory:")), list[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope: dict[str, object] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "client": (client, 5),
    }
    async with app.lifespan():
        await app(scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("client", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("testclient", 200), ("10.0.0.1", 403), ("fe80::1", 403)],
)
async def test_in_development_other_machines_are_refused(client: str, status: int) -> None:
    """However it is hosted: its settings cannot know what address another host listens on."""
    assert await asked_from(client, APP) == status
    assert await asked_from(client, f"{APP}/bokens/alice") == status
