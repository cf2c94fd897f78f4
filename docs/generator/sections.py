"""One section per public class, function or constant: what it is, what it has, what it takes."""

import inspect
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, get_args, get_origin, get_type_hints

from docs.generator.annotations import Type, as_python
from docs.generator.markdown import code, prose, table
from docs.generator.names import (
    Public,
    constructor,
    function_of,
    members,
    of_door,
    of_module,
    parameters,
    public_classes,
    said_of,
    unpacked,
)
from docs.generator.signatures import call, construction
from docs.generator.source import docs_of_fields
from rtflow import Live
from rtflow.server import Settings
from rtflow.testing import plugin

__all__ = ["contents_of_door", "fixtures", "section", "sections"]


def contents_of_door(door: str) -> str:
    """List what a door opens to."""
    return table(("name", ""), [(code(it.name), first_sentence(it.doc)) for it in of_door(door)])


def first_sentence(doc: str) -> str:
    """Return what fits into a list."""
    paragraph = " ".join(doc.partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".:")


def sections(prefix: str) -> str:
    """Lay out what is public of a module or package."""
    return "\n\n".join(map(section, of_module(prefix)))


def section(it: Public) -> str:
    """Lay out one public name."""
    path = it.place[0]
    source = f"`from {it.door} import {it.name}`; source: [{path}](../../{path})"
    value = it.value
    if inspect.isclass(value):
        parts = [*of_class(it.name, value)]
    elif inspect.isroutine(value):
        parts = [*of_function(it.name, value)]
    else:
        parts = [prose(it.doc)]
    return "\n\n".join((f"## {it.name}", source, *filter(None, parts)))


def of_class(name: str, kind: type[object]) -> Iterator[str]:
    """Tell what a class is, then how to make one, then what one has."""
    if (watched := shows(kind)) is not None:
        yield f"A `Live` of {code(as_python(watched))}."
    if issubclass(kind, BaseException):
        yield f"Is a {code(kind.__mro__[1].__name__)}."
    yield prose(said_of(kind))
    if (make := constructor(kind)) is not None:
        yield fenced(construction(name, make))
    yield (
        "Its fields are the settings: [Server settings](settings.md)."
        if kind is Settings
        else (fields(kind))
    )
    methods = list[str]()
    properties = list[tuple[str, str, str]]()
    for member, value in members(kind):
        function = function_of(value)
        if isinstance(value, property | cached_property):
            returned = as_python(inspect.signature(function).return_annotation)
            properties.append((code(member), code(returned), said_of(function)))
        else:
            methods += (f"### {name}.{member}", *of_function(member, function))
    if properties:
        yield table(("property", "type", ""), properties)
    yield from methods


def fixtures() -> str:
    """List the fixtures of the pytest plugin."""
    names = [name for name in plugin.__all__ if name.islower()]  # the others are types
    return table(
        ("fixture", ""), [(code(name), prose(said_of(vars(plugin)[name]))) for name in names]
    )


def shows(kind: type[object]) -> Type:
    """Return what the `get()` of a class returns; None when it has none, or of any type."""
    for base in getattr(kind, "__orig_bases__", ()):
        origin = get_origin(base)
        if inspect.isclass(origin) and issubclass(origin, Live) and kind is not Live:
            return get_args(base)[0]
    return None


def fields(kind: type[object]) -> str:
    """Lay out the fields of a struct, or the attributes of another class; empty: it has none.

    What a public base has is told there.
    """
    public = public_classes()
    bases = (base for base in kind.__mro__[1:] if base in public)
    inherited = {name for base in bases for name in docs_of_fields(base)}
    told = {name: doc for name, doc in docs_of_fields(kind).items() if name not in inherited}
    hints = get_type_hints(kind, include_extras=True) if told else {}
    rows = [
        (code(name), code(as_python(hint)), told[name])
        for name, hint in hints.items()
        if name in told
    ]
    return table(("field", "type", ""), rows) if rows else ""


def of_function(name: str, function: Callable[..., Any]) -> Iterator[str]:
    """Tell how a function is called, then what it does."""
    yield fenced("async for value in live" if name == "__aiter__" else call(name, function))
    yield prose(said_of(function))
    for it in parameters(function).values():
        if (keywords := unpacked(it)) is not None:
            yield f"What `**{it.name}` may be: `{keywords.__name__}`."


def fenced(text: str) -> str:
    """Show a signature: that is no program, so the language has the name that nobody compiles."""
    return f"```py\n{text}\n```"
