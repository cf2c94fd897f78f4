"""Few: an ordered set of which there are very many, and mostly with one thing in it.

A dict of one takes 230 bytes, a tuple 48. But a tuple is copied for each that is added, so from
some number on it is a dict.
"""

from typing import Final, TypeAlias, TypeVar

__all__ = ["Few", "adding", "removing"]

T = TypeVar("T")
Few: TypeAlias = tuple[T, ...] | dict[T, None]

MOST: Final = 4  # in a tuple


def adding(some: Few[T], one: T) -> Few[T]:
    """Return these and one more. Takes hold of what it is given."""
    if one in some:
        return some
    if isinstance(some, tuple):
        if len(some) < MOST:
            return (*some, one)
        some = dict.fromkeys(some)
    some[one] = None
    return some


def removing(some: Few[T], one: T) -> Few[T]:
    """Return these without one, which need not be in. Takes hold of what it is given."""
    if isinstance(some, tuple):
        return tuple(it for it in some if it != one) if one in some else some
    some.pop(one, None)
    return some or ()
