import asyncio
import socket
import sys
import threading
from pathlib import Path

import pytest

from rtflow.testing.leaks import alive, left_in_thread, left_on_loop

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="descriptors are read from /proc")


async def test_nothing_is_left_of_nothing() -> None:
    earlier = alive()
    assert not await left_on_loop(earlier)
    assert str(await left_on_loop(earlier)) == ""


async def test_a_new_task_is_told() -> None:
    earlier = alive()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(asyncio.Event().wait(), name="forgotten")
        left = await left_on_loop(earlier, patience=0)
        assert left.tasks == {task}
        assert "forgotten" in str(left)
        task.cancel()
    assert not await left_on_loop(earlier)


async def test_a_new_thread_is_told() -> None:
    earlier, end = alive(), threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten")
    thread.start()
    left = left_in_thread(earlier, patience=0)
    end.set()
    assert left.threads == {thread}
    assert "forgotten" in str(left)
    assert not left_in_thread(earlier)


async def test_a_thread_of_the_loop_is_no_leak() -> None:
    earlier = alive()
    await asyncio.to_thread(lambda: None)
    assert not await left_on_loop(earlier, patience=0)


@linux_only
def test_a_new_socket_is_told_with_both_its_ends() -> None:
    earlier = alive()
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        left = alive() - earlier
        assert {fd.number for fd in left.descriptors} == {server.fileno(), client.fileno()}
        assert f"AF_INET SOCK_STREAM at {client.getsockname()}" in str(left)
        assert f"connected to {server.getsockname()}" in str(left)
    assert not left_in_thread(earlier)


@linux_only
def test_a_new_file_is_told_by_name(tmp_path: Path) -> None:
    earlier = alive()
    with (tmp_path / "forgotten.db").open("w"):
        assert "forgotten.db" in str(alive() - earlier)
    assert not left_in_thread(earlier)


@linux_only
def test_another_thing_with_the_number_of_an_older_one_is_told() -> None:
    with socket.socket() as old:
        earlier, number = alive(), old.fileno()
    with socket.socket() as new:
        assert new.fileno() == number
        assert len((alive() - earlier).descriptors) == 1


async def test_what_is_just_ending_gets_the_time_to_do_so() -> None:
    earlier = alive()
    _, writer = await asyncio.open_connection(sock=connected_socket())
    writer.close()  # the transport closes its socket later
    assert alive() - earlier or sys.platform != "linux"
    assert not await left_on_loop(earlier)


def connected_socket() -> socket.socket:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return socket.create_connection(server.getsockname())
