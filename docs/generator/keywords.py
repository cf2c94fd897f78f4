"""Keyword arguments: what `**fields` stands for, with the bounds of what it goes into."""

from collections.abc import Iterator
from inspect import isclass
from typing import Any, get_type_hints

from msgspec import structs

from docs.generator.annotations import as_python, bounds
from docs.generator.markdown import code, prose, table
from docs.generator.names import DOORS, function_of, members, of_door, parameters, unpacked
from docs.generator.source import TOLD_BY, docs_of_fields

__all__ = ["keyword_sections", "takers"]

TypedDict = Any  # Any: a type checker knows a TypedDict for no type


def takers() -> dict[TypedDict, list[str]]:
    """Return all that methods unpack keyword arguments from, and which methods these are."""
    found = dict[TypedDict, list[str]]()
    for kind in (it for door in DOORS for it in of_door(door) if isclass(it.value)):
        for name, member in members(kind.value):
            for parameter in _parameters(member):
                if (fields := unpacked(parameter)) is not None:
                    found.setdefault(fields, []).append(f"{kind.name}.{name}")
    return found


def _parameters(member: Any) -> Iterator[Any]:  # Any: a method, or one of many descriptors
    function = function_of(member)
    if function is member:
        yield from parameters(function).values()


def keyword_sections() -> str:
    """Tell them all, name by name."""
    return "\n\n".join(
        f"## {fields.__name__}\n\nTaken by {', '.join(map(code, methods))}. "
        f"{prose(fields.__doc__)}\n\n{_names(fields)}"
        for fields, methods in takers().items()
    )


def _names(fields: TypedDict) -> str:
    told = docs_of_fields(fields)
    target = TOLD_BY.get(fields, ())
    limits = {it.name: bounds(it.type) for kind in target[:1] for it in structs.fields(kind)}
    return table(
        ("name", "type", "bounds", ""),
        [
            (
                code(name) + ", required" * (name in fields.__required_keys__),
                code(as_python(hint)),
                limits.get(name, ""),
                told.get(name, ""),
            )
            for name, hint in get_type_hints(fields).items()
        ],
    )
