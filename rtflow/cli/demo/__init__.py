"""`rtflow demo`: a server, people who talk, and a live dashboard, in one process.

Not here: what the people do (people.py) and say (script.py). `dashboard.py` is a link to
`examples/unread_dashboard.py`: what the demo shows is a program that anybody could have written,
and there is one copy of it.
"""

import asyncio
import logging
import signal
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

import rtflow
from rtflow.cli.demo.dashboard import Dashboard
from rtflow.cli.demo.people import APP, talking
from rtflow.cli.demo.script import YOU
from rtflow.cli.failure import Misuse
from rtflow.cli.output import ending_with_the_reader
from rtflow.cli.serve import settings_with

__all__ = ["demo"]

HOST = "127.0.0.1"
NEXT = "Next: rtflow serve, examples/"


def demo(
    *,
    seconds: Annotated[float | None, Parameter(env_var="RTFLOW_SECONDS")] = None,
    port: Annotated[int, Parameter(env_var="RTFLOW_PORT")] = 0,
    seed: Annotated[int, Parameter(env_var="RTFLOW_SEED")] = 1,
) -> None:
    """Show unread counts move: a server, people who talk, and a live dashboard.

    Parameters
    ----------
    seconds
        End after that long. Without it the demo runs until Ctrl-C.
    port
        Where the server listens, for other clients that want to join in; 0 takes a free port.
    seed
        What the people say, and when. The same number gives the same talk.
    """
    if seconds is not None and not 0 < seconds < float("inf"):
        raise Misuse(f"--seconds is {seconds}: it must be above 0")
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(perform(seconds, port, seed))


async def perform(seconds: float | None, port: int, seed: int) -> None:
    """Raise the curtain; it falls after so many seconds, with Ctrl-C, or when nobody looks."""
    from rtflow.server import running  # of the extra "server"

    end_like_ctrl_c(signal.SIGTERM)
    with (
        without_warnings("rtflow.server"),
        tempfile.TemporaryDirectory(prefix="rtflow-demo-") as folder,
    ):
        database = str(Path(folder, "rtflow.db"))
        settings = settings_with(app=APP, host=HOST, port=port, database=database, secret=None)
        with ending_with_the_reader():
            async with running(settings) as address:
                await show(address.url, seconds, seed)


async def show(url: str, seconds: float | None, seed: int) -> None:
    """Show what one of them sees while people talk."""
    async with talking(url, seed), rtflow.Session(url, app_id=APP, user_id=YOU) as session:
        dashboard = Dashboard(session, Console(), f"server: {url}")
        try:
            await dashboard.run(seconds)
        finally:
            print(f"rtflow demo: {dashboard.board}. {NEXT}", flush=True)


@contextmanager
def without_warnings(name: str) -> Generator[None]:
    """Let a logger tell of errors only: that the server is in development mode is no news here."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def end_like_ctrl_c(number: signal.Signals) -> None:
    """Let another signal end this task as Ctrl-C does, or the server's folder stays behind."""
    task = asyncio.current_task()
    assert task is not None
    with suppress(NotImplementedError):  # Windows
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
