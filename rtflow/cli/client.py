"""What `get`, `observe` and `send` share: who calls, and a session that tells what goes wrong.

Not here: what is asked in the session (read.py, send.py).
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated

from cyclopts import Parameter

import rtflow
from rtflow.cli.failure import Failure, misused, say

__all__ = ["Caller", "connected", "persistent"]

PATIENCE = 5.0  # seconds in which a command that asks once must find its server


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks, and whom.

    Parameters
    ----------
    user
        The id of the user to be.
    server
        The base URL of the server.
    app
        The id of the app.
    token
        A token for this user (`rtflow token`). A server in development mode needs none.
    """

    user: Annotated[str, Parameter(env_var="RTFLOW_USER")]
    server: Annotated[str, Parameter(env_var="RTFLOW_SERVER")] = "http://localhost:8080"
    app: Annotated[str, Parameter(env_var="RTFLOW_APP")] = "demo"
    token: Annotated[str | None, Parameter(env_var="RTFLOW_TOKEN")] = field(
        default=None, repr=False
    )

    def session(self) -> rtflow.Session:
        """Return a session that is not entered yet. Raises `Misuse` for what can never be one."""
        with misused():
            return rtflow.Session(self.server, app_id=self.app, user_id=self.user, token=self.token)


@asynccontextmanager
async def connected(caller: Caller) -> AsyncGenerator[rtflow.Session]:
    """Open a session for a command that asks once: no server within `PATIENCE` is a `Failure`."""
    why = "no answer"

    def note(state: rtflow.ConnectionState) -> None:
        nonlocal why
        if state.status == "live" and not deadline.expired():
            deadline.reschedule(None)  # from here on the request has its own
        elif state.reason:
            why = state.reason

    deadline = asyncio.timeout(PATIENCE)
    try:
        async with deadline, caller.session() as session:
            with session.connection.observe().subscribe(note, told_anyway):
                yield session
    except TimeoutError as exc:
        if not deadline.expired():
            raise
        raise Failure(f"no server at {caller.server} ({why})") from exc


@asynccontextmanager
async def persistent(caller: Caller) -> AsyncGenerator[rtflow.Session]:
    """Open a session for a command that watches: it tells of each outage, and waits."""
    is_out = False

    def note(state: rtflow.ConnectionState) -> None:
        nonlocal is_out
        if state.status == "waiting" and not is_out:
            is_out = True
            say(f"no server at {caller.server} ({state.reason}), trying again")
        elif state.status == "live" and is_out:
            is_out = False
            say(f"connected to {caller.server}")

    async with caller.session() as session:
        with session.connection.observe().subscribe(note, told_anyway):
            yield session


def told_anyway(_error: Exception) -> None:
    """Pass over the end of the session: whoever asks for something in it hears of it, too."""
