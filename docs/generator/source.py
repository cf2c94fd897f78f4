"""What the code says of itself: docstrings of fields, found in the source.

Python forgets the docstring of an attribute, so the source is parsed for it. What a snapshot shows
is told there, and only there: `TOLD_BY` says whose fields have the same meaning.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import Struct

from rtflow.model import content, entities, events, params, snapshots

__all__ = ["ROOT", "TOLD_BY", "docs_of_constants", "docs_of_fields", "place_of"]

Kind = Any  # Any: a class, or a TypedDict, which a type checker knows for no type

ROOT = Path(__file__).parent.parent.parent

TOLD_BY: dict[Kind, tuple[type[Struct], ...]] = {
    entities.User: (snapshots.UserSnapshot,),
    entities.Online: (snapshots.UserOnlineSnapshot,),
    entities.Message: (snapshots.MessageSnapshot,),
    entities.ReactionDiff: (snapshots.ReactionSummarySnapshot,),  # and so of ReactionSummary
    entities.Reaction: (snapshots.ReactionSnapshot,),
    entities.Conversation: (snapshots.ConversationSnapshot,),
    entities.Participant: (snapshots.ParticipantSnapshot,),
    entities.Typing: (snapshots.TypingSnapshot,),
    events.UserDiff: (snapshots.UserSnapshot,),
    events.OnlineDiff: (snapshots.UserOnlineSnapshot,),
    events.ConversationDiff: (snapshots.ConversationSnapshot,),
    events.SideDiff: (snapshots.ConversationSnapshot,),
    events.ParticipantDiff: (snapshots.ParticipantSnapshot,),
    events.MessageDiff: (snapshots.MessageSnapshot,),
    params.CreateUser: (params.SetUser, snapshots.UserSnapshot),
    params.SetUser: (snapshots.UserSnapshot,),
    params.ConversationParams: (snapshots.ConversationSnapshot,),
    params.ParticipantParams: (snapshots.ParticipantSnapshot,),
    params.SendMessage: (snapshots.MessageSnapshot,),
    params.EditMessage: (snapshots.MessageSnapshot,),
    content.SendFileBlock: (content.FileBlock,),
    # Keyword arguments, by what they go into first: that has the bounds, too.
    params.CreateUserFields: (params.CreateUser,),
    params.SetUserFields: (params.SetUser,),
    params.ConversationFields: (params.ConversationParams,),
    params.ParticipantFields: (params.ParticipantParams,),
    params.MessageFields: (params.EditMessage,),
}


def docs_of_fields(kind: Kind) -> dict[str, str]:
    """Return the docstrings of the fields of a class, its bases', and those it is told by."""
    told = dict[str, str]()
    for base in reversed(kind.__mro__):
        for told_by in reversed(TOLD_BY.get(base, ())):
            told |= docs_of_fields(told_by)
        told |= _own(base)
    return told


def docs_of_constants(module: ModuleType) -> dict[str, str]:
    """Return the docstrings of the names that a module binds."""
    return dict(_told(_parsed(module).body))


@cache
def _own(kind: Kind) -> dict[str, str]:
    module = sys.modules.get(kind.__module__)
    if module is None or not kind.__module__.startswith("rtflow"):
        return {}
    for node in _parsed(module).body:
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
            return dict(_told(node.body))
    return {}


@cache
def _parsed(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _told(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    """Pair each name that is bound with the string that follows."""
    for bound, told in pairwise(body):
        match bound, told:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, inspect.cleandoc(text)
            case _:
                pass


def place_of(thing: object) -> str:
    """Return where a class, a function or a module is, as a path from the root."""
    found: Any = inspect.unwrap(thing) if callable(thing) else thing  # Any: one of many
    file = inspect.getsourcefile(found)
    assert file is not None
    return Path(file).resolve().relative_to(ROOT).as_posix()
