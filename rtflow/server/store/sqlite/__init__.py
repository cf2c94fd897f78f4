"""The embedded store: one SQLite file, one process, group commit."""

from rtflow.server.store.sqlite.store import SqliteStore, open_sqlite

__all__ = ["SqliteStore", "open_sqlite"]
