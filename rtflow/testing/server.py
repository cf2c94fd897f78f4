"""Servers for tests: one inside this process, for speed, and one outside, for killing.

Not here: how a server runs (rtflow.server), what the command line does (rtflow.cli).
`rtflow.server` is an extra, so it is imported when a server is asked for, not before.
Invariant: no process outlives the `async with` of its `ServerProcess`.
"""

import asyncio
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self

from msgspec import Struct

if TYPE_CHECKING:
    from rtflow.server import App, Settings

__all__ = ["RunningServer", "ServerProcess", "serving"]

LISTENING = re.compile(rb"rtflow: listening on (http://\S+:(\d+)) \(.+\)\n")
RTFLOW_SERVE = (sys.executable, "-m", "rtflow", "serve")
SHOWN = 4000  # bytes of standard error that a failure prints
REAPING = 5.0  # seconds that the kernel gets to bury a killed process


class RunningServer(Struct, frozen=True):
    """A server inside this process: where it listens, and what it was told (port 0, a free one).

    `app` is the application itself.
    """

    url: str
    port: int
    settings: "Settings"
    app: "App"


@contextlib.asynccontextmanager
async def serving(settings: "Settings | None" = None) -> AsyncGenerator[RunningServer]:
    """Run a server on this event loop, on a free port of 127.0.0.1, until the block ends.

    Gives its `url`, its `port` and its `settings`. Without `settings`: in memory, development mode;
    their `host` and `port` do not count.
    Raises `AssertionError` when a subscription is left of connections that have ended.
    """
    from rtflow.server import Settings, create_app, running

    if settings is None:
        settings = Settings(database=":memory:", secret=None)
    settings = settings.model_copy(update={"host": "127.0.0.1", "port": 0})
    app = create_app(settings)
    async with running(app) as address:
        yield RunningServer(address.url, address.port, settings, app)
    assert not app.subscriptions, f"{app.subscriptions} subscriptions are left of nobody"


class ServerProcess:
    """`rtflow serve` as a process of its own, on a free port: to kill, to stop and to start again.

        async with ServerProcess(tmp_path / "rtflow.db") as server:
            await server.kill()
            await server.restart()  # the same port, the same database

    `database` is a file or a URL, `secret` as for `rtflow serve`, `options` more of its arguments.
    `command` is what to run instead of `python -m rtflow serve`. `patience` is in seconds.
    `settings` are fields of `rtflow.server.Settings` that are no arguments, such as
    `{"typing_timeout": 1}`; `RTFLOW_*` in the environment of the tests is kept from it.
    Its standard error is repeated on ours at the end, where pytest shows it beside a failed test.
    """

    url: str
    """What clients connect to."""

    port: int
    """Where it listens, on this machine."""

    patience: float
    """How many seconds it has to start, and to stop: many, on a machine with other things to do."""

    def __init__(
        self,
        database: str | os.PathLike[str],
        *,
        secret: str | None = None,
        settings: Mapping[str, object] = MappingProxyType({}),
        options: Sequence[str] = (),
        command: Sequence[str] = RTFLOW_SERVE,
        patience: float = 30.0,
    ) -> None:
        self.url = ""
        self.port = 0
        self.patience = patience
        self._settings = {f"RTFLOW_{key.upper()}": str(it) for key, it in settings.items()}
        self._command = [*command, "--database", os.fspath(database), *options]
        self._secret = secret
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        # A file, not a pipe, which a task of ours would have to empty.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __aexit__
        try:
            await self._start()
        except BaseException:
            self._errors.close()
            raise
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _exc: BaseException | None,
        _tb: TracebackType | None,
    ) -> None:
        try:
            await self.kill()
        finally:
            sys.stderr.write(self.stderr)
            self._errors.close()

    @property
    def pid(self) -> int:
        """The number of the process that runs now, or ran last."""
        assert self._process is not None, "the process is started by `async with`"
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """`None` while it runs, then its status: negative for the signal that killed it."""
        assert self._process is not None, "the process is started by `async with`"
        return self._process.returncode

    @property
    def stderr(self) -> str:
        """What it has written to standard error, restarts included. Only inside `async with`."""
        return self._stderr_from(0)

    async def kill(self) -> None:
        """Kill it (SIGKILL) and bury it. Without effect when it has ended."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # ended this moment
                process.kill()
        async with asyncio.timeout(REAPING):
            await self._ended(process)

    async def terminate(self) -> int:
        """Ask it to stop (SIGTERM) and return its exit status.

        Raises `AssertionError`, and kills it, when it has not stopped in time.
        """
        process = self._process
        assert process is not None, "the process is started by `async with`"
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # ended this moment
                process.terminate()
        try:
            async with asyncio.timeout(self.patience):
                return await self._ended(process)
        except TimeoutError:
            await self.kill()
            raise AssertionError(self._story(f"did not stop within {self.patience} s")) from None

    async def restart(self, *, secret: str | None = None) -> None:
        """Start it again on the same port and database; `terminate` it first if it still runs.

        With another `secret` older tokens are good no more; None: with the one it had. Raises
        `AssertionError`, with its standard error, when it does not listen in time.
        """
        if self.exit_status is None:
            await self.terminate()
        if secret is not None:
            self._secret = secret
        await self._start()

    async def _start(self) -> None:
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command,
            *(() if self._secret is None else ("--secret", self._secret)),
            *("--port", str(self.port)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._errors,
            env={key: value for key, value in os.environ.items() if not key.startswith("RTFLOW_")}
            | self._settings,
        )
        assert process.stdout is not None
        line = b""
        try:
            async with asyncio.timeout(self.patience):
                line = await process.stdout.readline()
                if not line:
                    await process.wait()  # it is on its way out: let it say its own status
            if match := LISTENING.fullmatch(line):
                self.url, self.port = match[1].decode(), int(match[2])
                return
            problem = f"said {line!r}" if line else "ended"
        except TimeoutError:
            problem = f"said nothing within {self.patience} s"
        except BaseException:
            await self.kill()
            raise
        await self.kill()
        raise AssertionError(self._story(f"{problem} instead of where it listens"))

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        assert process.stdout is not None
        await process.stdout.read()  # to its end: with a full pipe the process could not end
        return await process.wait()

    def _story(self, problem: str) -> str:
        size = os.fstat(self._errors.fileno()).st_size
        errors = self._stderr_from(max(0, size - SHOWN))
        return f"the server process {problem} (exit status {self.exit_status}):\n{errors}"

    def _stderr_from(self, offset: int) -> str:
        # pread: the process writes at the offset of the same open file, and `seek` would move it.
        size = os.fstat(self._errors.fileno()).st_size
        return os.pread(self._errors.fileno(), size - offset, offset).decode(errors="replace")
