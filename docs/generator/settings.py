"""The settings of the server and the options of the command line."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from pydantic_core import PydanticUndefined

from docs.generator.annotations import between
from docs.generator.markdown import code, table
from rtflow.cli.app import COMMANDS
from rtflow.server import Settings

__all__ = ["options", "settings"]


def settings() -> str:
    """List the settings."""
    return table(
        ("name", "default", "bounds", ""),
        [
            (code(name), shown(field.default), _limits(field.metadata), field.description or "")
            for name, field in Settings.model_fields.items()
        ],
    )


def shown(default: object) -> str:
    """Write a default as one would set it."""
    if default in (None, PydanticUndefined):
        return "none"
    return code(str(default).lower() if isinstance(default, bool) else str(default))


def _limits(metadata: list[Any]) -> str:  # Any: as pydantic has it
    limits = {
        name: limit
        for it in metadata
        for name in ("ge", "gt", "le", "min_length", "max_length")
        if (limit := getattr(it, name, None)) is not None
    }
    if "gt" in limits:
        return f"above {limits['gt']}"
    if "min_length" in limits:
        return between(limits["min_length"], limits.get("max_length"), "characters")
    return between(limits.get("ge"), limits.get("le"))


def options(command: str) -> str:
    """List the arguments of a command."""
    (function,) = (it for it in COMMANDS if it.__name__ == command)
    return table(("argument", "default", ""), [*_arguments(function)])


def _arguments(function: Callable[..., Any]) -> Iterator[tuple[str, str, str]]:
    told = _told(function.__doc__)
    for name, it in inspect.signature(function).parameters.items():
        if is_dataclass(it.annotation):
            of_field = _told(it.annotation.__doc__)
            for field in fields(it.annotation):
                default = "" if field.default is MISSING else shown(field.default)
                yield code(f"--{field.name}"), default, of_field[field.name]
            continue
        is_positional = it.kind is it.POSITIONAL_ONLY
        name_of_it = name.upper() if is_positional else f"--{name.replace('_', '-')}"
        default = "" if it.default is it.empty else shown(it.default)
        about, _, said = told[name].rstrip(".").partition(" [default: ")
        said = said.removesuffix("]")
        if said:
            default = said if " " in said else code(said)
        yield code(name_of_it), default, f"{about}."


def _told(docstring: str | None) -> dict[str, str]:
    """Return the section "Parameters" of a docstring."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    told, name = dict[str, str](), ""
    for line in lines[lines.index("Parameters") + 2 :]:
        if re.fullmatch(r"\w+", line):
            name = line
        else:
            told[name] = f"{told.get(name, '')} {line.strip()}".strip()
    return told
