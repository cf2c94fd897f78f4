"""Types in words: as Python says it, as JSON says it, and how much of it there may be.

Aliases are resolved, because a reader cannot look them up; unions that have a name of their own
in the reference keep it.
"""

import inspect
import types
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Literal,
    Required,
    TypeVar,
    Union,
    Unpack,
    cast,
    get_args,
    get_origin,
)

import msgspec
from msgspec import UnsetType
from msgspec import inspect as kinds

from rtflow.model import content, filters

__all__ = ["Type", "as_json", "as_python", "between", "bounds", "is_optional"]

Type = Any  # Any: annotations are of many types, and of none in common

NAMED: tuple[tuple[Type, str], ...] = (
    (content.Node, "Node"),
    (content.Block, "Block"),
    (content.SendBlock, "SendBlock"),
    (filters.AnyOf, "AnyOf"),
    (filters.Filter, "Filter"),
    (filters.TextFilter, "TextFilter"),
    (filters.NumberFilter, "NumberFilter"),
    (filters.CustomFilter, "CustomFilter"),
)


def as_python(annotation: Type) -> str:
    """Write a type as one would in a program."""
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    for alias, name in NAMED:
        if annotation == alias:
            return name
    origin: Any = get_origin(annotation)  # Any: a class, or something special
    arguments = get_args(annotation)
    match origin:
        case None:
            return _name(annotation)
        case types.UnionType | _ if origin in (Union, types.UnionType):
            return " | ".join(dict.fromkeys(map(as_python, _nulls_last(_gathered(arguments)))))
        case _ if origin is Literal:
            return " | ".join(_quoted(value) for value in arguments)
        case _ if origin in (Annotated, Required):
            return as_python(arguments[0])
        case _ if origin is Unpack:
            return f"Unpack[{as_python(arguments[0])}]"
        case _ if _name(origin) == "Callable":
            *given, result = arguments
            listed = ", ".join(map(as_python, cast("list[Type]", given[0]) if given else []))
            return f"Callable[[{listed}], {as_python(result)}]"
        case _:
            inside = ", ".join("..." if it is ... else as_python(it) for it in arguments)
            return f"{_name(origin)}[{inside}]"


def _gathered(several: tuple[Type, ...]) -> tuple[Type, ...]:
    """Put unions back together that have a name, and were taken apart inside of another one."""
    for union, _ in NAMED:
        parts = get_args(union)
        if isinstance(union, types.UnionType) and set(parts) < set(several):
            several = (union, *(it for it in several if it not in parts))
    return several


def _name(annotation: Type) -> str:
    if annotation in (None, types.NoneType):
        return "None"
    if isinstance(annotation, TypeVar):
        return annotation.__name__
    if annotation is inspect.Parameter.empty:
        return ""
    return str(getattr(annotation, "__name__", annotation)).removeprefix("typing.")


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def as_json(annotation: Type) -> str:
    """Write a type as JSON has it, in words."""
    for alias, name in NAMED:
        if annotation == alias:
            return f"`{name}`"
    origin: Any = get_origin(annotation)  # Any: a class, or something special
    arguments = get_args(annotation)
    match origin:
        case None:
            return JSON.get(annotation) or f"`{_name(annotation)}`"
        case types.UnionType | _ if origin in (Union, types.UnionType):
            known = (it for it in _nulls_last(arguments) if it is not UnsetType)
            return " or ".join(dict.fromkeys(map(as_json, known)))
        case _ if origin is Literal:
            return " or ".join(f"`{msgspec.json.encode(it).decode()}`" for it in arguments)
        case _ if origin is Annotated:
            return as_json(arguments[0])
        case _ if origin in (tuple, list) and arguments[1:] in ((), (...,)):
            return f"list of {_together(arguments[0])}"
        case _ if origin is tuple:
            return f"[{', '.join(map(as_json, arguments))}]"
        case _ if origin is dict:
            return f"object of {_together(arguments[1])}"
        case _:
            return f"`{_name(origin)}` of {_together(arguments[0])}"


JSON: dict[Type, str] = {
    Any: "anything",
    bool: "boolean",
    float: "number",
    int: "integer",
    types.NoneType: "null",
    str: "string",
}


def _together(annotation: Type) -> str:
    words = as_json(annotation)
    return f"({words})" if " or " in words else words


def _nulls_last(several: tuple[Type, ...]) -> list[Type]:
    return sorted(several, key=lambda it: it is types.NoneType)


def bounds(annotation: Type) -> str:
    """Say how long, how many, how large; empty when there is no bound."""
    return _bounds(kinds.type_info(annotation))


def _bounds(kind: kinds.Type) -> str:
    match kind:
        case kinds.UnionType(types=several):
            return _joined("; ", *map(_bounds, several))
        case kinds.StrType(min_length=least, max_length=most):
            return between(least, most, "characters")
        case kinds.IntType(ge=least, le=most) | kinds.FloatType(ge=least, le=most):
            return between(least, most)
        case kinds.VarTupleType(item_type=item, min_length=least, max_length=most):
            each = _bounds(item)
            return _joined(", ", between(least, most), each and f"each {each}")
        case kinds.DictType(key_type=key, value_type=value, min_length=least, max_length=most):
            keys, values = _bounds(key), _bounds(value)
            return _joined(
                ", ",
                between(least, most, "keys"),
                keys and f"a key {keys}",
                values and f"a value {values}",
            )
        case _:
            return ""


def _joined(by: str, *phrases: str) -> str:
    return by.join(dict.fromkeys(filter(None, phrases)))


def between(least: float | None, most: float | None, unit: str = "") -> str:
    """Say in words what is allowed; empty: everything."""
    if least is None and most is None:
        return ""
    if most is None:
        said = f"{least:,} or more" if least != 1 or not unit else "not empty"
        unit = unit if said != "not empty" else ""
    elif not least:
        said = f"at most {most:,}"
    else:
        said = f"{least:,} to {most:,}"
    return f"{said} {unit}".strip()


def is_optional(annotation: Type) -> bool:
    """Tell whether a key of this type may be left out."""
    return UnsetType in get_args(annotation)
