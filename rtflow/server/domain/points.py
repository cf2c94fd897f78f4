"""Resume points: up to which change a client has surely been told everything.

A point is written when a client is seen for the first time, and again when a connection ends. So it
is always true, also after a `kill -9`, only sometimes older than it need be.

Not here: when that is, and what follows from it (rtflow.server.gateway).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from rtflow.server.store.interface import Outcome, Steps, one, run

__all__ = ["Client", "Point", "close_points", "find_point", "keep_points"]

UNSURE: Final = 2 * 60 * 1000  # milliseconds: a dead connection is found out in half of that


class Client(NamedTuple):
    """One session object of the official client: the id that it gives itself, and its user."""

    id: str
    user_id: str


class Point(Struct, frozen=True):
    """`number` is that of a change; `is_open` tells whether the client is connected."""

    number: int
    is_open: bool


class _Number(Struct, frozen=True):
    number: int


class _Count(Struct, frozen=True):
    count: int


def find_point(client: Client) -> Steps[int | None]:
    """Return up to where a client was told everything; None: it was never here."""
    found = yield from one(
        _Number,
        "SELECT number FROM resume_points WHERE client_id = ?1 AND user_id = ?2",
        client.id,
        client.user_id,
    )
    return found.number if found else None


def keep_points(points: Mapping[Client, Point], now: int) -> Steps[Outcome[None]]:
    """Write down points."""
    for client, point in points.items():
        yield from run(
            "INSERT INTO resume_points (client_id, user_id, number, is_open, at)"
            " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (client_id, user_id) DO UPDATE"
            " SET number = excluded.number, is_open = excluded.is_open, at = excluded.at",
            client.id,
            client.user_id,
            point.number,
            int(point.is_open),
            now,
        )
    return Outcome(None)


def close_points(known_from: int, now: int) -> Steps[Outcome[None]]:
    """Tell the points of those who were connected when the last process died.

    They had been told all but the last, which may still have been on its way. Looked at are only
    changes above `known_from`.
    """
    left = yield from one(_Count, "SELECT count(*) FROM resume_points WHERE is_open = 1")
    if left is None or not left.count:
        return Outcome(None)
    told = yield from one(
        _Number,
        "SELECT coalesce(max(number), ?1) FROM log WHERE number > ?1"
        " AND at < (SELECT at FROM log ORDER BY number DESC LIMIT 1) - ?2",
        known_from,
        UNSURE,
    )
    assert told is not None, "max is one row"
    yield from run(
        "UPDATE resume_points SET number = max(number, ?1), is_open = 0, at = ?2 WHERE is_open = 1",
        told.number,
        now,
    )
    return Outcome(None)
