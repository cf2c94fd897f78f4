"""Metrics: things are done over real connections, and the series move with them."""

import asyncio
import logging
import re
import socket
from collections.abc import AsyncGenerator

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr, ValidationError
from websockets.exceptions import ConnectionClosed, InvalidStatus

from rtflow.server import Settings, create_app, running
from rtflow.server.auth import mint_token
from rtflow.server.metrics import SERIES
from rtflow.testing import until
from tests.server.conftest import People
from tests.server.raw import SOON, dial, join
from tests.server.scrape import Metrics, scrape

TOKEN = "the-token-of-the-scraper"
SECRET = "s" * 32
TEXT = {"content": [{"type": "text", "children": ["hi"]}]}


@pytest.fixture
async def http(url: str) -> AsyncGenerator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url) as client:
        yield client


async def test_connections_users_and_subscriptions_are_what_they_are_now(
    url: str, people: People
) -> None:
    alice, again, _ = await people("alice", "alice", "bob")
    async with dial(url, "carol") as carol:
        await carol.ask("GET", "/ping")
        await alice.do("SUBSCRIBE", "/users", {"ids": ["bob", "carol"]})
        await again.do("SUBSCRIBE", "/users", {"ids": ["bob"]})
        it = await scrape(url)
    assert it("rtflow_connections") == 4
    assert it("rtflow_authenticated_connections") == 3
    assert it("rtflow_users") == 2
    assert it("rtflow_subscriptions") == 3
    assert it("rtflow_connections_accepted_total") == 4
    await until(lambda: _says(url, "rtflow_connections", 3))


async def _says(url: str, name: str, value: float, **labels: str) -> bool:
    return (await scrape(url))(name, **labels) == value


async def test_requests_are_counted_by_template_and_status_and_timed_by_kind(
    url: str, people: People
) -> None:
    (alice,) = await people("alice")
    await alice.found("lunch")
    before = await scrape(url)
    for _ in range(3):
        await alice.send("lunch", "hi")
    assert (await alice.ask("POST", "/conversations/other/messages", TEXT)).status == 404
    assert (await alice.ask("GET", "/nowhere")).status == 404
    await alice.say_raw("not JSON")
    await alice.settle()
    it = await scrape(url)
    send = "POST /conversations/{conversation}/messages"
    assert it("rtflow_requests_total", request=send, status="200") == 3
    assert it("rtflow_requests_total", request=send, status="404") == 1
    assert it("rtflow_requests_total", request="unreadable", status="404") == 1
    assert it("rtflow_requests_total", request="unreadable", status="400") == 1
    assert _timed(it, "write") - _timed(before, "write") == 4
    assert it("rtflow_request_seconds_sum", kind="write") > 0
    assert it("rtflow_requests_under_way") == 0


def _timed(it: Metrics, kind: str) -> float:
    return it("rtflow_request_seconds_count", kind=kind)


async def test_a_request_that_is_refused_before_it_is_carried_out_counts_as_that_request(
    url: str,
) -> None:
    async with dial(url, "alice") as stranger:
        assert (await stranger.ask("GET", "/users", {"ids": ["bob"]})).status == 401
        it = await scrape(url)
    assert it("rtflow_requests_total", request="GET /users", status="401") == 1


async def test_no_label_is_made_of_what_a_client_chooses(
    url: str, http: httpx2.AsyncClient, people: People
) -> None:
    (alice,) = await people("alice-the-first")
    await alice.ask("GET", "/users/somebody-special")
    await alice.ask("BREW", "/coffee-pot")
    await http.request("MKCOL", "/tea-pot")
    await http.get("/api/v0/special-app")
    text = (await http.get("/metrics")).text
    assert 'request="GET /api/v0/{app}",status="404"' in text
    assert 'request="OTHER elsewhere",status="404"' in text
    found = re.search("special|alice|BREW|MKCOL|pot", text)
    assert found is None


async def test_events_frames_and_bytes_are_counted_for_each_connection(
    url: str, people: People
) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    for client in (alice, bob):
        await client.do("SUBSCRIBE", "/me/conversations/lunch/messages")
    before = await scrape(url)
    await alice.send("lunch", "hi")
    await bob.event("message.created")
    it = await scrape(url)
    assert it("rtflow_events_delivered_total") - before("rtflow_events_delivered_total") == 2
    assert it("rtflow_frames_received_total") - before("rtflow_frames_received_total") == 1
    assert it("rtflow_frames_sent_total") - before("rtflow_frames_sent_total") == 3
    assert it("rtflow_sent_bytes_total") - before("rtflow_sent_bytes_total") > 500
    assert it("rtflow_outbox_bytes") == it("rtflow_outbox_bytes_most") == 0


async def test_changes_that_are_told_as_one_are_counted(url: str, people: People) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    await bob.do("SUBSCRIBE", "/me/conversations/lunch")
    sent = [await alice.say("POST", "/conversations/lunch/messages", TEXT) for _ in range(50)]
    for seq in sent:
        await alice.answer(seq)
    await bob.settle()
    told = sum(event["type"] == "side.edited" for event in bob.events)
    it = await scrape(url)
    assert it("rtflow_events_conflated_total") == 50 - told


