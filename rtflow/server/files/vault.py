"""The vault: a folder of contents, each in a file that is named by its SHA-256.

    <folder>/incoming/<random>      a body that is on its way
    <folder>/ab/abcdef...           a content: whole, on the disk for good, and never changed

A content comes by renaming, so it is there whole or not at all, and the same content twice is one
file. Nothing that a client says is part of a path.

Not here: whose a content is, what it is called, whether it is still needed (domain/files.py).
Invariant: a content that a row of the database names is there. So who adds one, or takes some away,
holds `changing` until the database knows, or has been asked.
"""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import BinaryIO, Final, TypeVar

__all__ = ["SHARDS", "Incoming", "UnusableFolder", "Vault", "open_vault", "place_of"]

T = TypeVar("T")

THREADS: Final = 4
STALE: Final = 24 * 3600.0  # seconds: what is older and nobody's is garbage
SHARDS: Final = tuple(f"{number:02x}" for number in range(256))


class UnusableFolder(OSError):
    """Files cannot be kept in a folder. `errno` says why, `str()` is one line for people."""

    def __str__(self) -> str:
        return (
            f"uploaded files cannot be kept in {self.filename}: {self.strerror}; let this user "
            "write there, or name another folder (`files` in the settings)"
        )


async def open_vault(folder: Path | None) -> "Vault":
    """Open a folder, made when it is not there; None: a temporary one, removed at the end.

    It is this process's alone, so what is still on its way in it was left by one that was killed,
    and is removed. Raises `UnusableFolder` when it cannot be written to.
    """
    temporary = None
    if folder is None:
        temporary = TemporaryDirectory(prefix="rtflow-files-", ignore_cleanup_errors=True)
        folder = Path(temporary.name)
    vault = Vault(folder, temporary)
    try:
        await vault.run(partial(_make_ready, folder / "incoming"))
    except BaseException as exc:
        await vault.close()
        if isinstance(exc, OSError):
            raise UnusableFolder(exc.errno, exc.strerror, str(folder)) from exc
        raise
    return vault


class Vault:
    """Made by `open_vault`. `changing`: see the invariant."""

    def __init__(self, folder: Path, temporary: "TemporaryDirectory[str] | None") -> None:
        self.folder, self._temporary = folder.absolute(), temporary
        self.changing = asyncio.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="rtflow-files")

    async def run(self, work: Callable[[], T]) -> T:
        """Do what has to wait for the disk."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @asynccontextmanager
    async def receiving(self) -> AsyncGenerator["Incoming"]:
        """Take in a body. Of one that was not kept nothing is left."""
        incoming = Incoming(self, self.folder / "incoming" / secrets.token_hex(16))
        try:
            yield incoming
        finally:
            await asyncio.shield(self.run(incoming.drop))

    def path(self, content: str) -> Path:
        """Return where a content is."""
        return place_of(self.folder, content)

    async def remove(self, contents: Iterable[str]) -> None:
        """Remove contents, whether they are there or not. The caller holds `changing`."""
        await self.run(partial(_remove, [self.path(content) for content in contents]))

    async def stale(self, shard: str) -> list[str]:
        """Return the contents of a shard that came long ago."""
        return [path.name for path in await self.run(partial(_stale, self.folder / shard))]

    async def tidy(self) -> None:
        """Remove bodies of long ago, which could not be removed when they should have been."""
        await self.run(lambda: _remove(_stale(self.folder / "incoming")))

    async def close(self) -> None:
        """Wait for what is being done. Remove a temporary folder. Idempotent."""
        if self._temporary is not None:
            await self.run(self._temporary.cleanup)
            self._temporary = None
        self._threads.shutdown()


class Incoming:
    """A body on its way. Its methods are for one caller, in their order."""

    def __init__(self, vault: Vault, path: Path) -> None:
        self.size = 0
        self._vault, self._path = vault, path
        self._digest = sha256()
        self._lock = Lock()  # one who was cancelled leaves while a thread still writes
        self._file: BinaryIO | None = None

    async def write(self, data: bytes) -> None:
        """Write what has come."""
        await self._vault.run(partial(self._write, data))

    async def settle(self) -> None:
        """See to it that what was written is on the disk for good."""
        await self._vault.run(self._settle)

    async def keep(self) -> str:
        """Make a content of what is settled; return its name (sha256). The caller holds
        `changing`."""
        return await self._vault.run(self._keep)

    def drop(self) -> None:
        """Remove what is left of it. In a thread."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._path.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        with self._lock:
            if self._file is None:
                self._file = self._path.open("xb", buffering=0)
            written = memoryview(data)
            while written:
                written = written[self._file.write(written) :]
            self._digest.update(data)
            self.size += len(data)

    def _settle(self) -> None:
        self._write(b"")  # so that there is a file, also of nothing
        with self._lock:
            assert self._file is not None, "it was written to"
            os.fsync(self._file.fileno())

    def _keep(self) -> str:
        content = self._digest.hexdigest()
        place = self._vault.path(content)
        _make(place.parent)
        with self._lock:
            self._path.replace(place)
        _flush(place.parent)
        return content


def place_of(folder: Path, content: str) -> Path:
    """Return where a content is in a vault's folder."""
    return folder / content[:2] / content


def _make_ready(incoming: Path) -> None:
    _make(incoming.parent)  # by itself: parents that are made on the way are open to all
    _make(incoming)
    _remove(list(incoming.iterdir()))


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _flush(folder.parent)


def _flush(folder: Path) -> None:
    """See to it that what is in a folder is so on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stale(folder: Path) -> list[Path]:
    found: list[Path] = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if time.time() - entry.stat().st_mtime > STALE:
                    found.append(Path(entry.path))
    return found


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
