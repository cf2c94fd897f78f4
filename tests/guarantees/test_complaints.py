"""The complaints that users of such libraries share, as far as no guarantee's test answers them:
calls that block, and values without a type."""

import asyncio
import inspect
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

import rtflow
from rtflow.testing import Link
from rtflow.testing.plugin import OpenSession


def annotated() -> Iterator[tuple[str, Any]]:
    """Whatever of ours a user may call or read, by its name: functions, and classes of fields."""
    for door in rtflow.__all__:
        owner = getattr(rtflow, door)
        if not inspect.isclass(owner):
            continue
        if issubclass(owner, msgspec.Struct):
            yield door, owner
        for name, member in inspect.getmembers(owner):
            function = member.fget if isinstance(member, property) else member
            is_ours = (getattr(function, "__module__", None) or "").startswith("rtflow.")
            if inspect.isroutine(function) and is_ours and not name.startswith("_"):
                yield f"{door}.{name}", inspect.unwrap(function)


ANNOTATED = dict(annotated())
del ANNOTATED["Stream.pipe"]  # reactivex overloads it for type checkers: tests/typing looks at that


@pytest.mark.parametrize("name", ANNOTATED)
def test_whatever_is_public_has_a_type_that_says_something(name: str) -> None:
    thing = ANNOTATED[name]
    hints = typing.get_type_hints(thing)
    if inspect.isroutine(thing):
        parameters = inspect.signature(thing).parameters.keys() - {"self", "cls"}
        assert hints.keys() >= parameters | {"return"}
    assert [key for key, hint in hints.items() if "Any" in str(hint)] == []


def test_every_kind_of_public_thing_is_looked_at() -> None:
    examples = {"Session.conversation", "Session.connection", "Stream.subscribe", "Window"}
    assert examples | {"ConversationRef.send", "Live.get", "ConversationSnapshot"} <= {*ANNOTATED}


@pytest.mark.parametrize("trouble", ["nobody answers", "nobody is there", "the token is late"])
async def test_the_loop_turns_while_a_call_waits(
    open_session: OpenSession, link: Link, trouble: str
) -> None:
    async def token() -> str:
        await asyncio.Event().wait()
        return "never"

    first = await open_session("bob")
    await first.current_user.get()  # who is the first to ask over HTTP waits for an import
    if trouble == "nobody answers":
        link.stall("down")
    if trouble == "nobody is there":
        link.refuse()
    late = {"token": token} if trouble == "the token is late" else {}
    session = await open_session("alice", server=link.url, request_timeout=0.2, **late)
    loop, turns = asyncio.get_running_loop(), 0
    next_turn: asyncio.Handle | None = None

    def turn() -> None:
        nonlocal turns, next_turn
        turns += 1
        next_turn = loop.call_later(0.001, turn)

    turn()
    with pytest.raises(rtflow.RequestTimedOut):
        await session.conversation("lunch").get()
    assert next_turn is not None
    next_turn.cancel()
    assert turns > 3
    link.resume()
    link.accept()
