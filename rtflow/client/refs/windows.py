"""Windows: the newest part of a list, as long as whoever holds the window wants it."""

from typing import TypeVar

from rtflow.client.live import Live
from rtflow.client.mirror import Mirror, Watched
from rtflow.client.state import View

__all__ = ["LiveWindow", "checked_count"]

T = TypeVar("T")


class LiveWindow(Live[T]):
    """The newest items of a list. Each window has its own length; what is beneath is shared."""

    def __init__(self, mirror: Mirror, view: View[T]) -> None:
        self._watched = Watched(mirror, view)
        super().__init__(mirror.home, self._watched)

    @property
    def length(self) -> int:
        """How many items it shows at the most."""
        return self._watched.view.size

    async def load_more(self, n: int) -> None:
        """Show `n` more items from now on; while it is watched, return when they are there.

        Raises `TypeError` or `ValueError` unless `n` is at least 1, `RequestTimedOut` when the
        items do not come in time (they are shown when they do), `SessionClosed`, or what the stream
        fails with.
        """
        await self._watched.lengthen(checked_count(n))

    def __repr__(self) -> str:
        return f"<LiveWindow of {self.length}: {self._watched.view.key!r}>"


def checked_count(n: object) -> int:
    """Return `n` if it can be a number of items. Raises `TypeError` or `ValueError`."""
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"a number of items is an int, not {type(n).__name__}: {n!r}")
    if n < 1:
        raise ValueError(f"a number of items is at least 1, not {n}")
    return n
