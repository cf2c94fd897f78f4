import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rtflow.testing import ServerProcess, until
from rtflow.testing.leaks import alive

LISTEN = """
import os, signal, socket, sys, time
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with open(options["--database"], "a") as database:
    print(os.getpid(), file=database)
server = socket.create_server(("127.0.0.1", int(options["--port"])))
print(*sys.argv[1:], [key for key in os.environ if key.startswith("RTFLOW_")], file=sys.stderr)
port = server.getsockname()[1]
"""
SAY_IT = """
print(f"rtflow: listening on http://127.0.0.1:{port} (app demo, development mode)", flush=True)
"""
STAY = """
while True: server.accept()
"""
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "pids"


def python(*program: str) -> Sequence[str]:
    return [sys.executable, "-c", "".join(program)]


def pids(database: Path) -> list[int]:
    return [int(pid) for pid in database.read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_server_process_tells_where_it_listens(database: Path) -> None:
    async with ServerProcess(database, command=python(LISTEN, SAY_IT, STAY)) as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        socket.create_connection(("127.0.0.1", server.port)).close()
        assert pids(database) == [server.pid]
        assert server.exit_status is None
    assert not is_alive(server.pid)


async def test_the_process_gets_its_arguments_and_not_our_settings(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTFLOW_SECRET", "of the tests")
    command = python(LISTEN, SAY_IT, STAY)
    async with ServerProcess(
        database, secret="x", options=["--app", "mine"], command=command
    ) as server:
        assert server.stderr == f"--database {database} --app mine --secret x --port 0 []\n"


async def test_the_process_gets_the_settings_that_are_meant_for_it(database: Path) -> None:
    async with ServerProcess(
        database, settings={"typing_timeout": 1}, command=python(LISTEN, SAY_IT, STAY)
    ) as server:
        assert server.stderr.endswith("['RTFLOW_TYPING_TIMEOUT']\n")


async def test_kill_kills_and_buries(database: Path) -> None:
    async with ServerProcess(database, command=python(LISTEN, SAY_IT, STAY)) as server:
        await server.kill()
        assert server.exit_status == -signal.SIGKILL
        assert not is_alive(server.pid)
        await server.kill()


async def test_no_file_of_ours_is_open_when_the_block_ends(database: Path) -> None:
    earlier = alive()
    async with ServerProcess(database, command=python(LISTEN, SAY_IT, STAY)):
        assert (alive() - earlier).descriptors or sys.platform != "linux"
    assert not (alive() - earlier).descriptors


async def test_terminate_returns_the_exit_status(database: Path) -> None:
    program = python(LISTEN, "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))", SAY_IT, STAY)
    async with ServerProcess(database, command=program) as server:
        assert await server.terminate() == 3
        assert await server.terminate() == 3


async def test_a_process_may_talk_a_lot_while_it_stops(database: Path) -> None:
    program = python(
        LISTEN,
        "def talk(*_): print('x' * 1_000_000, flush=True); sys.exit(3)\n",
        "signal.signal(signal.SIGTERM, talk)",
        SAY_IT,
        STAY,
    )
    async with ServerProcess(database, command=program) as server:
        assert await server.terminate() == 3


async def test_a_process_that_does_not_stop_is_killed_and_told(database: Path) -> None:
    program = python(LISTEN, DEAF, SAY_IT, STAY)
    async with ServerProcess(database, command=program) as server:
        server.patience = 0.1
        with pytest.raises(AssertionError, match=r"did not stop within 0\.1 s.*-9"):
            await server.terminate()
        assert not is_alive(server.pid)


@pytest.mark.parametrize("how", ["running", "killed", "terminated"])
async def test_restart_keeps_port_and_database(database: Path, how: str) -> None:
    async with ServerProcess(database, command=python(LISTEN, SAY_IT, STAY)) as server:
        port, first = server.port, server.pid
        if how == "killed":
            await server.kill()
        elif how == "terminated":
            await server.terminate()
        await server.restart()
        assert server.port == port
        assert pids(database) == [first, server.pid]
        assert not is_alive(first)
        socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.parametrize(
    ("program", "patience", "problem"),
    [
        (
            "os.close(1); sys.exit('no disk')",
            10,
            r"ended instead .*exit status 1\)(.|\n)*no disk",
        ),
        ("print('hello', flush=True)" + STAY, 10, r"said b'hello\\n' instead"),
        (STAY, 1, r"said nothing within 1 s instead"),
    ],
)
async def test_a_process_that_does_not_start_is_killed_and_told(
    database: Path, program: str, patience: float, problem: str
) -> None:
    with pytest.raises(AssertionError, match=problem):
        async with ServerProcess(database, command=python(LISTEN, program), patience=patience):
            pytest.fail("it did not start")
    assert [is_alive(pid) for pid in pids(database)] == [False]


async def test_no_process_is_left_when_the_body_fails(database: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with ServerProcess(database, command=python(LISTEN, DEAF, SAY_IT, STAY)):
            _ = 1 / 0
    assert [is_alive(pid) for pid in pids(database)] == [False]


async def test_no_process_is_left_when_the_start_is_cancelled(database: Path) -> None:
    async def start() -> None:
        async with ServerProcess(database, command=python(LISTEN, DEAF, STAY)):
            pytest.fail("it did not start")

    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(start())
        await until(lambda: database.exists() and bool(pids(database)))
        starting.cancel()
    assert starting.cancelled()
    assert [is_alive(pid) for pid in pids(database)] == [False]


async def test_the_errors_of_the_process_are_shown_beside_the_test(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ServerProcess(database, command=python(LISTEN, SAY_IT, STAY)):
        pass
    assert f"--database {database}" in capsys.readouterr().err
