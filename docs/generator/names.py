"""The public names: which there are, where they are defined, what is said of them.

Not here: how they are laid out (sections.py).
"""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cached_property
from types import FunctionType, ModuleType
from typing import Any, Unpack, get_args, get_origin

from msgspec import Struct

from docs.generator.source import docs_of_constants, docs_of_fields, place_of

__all__ = [
    "DOORS",
    "Public",
    "constructor",
    "function_of",
    "members",
    "of_door",
    "of_module",
    "parameters",
    "public_classes",
    "said_of",
    "unpacked",
]

DOORS = ("rtflow", "rtflow.server", "rtflow.testing")
MEMBER = (property, cached_property, classmethod, staticmethod, FunctionType)
SPECIAL = {"__aiter__"}  # methods of the language that are called by a name nobody would guess
HOOKS = {"settings_customise_sources"}  # public in name only: what a framework calls


class Public(Struct, frozen=True):
    """What a program may import, by which name and through which door."""

    door: str
    name: str
    value: Any  # Any: a class, a function or a constant

    @property
    def module(self) -> ModuleType:
        """Where it is defined."""
        if inspect.isclass(self.value) or inspect.isroutine(self.value):
            return sys.modules[self.value.__module__]
        for name, module in sorted(sys.modules.items()):
            if name.startswith("rtflow.") and self.name in docs_of_constants(module):
                return module
        raise LookupError(f"{self.door}.{self.name} has no docstring where it is defined")

    @property
    def doc(self) -> str:
        """What is said of it; empty: nothing."""
        if inspect.isclass(self.value) or inspect.isroutine(self.value):
            return said_of(self.value)
        return docs_of_constants(self.module).get(self.name, "")

    @property
    def place(self) -> tuple[str, int]:
        """The file and the line of its definition."""
        if inspect.isclass(self.value) or inspect.isroutine(self.value):
            return place_of(self.value), inspect.getsourcelines(inspect.unwrap(self.value))[1]
        return place_of(self.module), 0  # before the classes


def said_of(thing: object) -> str:
    """Return the docstring that a class, function or property has of its own."""
    told = thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__
    return inspect.cleandoc(told) if told else ""


def of_door(door: str) -> list[Public]:
    """Return what a door opens to, in its order."""
    module = importlib.import_module(door)
    return [Public(door, name, getattr(module, name)) for name in module.__all__]


def of_module(prefix: str) -> list[Public]:
    """Return what is defined in a module or a package and public, in its order there."""
    return sorted(
        (
            it
            for door in DOORS
            for it in of_door(door)
            if f"{it.module.__name__}.".startswith(f"{prefix}.")
        ),
        key=lambda it: it.place,
    )


def public_classes() -> set[type]:
    """Return the classes behind all doors."""
    return {it.value for door in DOORS for it in of_door(door) if inspect.isclass(it.value)}


def members(
    kind: type[object],
) -> Iterator[tuple[str, Any]]:  # Any: a function or one of many descriptors
    """Yield the public methods and properties of a class, and of bases that are not public."""
    public = public_classes()
    seen = set[str](docs_of_fields(kind))
    for base in kind.__mro__:
        if base is not kind and (base in public or not base.__module__.startswith("rtflow")):
            continue
        for name, value in vars(base).items():
            if name in seen or name in HOOKS or (name.startswith("_") and name not in SPECIAL):
                continue
            if isinstance(value, MEMBER) and function_of(value).__module__.startswith("rtflow"):
                seen.add(name)
                yield name, value


def function_of(member: Any) -> Any:  # Any: a function, or one of many descriptors
    """Return the function behind a method or a property."""
    for part in ("fget", "func", "__func__"):
        member = getattr(member, part, member)
    return member


def constructor(kind: type[object]) -> Callable[..., Any] | None:  # Any: what it makes
    """Return what makes one; None when only the library itself can."""
    make = vars(kind).get("__init__")
    if make is None or issubclass(kind, Struct | BaseException) or make.__module__ == "typing":
        return None  # it has fields, or is a protocol
    made_from = {
        it
        for parameter in parameters(make).values()
        for it in (get_origin(parameter.annotation) or parameter.annotation,)
        if inspect.isclass(it) and it.__module__.startswith("rtflow.")
    }
    return make if made_from <= public_classes() else None


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return what a function takes, but for `self` and what its `**fields` unpack to."""
    given = inspect.signature(function).parameters
    return {name: it for name, it in given.items() if name not in ("self", "cls")}


def unpacked(parameter: inspect.Parameter) -> Any:  # Any: a TypedDict, or None
    """Return the keyword arguments that a `**fields` stands for."""
    is_unpacked = get_origin(parameter.annotation) is Unpack
    return get_args(parameter.annotation)[0] if is_unpacked else None
