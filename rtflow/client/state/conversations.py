"""Conversations as I see them: one by one, in lists by filter, and my unread total.

Not here: their messages (messages.py), what is asked and shown of them (sides.py). An entity is
kept while it is wanted for itself or stands in a list.

Lists (protocol.md 6, 10): each event is checked against every list, so a conversation moves in, out
and within. An event about a conversation that no list holds may move it into one; only the server
knows the rest of it, so it is noted in `strangers`, to be read. If I am writing to it at that time,
the lists that it may enter are not known until it is read: they have to include what I wrote. What
others write is not waited for, so they cannot keep a list from being shown.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from msgspec import UNSET, UnsetType

from rtflow.client.state.keys import Key, ListKey, SideKey, TotalKey
from rtflow.client.state.portraits import conversation_snapshot, patched
from rtflow.client.state.span import Span
from rtflow.model.entities import Conversation, Page
from rtflow.model.events import ConversationDiff, ParticipantDiff, SideDiff
from rtflow.model.filters import ConversationFilter, alternatives, matches
from rtflow.model.snapshots import ConversationSnapshot, MessageSnapshot

__all__ = ["MAX_TOTAL_PAGES", "Conversations", "Diff"]

MAX_TOTAL_PAGES = 100  # of unread conversations; what lies beyond is not counted
Diff: TypeAlias = SideDiff | ConversationDiff | ParticipantDiff
Portrait: TypeAlias = tuple[Conversation, MessageSnapshot | None, ConversationSnapshot]


class Conversations:
    """What is known of my conversations. Changes say which keys they touched."""

    __slots__ = (
        "_counts",
        "_known",
        "_pages",
        "_portraits",
        "cursor",
        "lists",
        "sides",
        "strangers",
        "total",
        "writing",
    )

    def __init__(self) -> None:
        self.sides: set[str] = set()
        """Those that are wanted for themselves."""
        self.lists: dict[ListKey, Span] = {}
        self.strangers: dict[str, set[ListKey]] = {}
        """Each with the lists that wait for it."""
        self.writing = Counter[str]()
        """Those that this session is writing to: how many requests are under way."""
        self._known: dict[str, Conversation | None] = {}
        self._portraits: dict[str, Portrait] = {}
        self.forget()

    def forget(self) -> None:
        """Know nothing any more."""
        self._known.clear()
        self._portraits.clear()
        self.lists.clear()
        self.strangers.clear()
        self._counts: dict[str, int] | None = None
        self._pages = 0
        self.cursor: str | UnsetType | None = UNSET
        """Where the total has to be read on; None: it is known."""
        self.total = 0

    def get(self, id: str) -> Conversation | UnsetType | None:
        """The conversation; None: I am not in it; `UNSET`: not known."""
        return self._known.get(id, UNSET)

    def portrait(self, side: Conversation, last: MessageSnapshot | None) -> ConversationSnapshot:
        """What users see of a conversation that is kept; made anew only when either changed."""
        made = self._portraits.get(side.id)
        if made is None or made[0] is not side or made[1] is not last:
            made = self._portraits[side.id] = (side, last, conversation_snapshot(side, last))
        return made[2]

    def put(self, id: str, now: Conversation | None, trusted: ListKey | None = None) -> list[Key]:
        """Take what a conversation is now; None: I am not in it. It is in the `trusted` list."""
        touched: list[Key] = []
        before = self._known.get(id, UNSET)
        waiting = self.strangers.pop(id, ())
        is_kept = id in self.sides
        if is_kept and now is not before:
            touched.append(SideKey(id))
        for key, span in self.lists.items():
            if key is trusted:
                is_kept = True
            elif now is None or not matches(key.filter, now):
                if span.remove(id):
                    touched.append(key)
            else:
                was_in = id in span
                is_in = span.put(id, now.last_message_at)
                is_kept = is_kept or is_in
                if (is_in or was_in) and now is not before:
                    touched.append(key)
        if is_kept:
            self._known[id] = now
        else:
            self._lose(id)
        touched += waiting
        if self._counts is not None and self._count(id, now.unread_message_count if now else 0):
            touched.append(TotalKey())
        return touched

    def edit(self, id: str, diff: Diff) -> Sequence[Key]:
        """Take a change of a conversation."""
        before = self._known.get(id, UNSET)
        if isinstance(before, Conversation):
            return self.put(id, patched(before, diff))
        if before is None:
            return ()
        entered = [key for key, span in self.lists.items() if _may_enter(key, span, id, diff)]
        if entered:
            self.strangers.setdefault(id, set()).update(entered if id in self.writing else ())
        if (
            isinstance(diff, SideDiff)
            and diff.unread_message_count is not UNSET
            and self._count(id, diff.unread_message_count)
        ):
            return (TotalKey(),)
        return ()

    def load_list(
        self, key: ListKey, page: Page[Conversation], asked: str | UnsetType
    ) -> Sequence[Key]:
        """Take a page of a list: the first one (`asked` is `UNSET`), or that of a cursor."""
        span = self.lists.get(key)
        if asked is UNSET:
            gone = span.ids if span else ()
            span = self.lists[key] = Span()
        elif span is None or span.cursor != asked:
            return ()  # the list was begun anew in the meantime
        else:
            gone = ()
        span.extend([(it.id, it.last_message_at) for it in page.data], page.cursor)
        touched = [one for it in page.data for one in self.put(it.id, it, trusted=key)]
        self.sweep(gone)
        return (*touched, key)

    def load_total(self, page: Page[Conversation], asked: str | UnsetType) -> Sequence[Key]:
        """Take a page of my unread conversations."""
        if asked is UNSET or self._counts is None:
            self._counts, self._pages, self.total = {}, 0, 0
        self._pages += 1
        self.cursor = page.cursor if self._pages < MAX_TOTAL_PAGES else None
        for it in page.data:
            self._count(it.id, it.unread_message_count)
        return (TotalKey(),)

    def trim(self, key: ListKey, most: int) -> None:
        """Keep `most` of a list when it got much longer."""
        span = self.lists[key]
        if len(span) >= 2 * most:
            self.sweep(span.trim(most))

    def lacks_mine(self, key: ListKey) -> bool:
        """Whether a list may lack what this session wrote, until a stranger is read."""
        return any(key in waiting for waiting in self.strangers.values())

    def drop_list(self, key: ListKey) -> None:
        """A list is not wanted any more."""
        span = self.lists.pop(key, None)
        for waiting in self.strangers.values():
            waiting.discard(key)
        if not self.lists:
            self.strangers.clear()
        self.sweep(span.ids if span else ())

    def drop_total(self) -> None:
        """The total is not wanted any more."""
        self._counts, self.cursor, self.total = None, UNSET, 0

    def sweep(self, ids: Iterable[str]) -> None:
        """Forget those of these conversations that nothing holds any more."""
        for id in ids:
            if id not in self.sides and not any(id in span for span in self.lists.values()):
                self._lose(id)

    def _lose(self, id: str) -> None:
        self._known.pop(id, None)
        self._portraits.pop(id, None)

    def _count(self, id: str, unread: int) -> bool:
        if self._counts is None:
            return False
        before = self._counts.pop(id, 0)
        if unread:
            self._counts[id] = unread
        self.total += unread - before
        return unread != before


def _may_enter(key: ListKey, span: Span, id: str, diff: Diff) -> bool:
    """Whether a change may bring a conversation into a list that does not hold it."""
    if isinstance(diff, SideDiff) and diff.last_message_at is not UNSET:
        return span.reaches(diff.last_message_at, id)
    return any(_may_match(simple, diff) for simple in alternatives(key.filter))


def _may_match(simple: ConversationFilter, diff: Diff) -> bool:
    """Whether a change that moves nothing can make a filter hold that did not hold before."""
    match diff:
        case SideDiff():
            return simple.is_unread is not UNSET and simple.is_unread is diff.is_unread
        case ParticipantDiff():
            return UNSET not in (simple.access, diff.access)
        case _:
            return UNSET not in (simple.subject, diff.subject) or UNSET not in (
                simple.custom,
                diff.custom,
            )
