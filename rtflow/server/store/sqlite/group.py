"""Group: commands that run in one transaction, each of which can still fail alone.

A command gets a savepoint before its first write, so undoing it leaves the others; one that only
reads or refuses costs none. What it writes late waits for the end of all.

Storage trouble is different: SQLite may have undone everything, and commands may have decided by
what is not there any more. It is raised, and the whole group is lost.

Not here: when a group starts, when it commits, who is told (store.py).
"""

import logging
import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from rtflow.errors import RequestRefused, ServerFailed
from rtflow.server.store.interface import Change, Command, Reading, Statement
from rtflow.server.store.sqlite import log
from rtflow.server.store.sqlite.database import drive, is_storage_trouble

__all__ = ["AnySettle", "Group", "internal"]

AnyAnswer: TypeAlias = "Reading[Any] | Exception"  # Any: a group mixes commands of all results
AnySettle: TypeAlias = Callable[[AnyAnswer], None]

_logger: Final = logging.getLogger("rtflow.server.store")


def internal() -> ServerFailed:
    """Return what the caller is told of a fault of the program."""
    return ServerFailed("INTERNAL", "the server failed on this request; its log says why")


class Group:
    """An open transaction. `number` is the last change in or before it."""

    def __init__(self, writer: sqlite3.Connection, number: int, now: int) -> None:
        self.number = number
        self.changes: list[Change] = []
        self.answers: list[tuple[AnySettle, AnyAnswer]] = []
        self.wrote = False
        self.commit_seconds = self.committed_at = 0.0  # known when it is committed
        self._writer, self._now = writer, now
        self._has_savepoint = False
        self._late: list[Statement] = []  # of all commands, and from where on of this one
        self._late_before = 0

    def run(self, command: Command[Any], settle: AnySettle) -> None:
        """Run a command, or undo it and answer with its failure. Raises what loses the group."""
        try:
            answer = self._outcome_of(command)
        except Exception as exc:
            self.answers.append((settle, exc))  # like all others: nobody waits for ever
            raise
        self.answers.append((settle, answer))

    def _outcome_of(self, command: Command[Any]) -> AnyAnswer:
        self._has_savepoint, self._late_before = False, len(self._late)
        try:
            outcome = drive(command(), self._writer, self._write)
            if outcome.entries:
                self._before_write()
                change = Change(self.number + 1, outcome.entries)
                log.append(self._writer, change, self._now)
                self.changes.append(change)
                self.number = change.number
        except RequestRefused as refusal:
            self._undo()
            return refusal
        except Exception as exc:
            if is_storage_trouble(exc):
                raise
            _logger.exception("a command failed and was undone")
            self._undo()
            return internal()
        if self._has_savepoint:
            self._writer.execute("RELEASE command")
            self.wrote = True
        return Reading(outcome.result, self.number)

    def finish(self) -> None:
        """Write what was to be written late. Raises what goes wrong, for all."""
        for statement in self._late:
            self._writer.execute(statement.sql, statement.args)

    def trim(self, kept_changes: int) -> None:
        """Forget a bite of what is too old. Raises storage trouble."""
        log.trim(self._writer, self._now, kept_changes)
        self.wrote = True

    def _write(self, statement: Statement) -> None:
        self._before_write()
        if statement.is_late:
            self._late.append(statement)
        else:
            self._writer.execute(statement.sql, statement.args)

    def _before_write(self) -> None:
        if not self._has_savepoint:
            self._writer.execute("SAVEPOINT command")
            self._has_savepoint = True

    def _undo(self) -> None:
        del self._late[self._late_before :]
        if self._has_savepoint:
            self._writer.execute("ROLLBACK TO command")
            self._writer.execute("RELEASE command")
