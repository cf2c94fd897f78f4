"""Span: the first part of an ordered list, as far as it is known.

Not here: what the items are; a span holds their ids. Invariant: every item of the list whose place
is not beyond `floor` is in the span; when `cursor` is None, every item of the list.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from msgspec import UNSET, UnsetType

from rtflow.client.state.asks import Gap

__all__ = ["Place", "Span"]

SHORT: Final = 4  # items; so few are looked through as fast as an index is asked

Place: TypeAlias = tuple[int, str]  # the time (newest first: minus the time), then the id


class Span:
    """Ids in order: newest (or oldest) first, those of the same millisecond by id.

    `cursor` asks the server for what comes next: None when there is nothing, `UNSET` when there may
    be something and only reading from the start would tell.
    """

    __slots__ = ("_floor", "_order", "_places", "_sign", "cursor")

    def __init__(
        self,
        at: Iterable[tuple[str, int]] = (),
        cursor: str | UnsetType | None = None,
        *,
        oldest_first: bool = False,
    ):
        self._sign = 1 if oldest_first else -1
        self._order: list[Place] = []
        self._places: dict[str, Place] | None = None  # by id, when it is not short
        self._floor: Place | None = None
        self.cursor: str | UnsetType | None = cursor
        self.extend(at, cursor)

    @property
    def ids(self) -> Sequence[str]:
        """All ids, in order."""
        return [id for _, id in self._order]

    @property
    def first(self) -> str | None:
        """The first one's id, if there is one."""
        return self._order[0][1] if self._order else None

    @property
    def is_whole(self) -> bool:
        """There is nothing beyond it."""
        return self.cursor is None

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, id: str) -> bool:
        return self._place(id) is not None

    def head(self, n: int) -> Sequence[str]:
        """The first `n` ids."""
        return [id for _, id in self._order[:n]]

    def has(self, n: int) -> bool:
        """Whether the first `n` are known, or all when there are fewer."""
        return self.is_whole or len(self._order) >= n

    def ends_within(self, n: int) -> bool:
        """Whether the first `n` are all there are."""
        return self.is_whole and len(self._order) <= n

    def gap(self, n: int) -> Gap | None:
        """Return what has to be read to know the first `n`, if anything."""
        if self.has(n):
            return None
        assert self.cursor is not None
        return Gap(self.cursor, n if self.cursor is UNSET else n - len(self._order))

    def reaches(self, time: int, id: str) -> bool:
        """Whether an item at this time belongs to the part that is known."""
        return self.is_whole or (self._floor is not None and (self._sign * time, id) <= self._floor)

    def put(self, id: str, time: int) -> bool:
        """Put an item where it belongs by now. False: that is beyond the part that is known."""
        place = (self._sign * time, id)
        if self._place(id) == place:
            return True
        self.remove(id)
        if not self.reaches(time, id):
            return False
        self._insert(place)
        return True

    def remove(self, id: str) -> bool:
        """Take an item out. False: it was not in."""
        place = self._place(id)
        if place is None:
            return False
        del self._order[bisect_left(self._order, place)]
        if self._places is not None:
            del self._places[id]
        return True

    def extend(self, at: Iterable[tuple[str, int]], cursor: str | UnsetType | None) -> None:
        """Append the next page of the server: ids with their times, in its order.

        An empty one is the last one, whatever its cursor says: or one would read on for ever.
        """
        page = [(self._sign * time, id) for id, time in at]
        if page:
            self._floor = page[-1] if self._floor is None else max(self._floor, page[-1])
        for place in page:
            self.remove(place[1])
            self._insert(place)
        self.cursor = cursor if page else None

    def trim(self, n: int) -> Sequence[str]:
        """Forget all but the first `n` (at least one) items; return the ids that are gone."""
        gone = [id for _, id in self._order[n:]]
        if gone:
            del self._order[n:]
            if self._places is not None:
                for id in gone:
                    del self._places[id]
            self._floor = self._order[-1]
            self.cursor = UNSET
        return gone

    # Inside

    def _place(self, id: str) -> Place | None:
        if self._places is not None:
            return self._places.get(id)
        for place in self._order:
            if place[1] == id:
                return place
        return None

    def _insert(self, place: Place) -> None:
        insort(self._order, place)
        if self._places is not None:
            self._places[place[1]] = place
        elif len(self._order) > SHORT:
            self._places = {place[1]: place for place in self._order}
