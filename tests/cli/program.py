"""A program of ours as a process of its own: started, read line by line, interrupted, buried."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from msgspec import Struct

__all__ = ["PYTHON", "RTFLOW", "Ended", "Program", "rtflow", "started"]

PATIENCE = 20.0  # seconds
PYTHON = (sys.executable, "-W", "error")
RTFLOW = (*PYTHON, "-m", "rtflow")


class Ended(Struct, frozen=True):
    """How a program ended, and what it said."""

    status: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """The one line on standard error."""
        lines = self.stderr.splitlines()
        assert len(lines) == 1, self.stderr
        return lines[0]


class Program:
    """A program that runs. Not to be built: see `started`."""

    def __init__(self, process: asyncio.subprocess.Process, errors: int) -> None:
        assert process.stdout is not None
        self.process, self.stdout, self._errors = process, process.stdout, errors
        self.read = ""

    @property
    def stderr(self) -> str:
        """What it has written to standard error so far."""
        size = os.fstat(self._errors).st_size
        return os.pread(self._errors, size, 0).decode()

    async def line(self) -> str:
        """Return the next line of its standard output, without the end of line."""
        try:
            async with asyncio.timeout(PATIENCE):
                line = (await self.stdout.readline()).decode()
        except TimeoutError:
            raise AssertionError(f"said nothing more: {self.read!r} {self.stderr!r}") from None
        assert line, f"ended instead of saying more: {self.read!r} {self.stderr!r}"
        self.read += line
        return line.removesuffix("\n")

    async def ended(self) -> Ended:
        """Wait until it has ended by itself."""
        try:
            async with asyncio.timeout(PATIENCE):
                self.read += (await self.stdout.read()).decode()
                status = await self.process.wait()
        except TimeoutError:
            raise AssertionError(f"did not end: {self.read!r} {self.stderr!r}") from None
        return Ended(status, self.read, self.stderr)

    async def interrupted(self) -> Ended:
        """Press Ctrl-C and wait until it has ended."""
        os.killpg(self.process.pid, signal.SIGINT)
        return await self.ended()


@asynccontextmanager
async def started(
    *arguments: str, command: Sequence[str] = RTFLOW, env: Mapping[str, str] | None = None
) -> AsyncGenerator[Program]:
    """Run `rtflow`, or another command, with these arguments while the body runs.

    It is a process group of its own, as in a shell, and knows nothing of the tests' environment.
    """
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("RTFLOW_", "PYTHON"))}
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**outside, "COLUMNS": "200", **(env or {})},
            start_new_session=True,
        )
        program = Program(process, errors.fileno())
        try:
            yield program
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await program.ended()


async def rtflow(*arguments: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run a command of `rtflow` to its end."""
    async with started(*arguments, env=env) as program:
        return await program.ended()
