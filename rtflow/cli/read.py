"""`rtflow get` and `rtflow observe`: what one user sees, as JSON, once or after each change."""

import asyncio
from contextlib import suppress
from typing import Literal

import rtflow
from rtflow.cli.client import Caller, connected, persistent
from rtflow.cli.failure import Misuse, misused
from rtflow.cli.output import ending_with_the_reader, print_json

__all__ = ["get", "observe"]


def get(kind: Literal["user", "conversation"], id: str, /, *, caller: Caller) -> None:
    """Print one JSON object, or null when it does not exist or this user may not see it.

    Parameters
    ----------
    kind
        What to look at.
    id
        Its id.
    """
    asyncio.run(print_once(kind, id, caller))


def observe(
    kind: Literal["user", "conversation", "conversations"],
    id: str | None = None,
    /,
    *,
    caller: Caller,
) -> None:
    """Print one JSON object per line: the current state, then each newer one, until Ctrl-C.

    It may start before its server and outlives its restarts.

    Parameters
    ----------
    kind
        What to look at.
    id
        Its id; `conversations`, the most recent ones of this user, have none.
    """
    if kind == "conversations" and id is not None:
        raise Misuse(f"conversations have no id, unlike {id!r}: observe conversation {id}")
    if kind != "conversations" and id is None:
        raise Misuse(f"which {kind}? observe {kind} ID")
    with suppress(KeyboardInterrupt):
        asyncio.run(print_changes(kind, id, caller))


async def print_once(kind: str, id: str, caller: Caller) -> None:
    async with connected(caller) as session:
        print_json(await pick(session, kind, id).get())


async def print_changes(kind: str, id: str | None, caller: Caller) -> None:
    with ending_with_the_reader():
        async with persistent(caller) as session:
            if id is None:
                async for window in session.conversations:
                    print_json(window)
            else:
                async for snapshot in pick(session, kind, id):
                    print_json(snapshot)


def pick(session: rtflow.Session, kind: str, id: str) -> rtflow.UserRef | rtflow.ConversationRef:
    """Return what is meant. Raises `Misuse` for an id that can never be one."""
    with misused():
        return session.user(id) if kind == "user" else session.conversation(id)
