"""The session: where one is, and who."""

import rtflow
from rtflow.testing.server import RunningServer


async def test_a_session_names_its_app_and_its_user(server: RunningServer) -> None:
    async with rtflow.Session(server.url, app_id="demo", user_id="alice") as session:
        assert (session.app_id, session.user_id) == ("demo", "alice")
        assert session.current_user is session.user("alice")
        await session.current_user.create_if_not_exists(name="Alice")
        me = await session.current_user.get()
        assert me is not None
        assert me.name == "Alice"