async def test_commits_groups_and_lag_are_those_of_the_store(url: str, people: People) -> None:
    (alice,) = await people("alice")
    await alice.found("lunch")
    before = await scrape(url)
    sent = [await alice.say("POST", "/conversations/lunch/messages", TEXT) for _ in range(20)]
    for seq in sent:
        await alice.answer(seq)
    it = await scrape(url)
    assert it("rtflow_log_number") - before("rtflow_log_number") == 20
    commits = it("rtflow_commit_seconds_count") - before("rtflow_commit_seconds_count")
    assert 1 <= commits <= 20
    grouped = it("rtflow_group_commands_sum") - before("rtflow_group_commands_sum")
    assert grouped == 20
    lags = it("rtflow_delivery_lag_seconds_count") - before("rtflow_delivery_lag_seconds_count")
    assert lags == commits
    assert 0 < it("rtflow_delivery_lag_seconds_sum") < SOON
    assert it("rtflow_store_queue") == it("rtflow_changes_behind") == 0


async def test_refused_handshakes_are_counted_by_code(url: str) -> None:
    for _ in range(2):
        with pytest.raises(InvalidStatus):
            async with dial(url, "alice", app="other"):
                pass
    it = await scrape(url)
    assert it("rtflow_handshakes_refused_total", code="UNKNOWN_APP") == 2
    assert it("rtflow_connections_accepted_total") == 0


TOO_MANY = [
    ({"max_connections_per_user": 1}, "TOO_MANY_CONNECTIONS"),
    ({"max_connections_per_address": 1}, "TOO_MANY_CONNECTIONS_OF_ADDRESS"),
    ({"max_new_connections_per_second_per_address": 0.1}, "TOO_MANY_NEW_CONNECTIONS"),
    ({"max_new_connections_per_second": 0.1}, "TOO_BUSY"),
]


@pytest.mark.parametrize(("limit", "code"), TOO_MANY)
async def test_each_way_to_be_too_many_has_a_code_of_its_own_in_metrics_and_log(
    limit: dict[str, float], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    given = {"database": ":memory:", "port": 0, "secret": SECRET, **limit}
    proxy = {"X-Forwarded-For": "192.0.2.1"}
    with caplog.at_level(logging.DEBUG, "rtflow.server"):
        async with running(Settings.model_validate(given)) as address:
            url, token = address.url, mint_token("demo", "alice", SECRET)
            async with join(url, "alice", token, additional_headers=proxy):
                with pytest.raises(InvalidStatus):
                    async with dial(url, "alice", additional_headers=proxy):
                        pass
            it = await scrape(url)
    assert it("rtflow_handshakes_refused_total", code=code) == 1
    assert f"refused a handshake from 192.0.2.1: {code}" in caplog.text


async def test_searches_and_uploads_are_counted(url: str, http: httpx2.AsyncClient) -> None:
    bearer = {"Authorization": "Bearer development:alice"}
    path = "/public_api/v1/demo/me/messages/search"
    found = await http.get(path, params={"searchString": "x"}, headers=bearer)
    assert found.status_code == 200
    form = {"file": ("a.txt", b"12345", "text/plain")}
    sent = await http.post("/public_api/v1/demo/files", files=form, headers=bearer)
    assert sent.status_code == 200, sent.text
    it = await scrape(url)
    searched = "GET /public_api/v1/{app}/me/messages/search"
    assert it("rtflow_requests_total", request=searched, status="200") == 1
    assert it("rtflow_turns_total", what="search") == it("rtflow_turns_total", what="upload") == 1
    assert it("rtflow_turns_taken", what="search") == 0
    assert it("rtflow_uploaded_bytes_total") == 5
    assert it("rtflow_request_seconds_count", kind="http") >= 2


async def test_clients_that_come_back_are_counted(url: str, people: People) -> None:
    (bob,) = await people("bob")
    async with join(url, "alice", client="1") as alice:
        await bob.found("lunch", "alice")
        await alice.do("SUBSCRIBE", "/me/conversations/lunch")
    await bob.send("lunch", "hi")
    async with join(url, "alice", client="1") as alice:
        await alice.do("SUBSCRIBE", "/me/conversations/lunch")
        await alice.event("side.edited")
        it = await scrape(url)
    assert it("rtflow_clients_returned_total") == 1
    assert it("rtflow_resumed_total", how="replayed") == 1


class TestClientsThatAreCutOff:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            database=":memory:",
            port=0,
            authentication_timeout=1,
            silence_timeout=0.3,
        )

    async def test_one_that_shows_no_token(self, url: str) -> None:
        async with dial(url, "alice") as alice:
            assert (await alice.closed())[0] == 1008
        reason = "no valid token was shown in time"
        assert (await scrape(url))("rtflow_connections_closed_total", reason=reason) == 1

    async def test_one_that_has_gone_without_a_word(self, url: str) -> None:
        head = (
            "GET /public_api/v1/demo/realtime/alice HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        )
        key = "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(f"{head}{key}Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        renew = b'[0,"POST","/session/renew",{"token":""},{}]'
        mask = bytes(4)
        writer.write(bytes((0x81, 0x80 | len(renew))) + mask + renew)
        reason = "nothing was heard for too long"
        await until(lambda: _says(url, "rtflow_connections_closed_total", 1, reason=reason))
        writer.close()


class TestAClientThatDoesNotRead:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, max_outbox_bytes=64 * 1024)

    async def test_it_costs_no_more_than_it_may(self, url: str, people: People) -> None:
        (alice,) = await people("alice")
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.connect(("127.0.0.1", int(url.rpartition(":")[2])))
        small.setblocking(False)
        most = 0.0
        reason = "too much was left unread"
        async with join(url, "bob", sock=small, max_queue=1) as bob:
            await alice.found("lunch", "bob")
            await bob.do("SUBSCRIBE", "/me/conversations/lunch/messages")
            async with asyncio.timeout(4 * SOON):
                while not (it := await scrape(url))(
                    "rtflow_connections_closed_total", reason=reason
                ):
                    most = max(most, it("rtflow_outbox_bytes_most"))
                    await alice.send("lunch", "x" * 10_000)
            with pytest.raises(ConnectionClosed):
                await bob.answer(-1)
        assert 0 < most <= 4 * 64 * 1024 + 11_000
        assert it("rtflow_connections_closed_total", reason=reason) == 1
        assert it("rtflow_outbox_bytes") == 0


