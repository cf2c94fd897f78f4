"""What is given merges into what is there: absent leaves a value alone, None resets it.

Maps merge key by key: None deletes a key, None for the whole clears.
"""

from collections.abc import Mapping
from typing import TypeVar

from msgspec import UNSET, UnsetType

from rtflow.errors import BadRequest
from rtflow.wire.codec import encode

__all__ = ["changed", "map_diff", "merge_map", "put"]

T = TypeVar("T")
V = TypeVar("V")


def put(given: T | UnsetType | None, old: T, reset: T) -> T:
    """Return the new value of a property."""
    if given is UNSET:
        return old
    return reset if given is None else given


def merge_map(
    old: Mapping[str, V], given: Mapping[str, V | None] | UnsetType | None, most_bytes: int
) -> dict[str, V]:
    """Return the new value of a map. Raises `BadRequest` for more than `most_bytes` of JSON."""
    if given is UNSET:
        return dict(old)
    merged: dict[str, V | None] = {**old, **given} if given is not None else {}
    new = {key: value for key, value in merged.items() if value is not None}
    if new != old and (size := len(encode(new))) > most_bytes:
        raise BadRequest(
            "CUSTOM_TOO_LARGE", f"the whole map would have {size} bytes of JSON, of {most_bytes}"
        )
    return new


def changed(old: T, new: T) -> T | UnsetType:
    """Return what a diff says of a property: its new value, UNSET when that is the old one."""
    return UNSET if new == old else new


def map_diff(old: Mapping[str, V], new: Mapping[str, V]) -> dict[str, V | None] | UnsetType:
    """Return what must be merged into `old` to get `new`; UNSET when that is nothing."""
    diff = {key: new.get(key) for key in {**old, **new} if old.get(key) != new.get(key)}
    return diff or UNSET
