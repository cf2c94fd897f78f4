"""The log is told once what fails, and once that it is over."""

import logging

import pytest

from rtflow.server.trouble import QUIET, Trouble

FULL = OSError("no space left")


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [it.getMessage() for it in caplog.records if it.levelno >= logging.WARNING]


def test_a_trouble_that_comes_and_goes_is_told_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    trouble = Trouble(logging.getLogger(__name__), clock, "it cannot be done", "it can be done")
    trouble.over()
    for _ in range(100):
        trouble.met(FULL)
        trouble.met(FULL)
        trouble.over()
        clock.now += QUIET / 100
    assert told(caplog) == ["it cannot be done: no space left", "it can be done"]
    clock.now += 1
    trouble.met(FULL)
    assert told(caplog)[2:] == ["it cannot be done: no space left"]


def test_a_trouble_that_is_never_over_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    trouble = Trouble(logging.getLogger(__name__), clock, "it is broken")
    for _ in range(3):
        trouble.met(FULL)
        clock.now += QUIET
    assert told(caplog) == ["it is broken: no space left"]
