"""How fast clients may ask and connect, with real sockets, and what our client makes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from websockets.exceptions import InvalidStatus

import rtflow
from rtflow.server import Settings, running
from rtflow.testing import Recorder
from tests.server.conftest import People
from tests.server.http.conftest import Login
from tests.server.raw import Answer, RawClient, dial, join

SECRET = SecretStr("a secret of more than thirty-two bytes")


@pytest.fixture
async def login(url: str) -> AsyncIterator[Login]:
    async with AsyncExitStack() as clients:

        def make(user: str) -> httpx2.AsyncClient:
            client = httpx2.AsyncClient(
                base_url=url, headers={"Authorization": f"Bearer development:{user}"}
            )
            clients.push_async_callback(client.aclose)
            return client

        yield make


# Figures


def test_in_development_nothing_is_limited_and_with_a_secret_everything_is() -> None:
    names = (
        "requests",
        "requests_per_user",
        "connections_per_address",
        "new_connections",
        "new_connections_per_address",
    )
    free, strict = Settings().limits, Settings(secret=SECRET).limits
    assert [getattr(free, name) for name in names] == [None] * 5
    assert None not in [getattr(strict, name) for name in names]
    assert strict.requests is not None
    assert (strict.requests.per_second, strict.requests.burst) == (100, 1000)


def test_zero_is_any_number_and_what_is_chosen_counts_in_development_too() -> None:
    chosen = Settings(secret=SECRET, max_requests_per_second=0, max_connections_per_address=0)
    assert chosen.limits.requests is None
    assert chosen.limits.connections_per_address is None
    assert Settings(max_requests_per_second=7).limits.requests is not None


# Requests


async def burst(client: RawClient, times: int) -> list[Answer]:
    asked = [await client.say("GET", "/users", {"ids": ["alice"]}) for _ in range(times)]
    return [await client.answer(seq) for seq in asked]


class TestRequests:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, max_requests_per_second=2)

    async def test_too_many_are_refused_and_the_connection_lives(self, people: People) -> None:
        alice, bob = await people("alice", "bob", create=False)
        answers = await burst(alice, 100)
        assert {answer.status for answer in answers[:20]} == {200}
        assert {answer.status for answer in answers[30:]} == {429}
        assert answers[-1].code == "TOO_MANY_REQUESTS"
        assert (await bob.ask("GET", "/users", {"ids": ["alice"]})).status == 200

        assert (await alice.ask("GET", "/ping")).status == 200
        assert (await alice.renew()).status == 200, "the official client would stay logged out"

        async def ask_until_answered() -> None:
            while (await alice.ask("GET", "/users", {"ids": []})).status != 200:
                pass

        async with asyncio.timeout(5):
            await ask_until_answered()


class TestRequestsOfAUser:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, max_requests_per_second_per_user=2)

    async def test_all_his_connections_count_together_and_http_too(
        self, people: People, login: Login
    ) -> None:
        one, other = await people("alice", "alice", create=False)
        assert {answer.status for answer in await burst(one, 20)} == {200}
        assert 429 in {answer.status for answer in await burst(other, 5)}
        search = "/public_api/v1/demo/me/messages/search?searchString=x"
        refused = await login("alice").get(search)
        assert (refused.status_code, refused.json()["errorCode"]) == (429, "TOO_MANY_REQUESTS")
        assert refused.headers["retry-after"] == "1"
        assert (await login("bob").get(search)).status_code == 200

    async def test_a_new_connection_is_no_new_beginning(self, url: str) -> None:
        async with join(url, "alice", create=False) as alice:
            await burst(alice, 40)
        async with join(url, "alice", create=False) as alice:
            assert {answer.status for answer in await burst(alice, 5)} == {429}


async def test_our_client_asks_again_what_was_too_much() -> None:
    settings = Settings(database=":memory:", port=0, max_requests_per_second=40)
    async with (
        running(settings) as address,
        rtflow.Session(address.url, app_id="demo", user_id="alice") as alice,
    ):
        await alice.current_user.create_if_not_exists(name="Alice")
        lunch = alice.conversation("lunch")
        await lunch.create_if_not_exists()
        async with asyncio.TaskGroup() as tasks:
            for number in range(430):
                tasks.create_task(lunch.send(f"no {number}"))
        said = await lunch.messages.get()
        assert said is not None
        last = [f"no {number}" for number in range(429, 429 - len(said.items), -1)]
        assert [message.plaintext for message in said.items] == last, "they keep their order"
        state = await alice.connection.get()
        assert state.status == "live"


# Connections


async def wait_told(url: str) -> int:
    """Connect; return in how many seconds to come again, 0 when one was let in."""
    try:
        async with dial(url, "alice"):
            return 0
    except InvalidStatus as exc:
        response = exc.response
    return int(response.headers["retry-after"]) if response.status_code == 503 else -1


class TestConnections:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, max_new_connections_per_second=20)

    async def test_too_many_are_told_when_to_come(self, url: str) -> None:
        waits = [await wait_told(url) for _ in range(100)]
        assert waits[:20] == [0] * 20
        told = [wait for wait in waits if wait]
        assert len(told) > 30
        assert told[0] == 1
        assert max(told) > 1, "each is told a time of his own"

    async def test_our_clients_come_when_they_were_told(self, url: str) -> None:
        async with AsyncExitStack() as sessions:
            states = list[Recorder[rtflow.ConnectionState]]()
            for number in range(50):
                session = rtflow.Session(url, app_id="demo", user_id=f"user {number}")
                await sessions.enter_async_context(session)
                states.append(Recorder())
                session.connection.observe().subscribe(states[-1])
                session.user("nobody").observe().subscribe(Recorder())
            for seen in states:
                await seen.until(lambda values: values[-1].status == "live", timeout=15)
        waited = [state for seen in states for state in seen.values if state.status == "waiting"]
        assert waited, "nobody was refused: nothing is proved"
        assert all(state.retry_in is not None and state.retry_in >= 1 for state in waited)
        assert {state.reason for state in waited} == {
            "the server refused the connection with 503 Service Unavailable"
        }


def coming_from(addresses: str) -> dict[str, Any]:  # Any: options of `dial`
    """Be a proxy that says whom it speaks for."""
    return {"additional_headers": {"X-Forwarded-For": addresses}}


class TestAddresses:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            database=":memory:",
            port=0,
            secret=SECRET,
            max_connections_per_address=2,
        )

    async def test_an_address_behind_a_trusted_proxy_has_so_many(self, url: str) -> None:
        crowded, other = coming_from("192.0.2.1"), coming_from("192.0.2.2")
        async with dial(url, "alice", **crowded):
            async with dial(url, "bob", **crowded):
                with pytest.raises(InvalidStatus) as refused:
                    async with dial(url, "carol", **crowded):
                        pass
                assert refused.value.response.status_code == 503
                assert "this address" in (refused.value.response.body or b"").decode()
                async with dial(url, "carol", **other):
                    pass
            async with dial(url, "carol", **crowded):
                pass

    async def test_a_lie_in_front_of_the_proxy_is_not_believed(self, url: str) -> None:
        lies = [f"198.51.100.{number}, 192.0.2.1" for number in range(3)]
        async with AsyncExitStack() as connections:
            for lie in lies[:2]:
                await connections.enter_async_context(dial(url, "alice", **coming_from(lie)))
            with pytest.raises(InvalidStatus):
                async with dial(url, "alice", **coming_from(lies[2])):
                    pass

    async def test_this_machine_has_any_number(self, url: str) -> None:
        async with AsyncExitStack() as connections:
            for _ in range(5):
                await connections.enter_async_context(dial(url, "alice"))


async def test_who_is_no_trusted_proxy_says_nothing_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "203.0.113.9")
    settings = Settings(database=":memory:", port=0, max_connections_per_address=1)
    forged = coming_from("192.0.2.1")
    async with (  # both are of this machine, whatever they say
        running(settings) as address,
        dial(address.url, "alice", **forged),
        dial(address.url, "alice", **forged),
    ):
        pass


# Origins


class TestOrigins:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            database=":memory:", port=0, allowed_origins=frozenset({"https://Shop.example.org"})
        )

    @pytest.mark.parametrize(
        ("origin", "is_let_in"),
        [
            ("https://shop.example.org", True),
            (None, True),
            ("https://evil.example.org", False),
            ("https://shop.example.org.evil.org", False),
            ("https://shop.example.org:8443", False),
            ("http://shop.example.org", False),
            ("null", False),
            ("", False),
        ],
    )
    async def test_only_pages_that_may_can_connect_or_read(
        self, url: str, login: Login, origin: str | None, is_let_in: bool
    ) -> None:
        headers = {} if origin is None else {"Origin": origin}
        if is_let_in:
            async with dial(url, "alice", additional_headers=headers):
                pass
        else:
            with pytest.raises(InvalidStatus) as refused:
                async with dial(url, "alice", additional_headers=headers):
                    pass
            assert refused.value.response.status_code == 403
        answer = await login("alice").get("/api/v0/demo", headers=headers)
        allowed = answer.headers.get("access-control-allow-origin")
        assert allowed == (origin if is_let_in else None)


async def test_by_default_any_page_may_connect(url: str) -> None:
    headers = {"Origin": "https://anywhere.example.org"}
    async with dial(url, "alice", additional_headers=headers):
        pass


@pytest.mark.parametrize(
    "origin", ["shop.example.org", "https://shop.example.org/", "*", "null", "https://"]
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="is not like"):
        Settings(allowed_origins=frozenset({origin}))
