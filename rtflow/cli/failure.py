"""Failures: what a command cannot do, as one line for people and an exit status.

Not here: which exceptions of the library become which line (app.py, client.py).
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["Failure", "Misuse", "misused", "say"]


class Failure(Exception):
    """The command could not do it. Its text is the line that is shown."""

    status = 1


class Misuse(Failure):
    """The command was called in a way that can never work."""

    status = 2


@contextmanager
def misused() -> Generator[None]:
    """Make a value that the library does not take a wrong usage of the command."""
    try:
        yield
    except ValueError as exc:
        raise Misuse(str(exc)) from exc


def say(line: str) -> None:
    """Tell people something on standard error, in one line."""
    print("rtflow:", " ".join(line.split()), file=sys.stderr, flush=True)
