import re
import signal
import socket
from pathlib import Path

import pytest

from tests.cli.program import rtflow, started

LISTENING = r"rtflow: listening on http://127\.0\.0\.1:(\d+) \(app (\w+), ([\w ]+)\)"
HERE = ("--database", ":memory:", "--port", "0")


async def test_it_says_where_it_listens_and_what_it_is() -> None:
    async with started("serve", *HERE, "--app", "mine") as server:
        said = re.fullmatch(LISTENING, await server.line())
        assert said is not None
        assert said[2] == "mine"
        assert said[3] == "development mode"
        socket.create_connection(("127.0.0.1", int(said[1]))).close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_ends_quietly_when_told_to(number: signal.Signals) -> None:
    async with started("serve", *HERE) as server:
        await server.line()
        server.process.send_signal(number)
        ended = await server.ended()
    assert ended.status == 0
    assert ended.stdout.count("\n") == 1
    assert "Traceback" not in ended.stderr


async def test_development_mode_is_loud_and_a_secret_is_never_shown() -> None:
    async with started("serve", *HERE) as server:
        await server.line()
        assert "DEVELOPMENT MODE" in server.stderr

    secret = "what nobody shall read, ever and ever"
    async with started("serve", *HERE, env={"RTFLOW_SECRET": secret}) as server:
        assert "development mode" not in await server.line()
        ended = await server.interrupted()
    assert secret not in ended.stdout + ended.stderr
    assert "DEVELOPMENT MODE" not in ended.stderr


async def test_options_come_from_the_environment_too_and_arguments_win(tmp_path: Path) -> None:
    env = {"RTFLOW_APP": "theirs", "RTFLOW_PORT": "0", "RTFLOW_DATABASE": str(tmp_path / "here.db")}
    async with started("serve", env=env) as server:
        assert "(app theirs," in await server.line()
    assert (tmp_path / "here.db").exists()
    async with started("serve", "--app", "ours", env=env) as server:
        assert "(app ours," in await server.line()


async def test_a_file_may_hold_settings_below_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "rtflow.toml"
    file.write_text('app = "of_the_file"\nport = 0\ndatabase = ":memory:"\n')
    async with started("serve", env={"RTFLOW_CONFIG": str(file)}) as server:
        assert "(app of_the_file," in await server.line()
    async with started("serve", env={"RTFLOW_CONFIG": str(file), "RTFLOW_APP": "env"}) as server:
        assert "(app env," in await server.line()


async def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = await rtflow("serve", "--database", ":memory:", "--port", str(port))
    assert (ended.status, ended.stdout) == (1, "")
    complaint = ended.stderr.splitlines()[-1]
    assert complaint.startswith(f"rtflow: cannot listen on 127.0.0.1:{port}: another program")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("content", [None, b"not a database, whatever its name says " * 100])
async def test_a_database_that_cannot_be_used_is_one_line(
    content: bytes | None, tmp_path: Path
) -> None:
    database = tmp_path / "folder" / "rtflow.db"
    if content is not None:
        database.parent.mkdir()
        database.write_bytes(content)
    ended = await rtflow("serve", "--database", str(database), "--port", "0")
    assert (ended.status, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1].startswith(f"rtflow: cannot use the database {database}")
    assert "Traceback" not in ended.stderr
