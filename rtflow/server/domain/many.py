"""Asking for many ids at once, with few different statements, so that they stay prepared."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeVar

from msgspec import Struct

from rtflow.server.store.interface import Steps, rows

__all__ = ["rows_among"]

SIZES: Final = (1, 4, 16, 64, 256)

S = TypeVar("S", bound=Struct)


def rows_among(kind: type[S], sql: str, *args: object, ids: Sequence[str]) -> Steps[list[S]]:
    """Ask for all rows with one of these ids. `sql` has `{ids}` in the place of their list."""
    found: list[S] = []
    for start in range(0, len(ids), SIZES[-1]):
        part = ids[start : start + SIZES[-1]]
        size = next(size for size in SIZES if size >= len(part))
        padding = (part[-1],) * (size - len(part))  # an id twice in a list is one row all the same
        found += yield from rows(kind, _filled(sql, len(args), size), *args, *part, *padding)
    return found


@lru_cache(maxsize=100)
def _filled(sql: str, before: int, size: int) -> str:
    return sql.replace("{ids}", ", ".join(f"?{before + n}" for n in range(1, size + 1)))
