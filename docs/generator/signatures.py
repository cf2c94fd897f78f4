"""How a function is called: a signature in one line, or one line per parameter.

A default that is no plain value is as the source has it: what it is at run time may be of this
machine.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, get_args

from docs.generator.annotations import Type, as_python
from docs.generator.names import parameters

__all__ = ["call", "construction"]

WIDTH = 100
Function = Callable[..., Any]  # Any: whatever it returns


def call(name: str, function: Function) -> str:
    """Write how a function, a coroutine function or a context manager is called."""
    returned = inspect.signature(function).return_annotation
    if inspect.isasyncgenfunction(inspect.unwrap(function)):
        given = _inside(returned)
        return _laid_out(f"async with {name}(", function, f") -> {given}" if given else ")")
    keyword = "async def" if inspect.iscoroutinefunction(function) else "def"
    return _laid_out(f"{keyword} {name}(", function, f") -> {as_python(returned)}")


def construction(name: str, function: Function) -> str:
    """Write how one of a class is made by its `__init__`."""
    return _laid_out(f"{name}(", function, ")")


def _inside(returned: Type) -> str:
    """Return what a context manager gives; empty: nothing."""
    given = as_python(returned if isinstance(returned, str) else get_args(returned)[0])
    return given.removeprefix("AsyncGenerator[").removesuffix("]") if given != "None" else ""


def _laid_out(head: str, function: Function, tail: str) -> str:
    given = [*_given(function)]
    line = head + ", ".join(given) + tail
    if len(line) <= WIDTH:
        return line
    return "\n".join((head, *(f"    {each}," for each in given), tail))


def _given(function: Function) -> Iterator[str]:
    """Write each parameter, and the marks between them."""
    kinds = inspect.Parameter
    sources = _defaults_of(function)
    before: Any = None  # Any: an enum that is private to inspect
    for name, it in parameters(function).items():
        if before == kinds.POSITIONAL_ONLY != it.kind:
            yield "/"
        if it.kind == kinds.KEYWORD_ONLY and before not in (it.kind, kinds.VAR_POSITIONAL):
            yield "*"
        before = it.kind
        stars = "*" * (it.kind == kinds.VAR_POSITIONAL) or "**" * (it.kind == kinds.VAR_KEYWORD)
        default = "" if it.default is kinds.empty else f" = {_written(it.default, sources[name])}"
        yield f"{stars}{name}: {as_python(it.annotation)}{default}"


def _defaults_of(function: Function) -> dict[str, str]:
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    pairs = [
        *zip(reversed(positional), reversed(given.defaults), strict=False),
        *zip(given.kwonlyargs, given.kw_defaults, strict=True),
    ]
    return {it.arg: ast.unparse(default) for it, default in pairs if default is not None}


def _written(default: object, source: str) -> str:
    """Write a plain value as it is, anything else as the source has it."""
    if isinstance(default, str):
        return f'"{default}"'
    return repr(default) if isinstance(default, int | float | None) else source
