"""Tokens run out, are signed anew and do not allow everything: streams lose nothing by that."""

import pytest

import rtflow
from rtflow.server import Settings, mint_token
from rtflow.testing import Clock, Recorder, until
from rtflow.testing.plugin import OpenSession, StartServer

SECRETS = [f"secret {number} of the tests, of more than thirty-two bytes" for number in range(2)]
QUICK = rtflow.Backoff(first=0.01, most=0.05)
LIFE = 600.0  # seconds of a token

Seen = Recorder[rtflow.UserSnapshot | None]


@pytest.fixture
def server_settings() -> Settings:
    return Settings(database=":memory:", secret=SECRETS[0])  # type: ignore[arg-type]  # pydantic reads it


def token(user: str, secret: str = SECRETS[0]) -> str:
    return mint_token("demo", user, secret, expires=LIFE)


def is_called(name: str, seen: Seen) -> bool:
    return bool(seen.values and (it := seen.values[-1]) is not None and it.name == name)


async def test_a_secret_that_is_rotated_makes_sessions_ask_for_tokens_and_streams_go_on(
    server_process: StartServer,
) -> None:
    server = await server_process(secret=SECRETS[0])
    secret, asked = SECRETS[0], list[str]()

    def sign() -> str:
        asked.append(secret)
        return token("alice", secret)

    seen, steps = Seen(), Recorder[rtflow.ConnectionState]()
    alice = rtflow.Session(server.url, app_id="demo", user_id="alice", token=sign, reconnect=QUICK)
    async with alice:
        await alice.current_user.create_if_not_exists(name="Alice")
        alice.connection.observe().subscribe(steps)
        alice.current_user.observe().subscribe(seen)
        await until(lambda: is_called("Alice", seen))
        await server.terminate()
        secret = SECRETS[1]
        await server.restart(secret=secret)
        bob = rtflow.Session(server.url, app_id="demo", user_id="bob", token=token("bob", secret))
        async with bob:
            await bob.user("alice").set(name="Alicia")
        await until(lambda: is_called("Alicia", seen))
        await alice.current_user.set(name="Ada")
    assert asked == SECRETS, "the old one was shown once more, refused, and a new one asked for"
    assert [it.name for it in seen.values if it is not None] == ["Alice", "Alicia", "Ada"]
    assert seen.error is None
    assert [it.status for it in steps.values].count("live") == 2
    old = rtflow.Session(server.url, app_id="demo", user_id="bob", token=token("bob", SECRETS[0]))
    async with old:
        with pytest.raises(rtflow.SessionExpired):
            await old.current_user.get()


async def test_what_happens_while_a_token_has_run_out_is_seen_when_there_is_another(
    clock: Clock, open_session: OpenSession
) -> None:
    is_away = False

    def sign() -> str:
        if is_away:
            raise OSError("the token service is away")
        return token("alice")

    alice = await open_session("alice", token=sign)
    await alice.current_user.create_if_not_exists(name="Alice")
    seen, steps = Seen(), Recorder[rtflow.ConnectionState]()
    alice.current_user.observe().subscribe(seen)
    alice.connection.observe().subscribe(steps)
    await until(lambda: is_called("Alice", seen))
    is_away = True
    await clock.advance(LIFE + 10)
    await steps.until(lambda states: states[-1].status == "connecting")
    bob = await open_session("bob", token=lambda: token("bob"))
    await bob.user("alice").set(name="Alicia")
    assert len(seen.values) == 1
    is_away = False
    await clock.advance(40)  # two of the longest pauses, and more
    await until(lambda: is_called("Alicia", seen))
    await bob.user("alice").set(name="Ada")
    await until(lambda: is_called("Ada", seen))
    assert len(seen.values) == 3


async def test_what_is_forbidden_fails_alone(open_session: OpenSession) -> None:
    alice = await open_session("alice", token=lambda: token("alice"))
    bob = await open_session("bob", token=lambda: token("bob"))
    for session in (alice, bob):
        await session.current_user.create_if_not_exists(name=session.user_id)
    await bob.conversation("secret").create_if_not_exists(subject="a surprise")
    mine, others = Seen(), Recorder[rtflow.ConversationSnapshot | None]()
    steps = Recorder[rtflow.ConnectionState]()
    alice.connection.observe().subscribe(steps)
    alice.current_user.observe().subscribe(mine)
    secret = alice.conversation("secret")
    secret.observe().subscribe(others)
    await others.until(lambda values: values == [None])
    for write in (secret.send("hello"), secret.set(subject="mine"), secret.mark_as_read()):
        with pytest.raises(rtflow.RequestRefused):
            await write
    await alice.current_user.set(name="Alicia")
    await until(lambda: is_called("Alicia", mine))
    await bob.conversation("secret").participant("alice").create_if_not_exists()
    await others.until(lambda values: values[-1] is not None)
    assert not others.has_ended
    assert [it.status for it in steps.values] == ["live"]
