"""The public names of the official client, with ours beside them, and the tests that prove it.

From docs/reference/compatibility.toml: a table per declaration, under a table per family.

    [users.UserSnapshot]
    ours = "rtflow.UserSnapshot"
    test = "tests/...py::test_..."
    photoUrl = "photo_url"                                     # an attribute of ours; ".": itself
    welcomeMessage = { ours = "rtflow.Other", note = "why" }   # or elsewhere; also another test

Names only: nothing else is taken from the official client.
"""

import inspect
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from msgspec import Struct, convert, structs

from docs.generator.markdown import code, table
from docs.generator.names import unpacked
from docs.generator.source import ROOT

__all__ = ["FILE", "Row", "compatibility", "found", "rows"]

FILE = ROOT / "docs/reference/compatibility.toml"
OWN = ("ours", "test", "note")  # keys of a declaration that name no member


class Row(Struct, frozen=True):
    """A name of theirs, the names of ours that do the same, and the test that proves it."""

    family: str
    theirs: str
    ours: str = ""
    test: str = ""
    note: str = ""


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be said of a member besides its name."""

    ours: str = ""
    test: str = ""
    note: str = ""


def rows(file: Path = FILE) -> Iterator[Row]:
    """Read the table."""
    for family, declarations in tomllib.loads(file.read_text()).items():
        for name, told in declarations.items():
            whole = Row(family, name, **{key: told[key] for key in OWN if key in told})
            yield whole
            for member, value in told.items():
                if member not in OWN:
                    yield _of_member(whole, member, value)


def _of_member(whole: Row, member: str, value: str | dict[str, str]) -> Row:
    entry = Entry(value) if isinstance(value, str) else convert(value, Entry)
    if entry.ours == ".":  # the class itself
        ours = whole.ours
    else:
        ours = entry.ours if "." in entry.ours else f"{whole.ours}.{entry.ours}"
    return structs.replace(
        whole,
        theirs=f"{whole.theirs}.{member}",
        ours=ours,
        test=entry.test or whole.test,
        note=entry.note,
    )


def compatibility() -> str:
    """Lay out the table, family by family."""
    families = dict[str, list[Row]]()
    for row in rows():
        families.setdefault(row.family, []).append(row)
    return "\n\n".join(
        f"## {family.replace('-', ' ').capitalize()}\n\n"
        + table(
            ("official", "ours", "", "proved by"),
            [(it.theirs, code(_short(it.ours)), it.note, code(it.test)) for it in of_family],
        )
        for family, of_family in families.items()
    )


def _short(ours: str) -> str:
    """Leave the door out: so it is a name that the other pages have."""
    return re.sub(r"^rtflow\.(?=[A-Z])", "", ours)


def found(path: str) -> bool:
    """Tell whether a dotted path leads somewhere.

    After the module each part is an attribute, a field, a parameter or a keyword argument.
    """
    parts = path.split(".")
    value: Any = None  # Any: whatever the path leads through
    for i in range(len(parts), 0, -1):
        try:
            value = import_module(".".join(parts[:i]))
        except ModuleNotFoundError:
            continue
        for part in parts[i:]:
            try:
                value = _step(value, part)
            except LookupError:
                return False
        return True
    return False


def _step(value: Any, part: str) -> Any:  # Any: as above
    if hasattr(value, part):
        return getattr(value, part)
    if part in getattr(value, "__annotations__", {}):
        return None
    if callable(value):
        for name, parameter in inspect.signature(value).parameters.items():
            keywords = unpacked(parameter)
            if name == part or (keywords is not None and part in keywords.__annotations__):
                return None
    raise LookupError(part)
