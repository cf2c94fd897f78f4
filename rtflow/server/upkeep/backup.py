"""Backups: one state of the database in a file of its own, and the uploads that it names.

How both become one state. A content never changes, and goes only when no file has had it for a day.
So first the contents are taken that are named now, then the database, then those contents that the
copy names beside: they came meanwhile, so none of them can have gone.

Everything is made in a folder beside the target, then moved: the uploads first, the database last.
So the file of a backup is there only when the backup is whole.

Contents are linked where the file system can (that takes no room, and nobody writes to them), else
copied.

Not here: bringing one back; that is a backup of the backup, to where the server looks.
Invariant: nothing that was there is overwritten.
"""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from rtflow.errors import RtflowError
from rtflow.server.files import place_of
from rtflow.server.settings import Settings
from rtflow.server.store.sqlite.visitor import visiting
from rtflow.server.upkeep.contents import named

__all__ = ["Backup", "CannotBackUp", "back_up"]


class CannotBackUp(RtflowError):
    """The backup could not be made, and nothing of it is left. Made of `target` and `reason`."""

    target: str
    """The file that was to be made."""

    reason: str
    """Why it could not."""

    def __init__(self, target: str, reason: str) -> None:
        super().__init__(target, reason)
        self.target, self.reason = target, reason

    def __str__(self) -> str:
        return f"cannot make the backup {self.target}: {self.reason}"


class Backup(Struct, frozen=True):
    """A backup that was made."""

    database: Path
    """The file of the database."""

    files: Path
    """The folder of uploaded files."""

    changes: int
    """The number of the last change that is in it."""

    contents: int
    """How many uploaded contents it has."""

    missing: tuple[str, ...]
    """Names of uploads whose content was not there to be backed up: see `examine`."""


def back_up(target: str | Path, settings: Settings | None = None) -> Backup:
    """Back up what a server with these `settings` has stored; it may run meanwhile.

    `target` is the file to make; uploads go into a folder beside it, with `-files` behind its
    name. Neither may exist. `settings` are those of the environment when not given; only
    `database` and `files` count. Blocks. Raises `CannotBackUp`, and `UnusableDatabase` when there
    is nothing sound to back up.
    """
    settings = Settings() if settings is None else settings
    target = Path(target).absolute()
    folder = Path(f"{target}-files")
    for taken in (target, folder, Path(f"{target}-wal"), Path(f"{target}-shm")):
        if os.path.lexists(taken):
            reason = f"{taken} is there already; name another file, or move that one away"
            raise CannotBackUp(str(target), reason)
    with visiting(settings.database) as first:
        source = settings.file_folder
        assert source is not None, "only a database in memory has none, and is no file"
        contents = [it.sha256 for it in named(first)]
    try:
        with TemporaryDirectory(prefix=f"{target.name}-", dir=target.parent) as making:
            database, files = Path(making) / "database", Path(making) / "files"
            files.mkdir(mode=0o700)
            for content in contents:
                _take(source, files, content)
            with visiting(settings.database) as visitor:
                visitor.copy(database)
            with visiting(database) as copy:
                wanted = list(named(copy))
                changes = copy.number("SELECT coalesce(max(number), 0) FROM log")
            missing = [it.filename for it in wanted if not _take(source, files, it.sha256)]
            _keep_only(files, {it.sha256 for it in wanted})
            _settle(files, database)
            _move(files, folder, database, target)
    except OSError as exc:
        raise CannotBackUp(str(target), str(exc)) from exc
    return Backup(target, folder, changes, len(wanted) - len(missing), tuple(missing))


def _take(source: Path, files: Path, content: str) -> bool:
    """Get a content, unless we have it. Returns whether we have it."""
    theirs, ours = place_of(source, content), place_of(files, content)
    if ours.exists():
        return True
    ours.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        try:
            os.link(theirs, ours)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, or one that has no links
            shutil.copyfile(theirs, ours)
            _flush(ours)
    except FileNotFoundError:
        return False
    return True


def _keep_only(files: Path, wanted: set[str]) -> None:
    """Let go of what was forgotten meanwhile."""
    for shard in list(files.iterdir()):
        for content in list(shard.iterdir()):
            if content.name not in wanted:
                content.unlink()
        if not any(shard.iterdir()):
            shard.rmdir()


def _settle(files: Path, database: Path) -> None:
    """See to it that all of it is on the disk for good."""
    for shard in files.iterdir():
        _flush(shard)
    _flush(files)
    _flush(database)


def _move(files: Path, folder: Path, database: Path, target: Path) -> None:
    """Give both their names, or neither."""
    files.rename(folder)
    try:
        try:
            os.link(database, target)  # unlike a renaming it never overwrites
        except FileExistsError:
            raise
        except OSError:  # a file system that has no links
            database.rename(target)
    except OSError:
        folder.rename(files)
        raise
    _flush(target.parent)


def _flush(path: Path) -> None:
    """Wait until a file, or what is in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
