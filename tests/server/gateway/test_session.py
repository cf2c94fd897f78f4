"""Showing tokens on a live connection: what a client learns, keeps, and when it has to go."""

import time

import pytest
from pydantic import SecretStr
from websockets.exceptions import InvalidStatus

from rtflow.server import Settings, mint_token
from tests.server.conftest import People
from tests.server.raw import dial, join

SECRET = "a secret of more than thirty-two bytes"


def token(user: str, expires: float | None = 3600, app: str = "demo", key: str = SECRET) -> str:
    return mint_token(app, user, key, expires=expires)


def short_token(user: str) -> str:
    """A token that ends within about a second; `exp` has whole seconds, the leeway adds 0.3."""
    return token(user, expires=int(time.time()) + 1 - time.time())


@pytest.fixture
def settings() -> Settings:
    return Settings(database=":memory:", port=0, secret=SecretStr(SECRET), token_leeway=0.3)


async def test_the_answer_tells_when_the_token_ends(url: str) -> None:
    async with dial(url, "alice") as alice:
        renewed = await alice.renew(token("alice", expires=3600))
        assert renewed.data == {
            "expiresInSeconds": pytest.approx(3600, abs=2),
            "acks": False,
        }
        assert (await alice.renew(token("alice", None))).data["expiresInSeconds"] is None


async def test_less_than_two_minutes_is_told_as_never(url: str) -> None:
    """Else the official client would ask for tokens without a pause (protocol.md 3)."""
    async with dial(url, "alice") as alice:
        assert (await alice.renew(token("alice", 119))).data["expiresInSeconds"] is None
        assert (await alice.renew(token("alice", 125))).data["expiresInSeconds"] > 120


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (token("alice", -60), "TOKEN_EXPIRED"),
        (token("alice", app="other"), "TOKEN_OF_ANOTHER_APP"),
        (token("bob"), "TOKEN_OF_ANOTHER_USER"),
        (token("alice", key="x" * 32), "TOKEN_INVALID"),
        ("", "TOKEN_INVALID"),
    ],
    ids=["expired", "other app", "other user", "other key", "none"],
)
async def test_a_bad_token_is_refused_and_a_good_one_may_follow(
    url: str, bad: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with dial(url, "alice") as alice:
        refused = await alice.renew(bad)
        assert (refused.status, refused.code) == (401, code)
        assert (await alice.ask("GET", "/users", {"ids": []})).code == "NOT_AUTHENTICATED"
        assert (await alice.renew(token("alice"))).status == 200
        assert await alice.get("/users", {"ids": ["alice"]}) == {}
        if bad:
            assert bad not in caplog.text + str(alice.heard)


async def test_who_shows_bad_tokens_without_end_has_to_go(url: str) -> None:
    """The official client would do so without a pause; cut off, it waits for seconds."""
    async with dial(url, "alice") as alice:
        for _ in range(2):
            for number in range(10):
                assert (await alice.renew(f"bad no {number}")).status == 401
            assert (await alice.renew(token("alice"))).status == 200
        for _ in range(11):
            await alice.say("POST", "/session/renew", {"token": "bad"})
        assert await alice.closed() == (1008, "too many bad tokens were shown")


async def test_a_second_good_token_keeps_everything(people: People) -> None:
    (alice,) = await people("alice", token=token("alice"))
    await alice.do("SUBSCRIBE", "/users", {"ids": ["alice"]})
    assert (await alice.renew(token("alice", 7200))).data["expiresInSeconds"] > 7000
    await alice.do("PUT", "/users/alice", {"name": "Ada"})
    assert [event["type"] for event in alice.events] == ["user.edited"]


async def test_a_bad_token_on_a_live_connection_silences_it_until_a_good_one(
    people: People,
) -> None:
    (alice,) = await people("alice", token=token("alice"))
    (bob,) = await people("bob", token=token("bob"))
    await bob.do("SUBSCRIBE", "/users", {"ids": ["alice"]})
    assert (await bob.renew(token("alice"))).status == 401
    await alice.do("PUT", "/users/alice", {"name": "Ada"})
    assert await bob.settle() == []
    assert (await bob.renew(token("bob"))).status == 200
    await alice.do("PUT", "/users/alice", {"name": "Ada L."})
    assert [event["diff"] for event in await bob.settle()] == [{"name": "Ada L."}]


async def test_the_end_of_a_token_is_pushed_and_silences_the_connection(people: People) -> None:
    (alice,) = await people("alice", token=token("alice"))
    (bob,) = await people("bob", token=token("bob"))
    await bob.do("SUBSCRIBE", "/users", {"ids": ["alice"]})
    assert (await bob.renew(short_token("bob"))).status == 200
    assert await bob.event("session.expired") == {"type": "session.expired"}
    assert (await bob.ask("GET", "/users", {"ids": []})).code == "NOT_AUTHENTICATED"
    await alice.do("PUT", "/users/alice", {"name": "Ada"})
    await bob.settle()
    assert [event["type"] for event in bob.events] == ["session.expired"]
    assert (await bob.renew(token("bob"))).status == 200
    await alice.do("PUT", "/users/alice", {"name": "Ada L."})
    assert [event["diff"] for event in await bob.settle()] == [{"name": "Ada L."}]


class TestDeadline:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            database=":memory:",
            port=0,
            secret=SecretStr(SECRET),
            token_leeway=0.3,
            authentication_timeout=0.2,
        )

    async def test_who_shows_no_token_has_to_go(self, url: str) -> None:
        async with dial(url, "alice") as alice:
            await alice.ask("GET", "/ping")
            await alice.renew("nonsense")
            assert await alice.closed() == (1008, "no valid token was shown in time")

    async def test_who_does_not_renew_has_to_go(self, url: str) -> None:
        async with join(url, "alice", short_token("alice")) as alice:
            assert (await alice.closed())[0] == 1008
            assert alice.events == [{"type": "session.expired"}]


class TestConnectionLimit:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            database=":memory:",
            port=0,
            secret=SecretStr(SECRET),
            max_connections_per_user=2,
        )

    async def test_a_user_has_so_many_connections_and_no_more(self, url: str) -> None:
        alice = token("alice")
        async with dial(url, "alice") as early, join(url, "alice", alice):
            async with join(url, "alice", alice):
                with pytest.raises(InvalidStatus) as refused:
                    async with dial(url, "alice"):
                        pass
                assert refused.value.response.status_code == 503
                assert "retry-after" in refused.value.response.headers
                async with join(url, "bob", token("bob")):
                    pass
                await early.say("POST", "/session/renew", {"token": alice})
                assert (await early.closed())[0] == 1013
            async with join(url, "alice", alice):
                pass

    async def test_who_has_shown_no_token_takes_nobodys_place(self, url: str) -> None:
        async with (
            dial(url, "alice"),
            dial(url, "alice"),
            dial(url, "alice"),
            join(url, "alice", token("alice")) as alice,
        ):
            await alice.settle()
