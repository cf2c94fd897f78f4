"""Group: commands that run in one transaction, each of which can still fail alone.

Commands refuse before their first write, and one that fails after it has met a bug. So a group is
first run without savepoints, which are not free (SQLite copies each page that is touched after
one). If a command does fail among the writes of others nothing can be undone alone: the group
is `Tangled`. It is run again from its start, carefully: then each command has a savepoint before
its first write.

Joint commands that follow one another are run in one go; when run carefully, each alone.

What commands write late, and the log, waits for the end of all.

Storage trouble is different: SQLite may have undone everything, and commands may have decided by
what is not there any more. It is raised, and the whole group is lost.

Not here: when a group starts, when it commits, who is told (store.py).
"""

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, Final, TypeAlias, TypeGuard

from rtflow.errors import RequestRefused, ServerFailed
from rtflow.server.store.interface import (
    Change,
    Command,
    Joint,
    Outcome,
    Reading,
    Statement,
    Steps,
)
from rtflow.server.store.sqlite import log
from rtflow.server.store.sqlite.database import drive, is_storage_trouble

__all__ = ["AnySettle", "Group", "Tangled", "Waiting", "internal"]

AnyAnswer: TypeAlias = "Reading[Any] | Exception"  # Any: a group mixes commands of all results
AnySettle: TypeAlias = Callable[[AnyAnswer], None]
Waiting: TypeAlias = tuple[Command[Any], AnySettle]

_logger: Final = logging.getLogger("rtflow.server.store")


def internal() -> ServerFailed:
    """Return what the caller is told of a fault of the program."""
    return ServerFailed("INTERNAL", "the server failed on this request; its log says why")


class Tangled(Exception):
    """A command failed that cannot be undone alone: the group has to be run again, carefully."""


class Group:
    """An open transaction. `number` is the last change in or before it."""

    def __init__(
        self, writer: sqlite3.Connection, number: int, now: int, *, is_careful: bool = False
    ) -> None:
        self.number = number
        self.commands: list[Waiting] = []  # that were run, in order
        self.changes: list[Change] = []
        self.answers: list[tuple[AnySettle, AnyAnswer]] = []
        self.wrote = False
        self.commit_seconds = self.committed_at = 0.0  # known when it is committed
        self._writer, self._now, self._is_careful = writer, now, is_careful
        self._has_written = False  # this command
        self._late: list[Statement] = []  # of all commands, and from where on of this one
        self._late_before = 0
        self._logged: list[log.Line] = []

    def run(self, command: Command[Any], settle: AnySettle) -> None:
        """Run a command, or undo it and answer with its failure.

        Raises `Tangled`, and what else loses the group: then all of it is to be undone.
        """
        self.commands.append((command, settle))
        try:
            answer = self._answer_of(command)
        except Exception as exc:
            self.answers.append((settle, exc))  # like all others: nobody waits for ever
            raise
        self.answers.append((settle, answer))

    def run_next(self, waiting: deque[Waiting], most: int) -> None:
        """Run the next command; with it those that are joint with it, `most` in all.

        Raises what `run` raises.
        """
        command, settle = waiting.popleft()
        if self._is_careful or not _is_joint(command):
            self.run(command, settle)
            return
        self.commands.append((command, settle))
        parts, settles = [command.part], [settle]
        while waiting and len(parts) < most:
            following, settle = waiting[0]
            if not _is_joint(following) or following.work is not command.work:
                break
            self.commands.append(waiting.popleft())
            parts.append(following.part)
            settles.append(settle)
        try:
            answers = self._answers_of(command.work(parts))
        except Exception as exc:
            self.answers += [(settle, exc) for settle in settles]
            raise
        self.answers += zip(settles, answers, strict=True)

    def _answers_of(self, work: Steps[list[Outcome[Any] | RequestRefused]]) -> list[AnyAnswer]:
        self._has_written = False
        try:
            outcomes = drive(work, self._writer, self._write)
            answers: list[AnyAnswer] = [
                it if isinstance(it, RequestRefused) else self._note(it) for it in outcomes
            ]
        except Exception as exc:
            if is_storage_trouble(exc):
                raise
            raise Tangled from exc  # which of them failed shows when each is run alone
        self.wrote |= self._has_written
        return answers

    def _answer_of(self, command: Command[Any]) -> AnyAnswer:
        self._has_written, self._late_before = False, len(self._late)
        try:
            answer = self._note(drive(command(), self._writer, self._write))
        except RequestRefused as refusal:
            self._undo()
            return refusal
        except Exception as exc:
            if is_storage_trouble(exc):
                raise
            self._undo()
            _logger.exception("a command failed and was undone")
            return internal()
        if self._has_written:
            self.wrote = True
            if self._is_careful:
                self._writer.execute("RELEASE command")
        return answer

    def _note(self, outcome: Outcome[Any]) -> Reading[Any]:
        if outcome.entries:
            if not self._has_written:
                self._before_write()
            change = Change(self.number + 1, outcome.entries)
            self._logged.append(log.line(change, self._now))
            self.changes.append(change)
            self.number = change.number
        return Reading(outcome.result, self.number)

    def finish(self) -> None:
        """Write what was to be written late. Raises what goes wrong, for all."""
        for sql, same in groupby(self._late, _sql):
            self._writer.executemany(sql, chain.from_iterable(map(_many, same)))
        log.append(self._writer, self._logged)

    def trim(self, kept_changes: int) -> None:
        """Forget a bite of what is too old. Raises storage trouble."""
        log.trim(self._writer, self._now, kept_changes)
        self.wrote = True

    def _write(self, statement: Statement) -> None:
        if not self._has_written:
            self._before_write()
        if statement.is_late:
            self._late.append(statement)
        elif statement.many is not None:
            self._writer.executemany(statement.sql, statement.many)
        else:
            self._writer.execute(statement.sql, statement.args)

    def _before_write(self) -> None:
        if self._is_careful:
            self._writer.execute("SAVEPOINT command")
        self._has_written = True

    def _undo(self) -> None:
        del self._late[self._late_before :]
        if self._has_written:
            if not self._is_careful:
                raise Tangled
            self._writer.execute("ROLLBACK TO command")
            self._writer.execute("RELEASE command")


def _is_joint(command: Command[Any]) -> TypeGuard[Joint[Any]]:
    return isinstance(command, Joint)


_sql: Final[Callable[[Statement], str]] = attrgetter("sql")
_many: Final[Callable[[Statement], Sequence[tuple[Any, ...]]]] = attrgetter("many")
