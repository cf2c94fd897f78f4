"""Windows: the base of nouns that are lists, one for each key, read page by page from its start.

Not here: the lists of conversations (conversations.py), which are many views of the same things,
and messages (talk.py), which are also known one by one.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Generic, TypeVar, cast

from msgspec import UNSET, UnsetType

from rtflow.client.state.asks import Ask, Gap
from rtflow.client.state.keyed import Keyed
from rtflow.client.state.keys import Key, UserKey
from rtflow.client.state.noun import Notes
from rtflow.client.state.span import Span
from rtflow.client.state.users import Users
from rtflow.model.entities import Page
from rtflow.model.params import ListPage
from rtflow.model.snapshots import UserSnapshot, Window

__all__ = ["Listing", "Windows"]

K = TypeVar("K", bound=Key)
E = TypeVar("E")
S = TypeVar("S")


class Listing(Generic[E]):
    """The first part of a list of what people do, as far as it is known: one item for each user.

    Invariant: `span` and `items` hold the same ids.
    """

    __slots__ = ("_items", "span")

    def __init__(self, *, oldest_first: bool) -> None:
        self.span = Span(oldest_first=oldest_first)
        self._items: dict[str, E] = {}

    def __getitem__(self, id: str) -> E:
        return self._items[id]

    def __contains__(self, id: str) -> bool:
        return id in self._items

    def extend(self, page: Mapping[str, tuple[int, E]], cursor: str | None) -> None:
        """Append the next page of the server: items with their times, in its order."""
        self.span.extend([(id, time) for id, (time, _) in page.items()], cursor)
        self._items.update((id, item) for id, (_, item) in page.items())

    def put(self, id: str, time: int, item: E, most: int) -> bool:
        """Put an item where it belongs by now. False: nothing of what is known has changed.

        Keeps `most` when there are too many.
        """
        before = self._items.pop(id, None)
        if not self.span.put(id, time):
            return before is not None
        self._items[id] = item
        if len(self.span) >= 2 * most:
            for gone in self.span.trim(most):
                del self._items[gone]
        return before != item

    def remove(self, id: str) -> bool:
        """Take an item out. False: it was not in."""
        self._items.pop(id, None)
        return self.span.remove(id)


class Windows(Keyed[K, Listing[E]], Generic[K, E, S]):
    """Lists of what people do: E is an item as it travels, S as it is seen.

    `most` is the length of a page at the most.
    """

    most: ClassVar[int]
    oldest_first: ClassVar[bool]

    def __init__(self, notes: Notes, users: Users) -> None:
        super().__init__(notes)
        self._users = users

    # What a list has to say

    @abstractmethod
    def place(self, item: E) -> tuple[str, int]:
        """Return the user's id, and when it began."""

    @abstractmethod
    def portrait(self, item: E, user: UserSnapshot | None) -> S:
        """Return what users see of an item."""

    # Changes

    def set_item(self, key: K, item: E) -> None:
        """An item is new, or has changed."""
        if listing := self._known.get(key):
            id, time = self.place(item)
            if listing.put(id, time, item, self._notes.held[key]):
                self._notes.touch(key)

    def remove_item(self, key: K, id: str) -> None:
        """An item is gone."""
        if (listing := self._known.get(key)) and listing.remove(id):
            self._notes.touch(key)

    # What a noun does

    def parts(self, key: K) -> tuple[Key, ...] | None:
        """See `Noun`: the users."""
        listing = self._known.get(key, UNSET)
        if listing is UNSET:
            return None
        return tuple(map(UserKey, listing.span.head(self._notes.held[key]))) if listing else ()

    def gap(self, key: K) -> Gap | None:
        """See `Noun`."""
        size = self._notes.held[key]
        listing = self._known.get(key, UNSET)
        if listing is None:
            return None
        return Gap(UNSET, size) if listing is UNSET else listing.span.gap(size)

    def restart(self, key: K) -> None:
        """See `Noun`."""
        if listing := self._known.get(key):
            listing.span.cursor = UNSET

    def reads(self, keys: Sequence[K], gaps: Mapping[Key, Gap], *, expand: bool) -> Iterator[Ask]:
        """See `Noun`."""
        for key in keys:
            gap = gaps[key]
            params = ListPage(limit=min(gap.count, self.most), cursor=gap.cursor)
            yield Ask(self.answers[0], self.topic(key).ids, params, (key,))

    def take(self, ask: Ask, result: Page[E] | None) -> None:
        """See `Noun`: a page of a list that was begun anew in the meantime is ignored."""
        key = cast("K", ask.covers[0])  # `reads` put it there
        if key not in self._notes.held:
            return
        listing = self._known.get(key)
        asked = ask.cursor
        if result is None:
            self.put(key, None)
            return
        if asked is UNSET:
            listing = Listing[E](oldest_first=self.oldest_first)
        elif listing is None or listing.span.cursor != asked:
            return
        page: dict[str, tuple[int, E]] = {}
        for item in result.data:
            id, time = self.place(item)
            page[id] = (time, item)
        listing.extend(page, result.cursor)
        self.put(key, listing)

    def show(self, key: K, n: int) -> Window[S] | UnsetType | None:
        """See `Noun`."""
        listing = self._known.get(key, UNSET)
        if listing is None or listing is UNSET:
            return listing
        if not listing.span.has(n):
            return UNSET
        items: list[S] = []
        for id in listing.span.head(n):
            user = self._users.get(id)
            if user is UNSET:
                return UNSET
            items.append(self.portrait(listing[id], user))
        return Window(tuple(items), listing.span.ends_within(n))
