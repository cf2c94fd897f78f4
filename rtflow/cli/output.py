"""Output: snapshots as JSON, one per line, for programs that read them.

The keys are those of the wire (`unreadMessageCount`); the keys of `custom` are the users' own and
stay as they are.

Not here: tables for people (the demo's dashboard).
Invariant: a line is written whole and flushed before the next thing happens.
"""

import asyncio
import os
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, cast

import msgspec
from msgspec import Struct, structs

__all__ = ["ending_with_the_reader", "print_json", "silence_stdout"]


def print_json(value: object) -> None:
    """Write a value as one line of JSON. Raises `BrokenPipeError` when nobody reads any more."""
    sys.stdout.buffer.write(msgspec.json.encode(as_on_the_wire(value)) + b"\n")
    sys.stdout.buffer.flush()


def as_on_the_wire(value: object) -> Any:  # Any: whatever JSON can say
    """Rename the fields of snapshots. Structs with a tag are of the wire: they know their names."""
    match value:
        case Struct() if value.__struct_config__.tag is None:
            return {
                camel(field.name): as_on_the_wire(getattr(value, field.name))
                for field in structs.fields(value)
            }
        case tuple():
            return [as_on_the_wire(item) for item in cast("tuple[object, ...]", value)]
        case _:
            return value


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


@contextmanager
def ending_with_the_reader() -> Generator[None]:
    """End the body quietly when nobody reads standard output any more (`| head -n 1`).

    Also while there is nothing to write: the reading end of a pipe that closes wakes the loop.
    The body has to be a part of the current task.
    """
    task = asyncio.current_task()
    assert task is not None
    has_left = False

    def leave() -> None:
        nonlocal has_left
        has_left = True
        asyncio.get_running_loop().remove_reader(stdout)
        silence_stdout()
        task.cancel()

    stdout = sys.stdout.fileno()
    watched = sys.platform != "win32" and stat.S_ISFIFO(os.fstat(stdout).st_mode)
    if watched:  # a pipe's writing end is "readable" only when its reader has gone
        asyncio.get_running_loop().add_reader(stdout, leave)
    try:
        try:
            yield
        except* BrokenPipeError:  # alone, or in the group of a TaskGroup
            silence_stdout()
    except asyncio.CancelledError:
        if not has_left or task.uncancel() > 0:
            raise
    finally:
        if watched:
            asyncio.get_running_loop().remove_reader(stdout)


def silence_stdout() -> None:
    """Let all that is still to be written go nowhere, such as what Python flushes at its exit."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