# Who may read them


async def test_from_here_anybody_may_read_them_but_no_web_page_and_no_proxy(
    http: httpx2.AsyncClient,
) -> None:
    assert (await http.get("/metrics")).status_code == 200
    for name in ("Origin", "X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
        refused = await http.get("/metrics", headers={name: "http://127.0.0.1"})
        assert (refused.status_code, refused.json()["errorCode"]) == (403, "METRICS_ARE_LOCAL")


async def test_from_elsewhere_nobody_may_without_a_token() -> None:
    app = create_app(Settings(database=":memory:", secret=SecretStr("s" * 32), host="0.0.0.0"))
    async with app.lifespan():
        for address, status in (("192.0.2.1", 403), ("127.0.0.1", 200), ("::1", 200)):
            transport = httpx2.ASGITransport(app, client=(address, 1))
            async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
                assert (await client.get("/metrics")).status_code == status


class TestWithAToken:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, metrics_token=SecretStr(TOKEN))

    async def test_who_shows_it_may_read_them_and_nobody_else(
        self, http: httpx2.AsyncClient
    ) -> None:
        for shown in ("", TOKEN, f"Bearer {TOKEN}x", "Bearer \xe9", f"Basic {TOKEN}"):
            given = {b"authorization": shown.encode("latin-1")}
            refused = await http.get("/metrics", headers=given if shown else {})
            assert refused.status_code == 401
            assert refused.json()["errorCode"] == "METRICS_TOKEN_REQUIRED"
            assert TOKEN not in refused.text
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert (await http.get("/metrics", headers=headers)).status_code == 200


@pytest.mark.parametrize("token", ["", "two words", "é", "a\n"])
def test_a_token_that_no_scraper_could_show_is_refused_at_the_start(token: str) -> None:
    with pytest.raises(ValidationError, match="metrics_token"):
        Settings(metrics_token=SecretStr(token))


# What there is


async def test_every_series_says_what_it_is_from_the_first_scrape(http: httpx2.AsyncClient) -> None:
    text = (await http.get("/metrics")).text
    families = {it.name: it for it in text_string_to_metric_families(text)}
    for series in SERIES:
        family = families[series.name.removesuffix("_total")]
        assert (family.documentation, family.type) == (series.about, series.kind)
    assert families["process_resident_memory_bytes"].samples


async def test_two_apps_in_one_process_share_no_figure() -> None:
    apps = [create_app(Settings(database=":memory:", app=name)) for name in ("one", "two")]
    numbers = list[float]()
    for app in apps:
        async with app.lifespan():
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
                await client.get("/healthz")
                it = Metrics((await client.get("/metrics")).text)
                numbers.append(it("rtflow_requests_total", request="GET /healthz", status="200"))
    assert numbers == [1, 1]


@pytest.mark.parametrize("version", ["abc", "1.x", "", "1.0.0.0.0"])
async def test_who_asks_for_a_format_that_there_is_not_gets_one_that_there_is(
    http: httpx2.AsyncClient, version: str
) -> None:
    for kind in ("application/openmetrics-text", "text/plain"):
        response = await http.get("/metrics", headers={"Accept": f"{kind}; version={version}"})
        assert response.status_code == 200
        assert "rtflow_connections" in response.text


async def test_prometheus_may_ask_for_its_newer_format(http: httpx2.AsyncClient) -> None:
    newer = "application/openmetrics-text; version=1.0.0"
    response = await http.get("/metrics", headers={"Accept": newer})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")
