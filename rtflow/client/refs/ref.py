"""Ref: what all refs have in common: they tell their names, and are equal if these are.

Not here: what can be done with what is named (the other modules of this room).
"""

from typing import TypeVar

from rtflow.client.live import Live
from rtflow.client.mirror import Mirror, Watched
from rtflow.client.state import View

__all__ = ["LiveRef", "Ref", "watching"]

T = TypeVar("T")


class Ref:
    """Names something on the server of one session. Making one sends nothing."""

    _mirror: Mirror
    _names: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Ref)
            and type(other) is type(self)
            and other._mirror is self._mirror
            and other._names == self._names
        )

    def __hash__(self) -> int:
        return hash((type(self), self._names))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' '.join(map(repr, self._names))}>"


class LiveRef(Live[T], Ref):
    """A ref to something that can be watched."""

    def __init__(self, mirror: Mirror, view: View[T], *names: str) -> None:
        super().__init__(mirror.home, Watched(mirror, view))
        self._mirror, self._names = mirror, names


def watching(mirror: Mirror, view: View[T]) -> Live[T]:
    """Make something that can be watched, and no more than that."""
    return Live(mirror.home, Watched(mirror, view))
