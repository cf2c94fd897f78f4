"""FrozenDict: the mapping inside snapshots, which nobody can change.

A `dict` subclass whose mutators raise, because msgspec, json and pickle then treat it as the dict
that it is, at full speed (a `MappingProxyType` can be neither pickled nor encoded; `Mapping`
decodes to a plain dict).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn, TypeVar, cast

__all__ = ["EMPTY", "FrozenDict", "merged", "shared"]

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """An immutable, hashable dict. Changing it is a `TypeError`; `{**it}` makes a plain copy."""

    __slots__ = ()

    if not TYPE_CHECKING:  # type checkers see a dict; its mutators are refused when they run

        def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
            raise TypeError("a snapshot cannot be changed: copy it first: {**snapshot.custom}")

        __setitem__ = __delitem__ = __ior__ = _refuse
        clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]  # dict has none
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[type["FrozenDict[K, V]"], tuple[dict[K, V]]]:
        return (FrozenDict, (dict(self),))

    def __copy__(self) -> "FrozenDict[K, V]":
        return self


EMPTY: FrozenDict[str, str] = FrozenDict()


def shared(some: dict[K, V]) -> dict[K, V]:
    """Return the one empty dict for all in place of an empty one."""
    return some or cast("FrozenDict[K, V]", EMPTY)  # of nothing, so of all types


def merged(old: Mapping[str, str], diff: Mapping[str, str | None] | None) -> dict[str, str]:
    """Merge `diff` key by key: None deletes a key; None for the whole clears (protocol.md 6)."""
    if diff is None:
        return {}
    changed: dict[str, str | None] = {**old, **diff}
    return {key: value for key, value in changed.items() if value is not None}
