"""Leaks: what is alive in this process, and what of it was not alive before.

Not here: when to look (plugin.py).
"""

import asyncio
import contextlib
import os
import socket
import threading
import time
from typing import Any, Self

from msgspec import Struct

from rtflow.testing.waiting import GLANCE

__all__ = ["Alive", "alive", "left_in_thread", "left_on_loop"]

DESCRIPTORS = "/proc/self/fd"  # Linux; elsewhere files and sockets are not watched
LOOPS_OWN = "asyncio_"  # threads of the loop's default executor end with the loop


class Descriptor(Struct, frozen=True):
    """An open file or socket.

    The kernel gives a free number to the next one: only with `target` does it stand for one thing.
    """

    number: int
    target: str

    def __str__(self) -> str:
        if not self.target.startswith("socket:"):
            return self.target
        words = [self.target]
        with (
            contextlib.suppress(OSError),  # closed by now, or not connected
            socket.socket(fileno=os.dup(self.number)) as sock,
        ):
            words.append(f"{sock.family.name} {sock.type.name} at {sock.getsockname()}")
            words.append(f"connected to {sock.getpeername()}")
        return " ".join(words)


class Alive(Struct, frozen=True):
    """What is alive at one moment: tasks of the running loop, threads, open files and sockets."""

    tasks: frozenset[asyncio.Task[Any]]  # of whatever result
    threads: frozenset[threading.Thread]
    descriptors: frozenset[Descriptor]

    def __sub__(self, earlier: Self) -> "Alive":
        return Alive(
            tasks=self.tasks - earlier.tasks,
            threads=self.threads - earlier.threads,
            descriptors=self.descriptors - earlier.descriptors,
        )

    def __bool__(self) -> bool:
        return bool(self.tasks or self.threads or self.descriptors)

    def __str__(self) -> str:
        """One line for each thing."""
        return "\n".join(
            [
                *(f"task {task!r}" for task in self.tasks),
                *(f"thread {thread!r}" for thread in self.threads),
                *(f"descriptor {fd.number}: {fd}" for fd in self.descriptors),
            ]
        )


def alive() -> Alive:
    """Look around. The current task and the threads of the loop's default executor do not count."""
    tasks = set[asyncio.Task[Any]]()
    with contextlib.suppress(RuntimeError):  # no loop runs in this thread
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
    threads = (t for t in threading.enumerate() if not t.name.startswith(LOOPS_OWN))
    return Alive(frozenset(tasks), frozenset(threads), frozenset(open_descriptors()))


def open_descriptors() -> list[Descriptor]:
    """All open files and sockets of this process; none where the system does not tell."""
    found = list[Descriptor]()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for number in os.listdir(DESCRIPTORS):
            with contextlib.suppress(FileNotFoundError):  # the one that listed the folder
                found.append(Descriptor(int(number), os.readlink(f"{DESCRIPTORS}/{number}")))
    return [fd for fd in found if fd.target != os.devnull]  # libuv keeps one in reserve


async def left_on_loop(earlier: Alive, patience: float = 1.0) -> Alive:
    """What is alive now and was not `earlier`, after at most `patience` seconds for it to end.

    A transport, for one, closes its socket a turn of the loop after its `close()`.
    """
    deadline = time.monotonic() + patience
    # Nobody rings when a socket is gone, so look:
    while (left := alive() - earlier) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(GLANCE)
    return left


def left_in_thread(earlier: Alive, patience: float = 1.0) -> Alive:
    """The same for code without a loop: only threads can still be ending."""
    deadline = time.monotonic() + patience
    for thread in (alive() - earlier).threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return alive() - earlier
