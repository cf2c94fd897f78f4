import subprocess
import sys
from pathlib import Path

import pytest

import rtflow

pytest_plugins = ["pytester"]

ROOT = Path(rtflow.__file__).parent.parent

TESTS = """
import asyncio, contextlib, pytest, pytest_asyncio, socket, threading

kept = []

@pytest_asyncio.fixture
async def ticking():
    async with asyncio.TaskGroup() as tasks:
        ticker = tasks.create_task(asyncio.Event().wait(), name="ticking")
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield
        ticker.cancel()

@pytest.mark.asyncio
async def test_clean(ticking):
    await asyncio.to_thread(lambda: None)

@pytest.mark.asyncio
async def test_task():
    kept.append(asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="task left"))

@pytest.mark.asyncio
async def test_thread():
    threading.Thread(target=threading.Event().wait, name="thread left", daemon=True).start()

@pytest.mark.asyncio
async def test_socket():
    kept.append(socket.create_server(("127.0.0.1", 0)))

def test_clean_without_a_loop():
    thread = threading.Thread(target=lambda: None)
    thread.start()

def test_socket_without_a_loop():
    kept.append(socket.create_server(("127.0.0.1", 0)))

@pytest.mark.asyncio
@pytest.mark.leaks_allowed("to show how")
async def test_allowed():
    kept.append(socket.create_server(("127.0.0.1", 0)))

@pytest.mark.leaks_allowed
def test_allowed_without_a_reason():
    pass
"""


def test_a_test_that_leaves_something_fails_and_says_what(pytester: pytest.Pytester) -> None:
    # In the strict mode of pytest-asyncio; our own tests run in the automatic one.
    pytester.makeini(f"[pytest]\nstrict = true\nasyncio_mode = strict\npythonpath = {ROOT}")
    pytester.makeconftest('pytest_plugins = ["rtflow.testing.plugin"]')
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=7, errors=5)
    result.stdout.re_match_lines(
        [
            r".*ERROR at teardown of test_task .*",
            r"task <Task .*'task left'.*",
            r".*ERROR at teardown of test_thread .*",
            r"thread <Thread\(thread left.*",
            r".*ERROR at teardown of test_socket .*",
            r"descriptor .*socket.* AF_INET SOCK_STREAM at \('127.0.0.1'.*",
            r".*ERROR at teardown of test_socket_without_a_loop .*",
            r"descriptor .*socket.*",
        ],
        consecutive=False,
    )
    result.stdout.re_match_lines([r".*leaks_allowed needs a reason.*"])


def test_the_plugin_needs_no_server_until_one_is_asked_for() -> None:
    program = "import sys, rtflow.testing.plugin; print('rtflow.server' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout == "False\n"
