from rtflow import Session, UserSnapshot
from rtflow.testing import Link, Recorder, serving
from rtflow.testing.plugin import OpenSession, StartServer
from rtflow.testing.server import RunningServer


async def test_sessions_share_the_server(session: Session, open_session: OpenSession) -> None:
    bob = await open_session("bob")
    await session.current_user.create_if_not_exists(name="Alice")
    alice = await bob.user("alice").get()
    assert alice is not None
    assert alice.name == "Alice"


async def test_the_server_is_in_memory_and_in_development_mode(server: RunningServer) -> None:
    assert (server.settings.database, server.settings.key) == (":memory:", None)
    assert server.url == f"http://127.0.0.1:{server.port}"


async def test_two_servers_know_nothing_of_each_other(
    session: Session, open_session: OpenSession
) -> None:
    await session.current_user.create_if_not_exists(name="Alice")
    async with serving() as other:
        assert (other.settings.database, other.settings.key) == (":memory:", None)
        stranger = await open_session("bob", server=other.url)
        assert await stranger.user("alice").get() is None
        await stranger.close()


async def test_a_session_behind_the_link_comes_back_after_a_cut(
    link: Link, open_session: OpenSession, session: Session
) -> None:
    bob, seen = await open_session("bob", server=link.url), Recorder[UserSnapshot | None]()
    bob.user("alice").observe().subscribe(seen)
    await seen.until(lambda users: users[-1] is None)
    opened = link.opened
    link.cut()
    await session.current_user.create_if_not_exists(name="Alice")
    await seen.until(lambda users: (user := users[-1]) is not None and user.name == "Alice")
    assert link.opened == opened + 1


async def test_a_server_process_keeps_its_data_over_a_kill(
    server_process: StartServer, open_session: OpenSession
) -> None:
    server = await server_process()
    alice = await open_session("alice", server=server.url)
    await alice.current_user.create_if_not_exists(name="Alice")
    await server.kill()
    await server.restart()
    bob = await open_session("bob", server=server.url)
    user = await bob.user("alice").get()
    assert user is not None
    assert user.name == "Alice"


async def test_a_server_process_stops_when_told(server_process: StartServer) -> None:
    server = await server_process()
    assert await server.terminate() == 0
