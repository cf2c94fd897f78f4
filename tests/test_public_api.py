"""The doors: what a program may import, in order, present and documented."""

import importlib
import inspect

import pytest

DOORS = ["rtflow", "rtflow.server", "rtflow.testing"]


def names_behind(door: str) -> list[str]:
    return list(importlib.import_module(door).__all__)


def in_order(name: str) -> tuple[bool, bool, str]:
    """Sort as ruff's RUF022 does: CONSTANTS, then Classes, then functions."""
    return not name.isupper(), not name[0].isupper(), name


@pytest.mark.parametrize("door", DOORS)
def test_the_names_of_a_door_are_sorted_and_unique(door: str) -> None:
    names = names_behind(door)
    assert names, f"{door} opens to nothing"
    assert names == sorted(set(names), key=in_order)


@pytest.mark.parametrize(("door", "name"), [(d, n) for d in DOORS for n in names_behind(d)])
def test_every_public_name_resolves_and_is_documented(door: str, name: str) -> None:
    value = getattr(importlib.import_module(door), name)
    if inspect.isclass(value) or inspect.isroutine(value):
        assert (value.__doc__ or "").strip(), f"{door}.{name} has no docstring"
