"""Codes of refusals: which there are, read from the calls that raise them.

What a code means is told in docs/reference/codes.toml; a test sees to it that none is forgotten:

    A_CODE = "what it means"
    ANOTHER = { status = "400 or 413", means = "..." }   # where the code picks the status

Invariant: a code is a literal where it is raised. What is not one is an error here, but for
`refusal(...)`, which passes on what another side said.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, convert

import rtflow
from docs.generator.markdown import code, table
from docs.generator.source import ROOT

__all__ = ["CODES", "Raised", "codes", "meanings", "raised_in"]

KINDS = {
    name: kind.default_status
    for name, kind in vars(rtflow).items()
    if isinstance(kind, type) and issubclass(kind, rtflow.RequestRefused)
}


class Raised(Struct, frozen=True, order=True):
    """A place where a code is raised. The status is 0 when it is known at run time only."""

    status: int
    code: str
    path: str


class Meaning(Struct, frozen=True, forbid_unknown_fields=True):
    """What a code means, and its status where the code itself does not tell."""

    means: str
    status: str = ""


def raised_in(module: ast.Module, path: str) -> Iterator[Raised]:
    """Find the refusals that a module makes. Raises `ValueError` for a code that is no literal."""
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[first, *_]) if (
                name in KINDS
            ):
                status = KINDS[name]
                for keyword in node.keywords:
                    if keyword.arg == "status":
                        value = keyword.value
                        status = ast.literal_eval(value) if isinstance(value, ast.Constant) else 0
                if not isinstance(first, ast.Constant):
                    raise ValueError(f"{path}:{node.lineno}: the code is not a literal")
                yield Raised(status, str(first.value), path)
            case _:
                pass


CODES = sorted(
    {
        raised
        for path in sorted((ROOT / "rtflow").rglob("*.py"))
        for raised in raised_in(ast.parse(path.read_bytes()), path.relative_to(ROOT).as_posix())
    }
)


def meanings(file: Path = ROOT / "docs/reference/codes.toml") -> dict[str, Meaning]:
    """Read what each code means."""
    return {
        name: Meaning(told) if isinstance(told, str) else convert(told, Meaning)
        for name, told in tomllib.loads(file.read_text()).items()
    }


def codes(side: str) -> str:
    """List the codes of the server, or those that the client makes up by itself."""
    meaning = meanings()
    places = dict[str, list[Raised]]()
    for raised in CODES:
        places.setdefault(raised.code, []).append(raised)
    rows = [
        (
            code(name),
            meaning[name].status or ", ".join(dict.fromkeys(str(it.status) for it in raised)),
            meaning[name].means,
            ", ".join(dict.fromkeys(_linked(it.path) for it in raised)),
        )
        for name, raised in places.items()
        if name in meaning  # else a test says so
        and all(it.path.startswith("rtflow/client") for it in raised) == (side == "client")
    ]
    return table(("code", "status", "meaning", "raised in"), rows)


def _linked(path: str) -> str:
    return f"[{path.removeprefix('rtflow/')}](../../{path})"
