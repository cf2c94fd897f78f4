"""A JavaScript program of this folder, run beside a server: line by line, and buried in the end.

Not here: what it says (the scenarios; mixed.mjs). Invariant: no process outlives `started`.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator
from typing import Any

from rtflow.testing import ServerProcess
from tests.interop.node import HERE, Node

__all__ = ["Line", "Script", "started"]

LONGEST_LINE = 16 * 1024 * 1024  # bytes; a scenario may show what it saw

Line = dict[str, Any]  # Any: each program says what it likes, as JSON objects


class Script:
    """A program that runs. Not to be built: see `started`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._stdin, self._stdout = process, process.stdin, process.stdout
        self.said: list[str] = []

    async def line(self) -> Line | None:
        """Return what it says next; None: it has ended. What is not JSON is only remembered."""
        while line := (await self._stdout.readline()).decode():
            self.said.append(line)
            with contextlib.suppress(ValueError):
                return dict(json.loads(line))
        return None

    def tell(self, line: str) -> None:
        """Write it a line."""
        self._stdin.write(f"{line}\n".encode())

    async def ended(self) -> int:
        """Wait for its end; return its status."""
        return await self._process.wait()


@contextlib.asynccontextmanager
async def started(
    node: Node, program: str, server: ServerProcess, secret: str | None, **more: str
) -> AsyncGenerator[Script]:
    """Start `program`, whose standard error goes to ours, where pytest shows it."""
    environment = {
        key: os.environ[key]
        for key in ("PATH", "HOME", "SYSTEMROOT", "TMPDIR")
        if key in os.environ
    }
    environment |= {"HOST": f"localhost:{server.port}", "APP_ID": "demo", **more}
    if secret is not None:
        environment["SECRET"] = secret
    process = await asyncio.create_subprocess_exec(
        node.node,
        str(HERE / program),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
        env=environment,
    )
    script = Script(process)
    try:
        yield script
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        while await script.line() is not None:
            pass
        await script.ended()
