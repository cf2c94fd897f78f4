"""Which of the latest changes concern which conversation: numbers only, in a ring.

It answers "what happened in this conversation after number 17" without a look at the log: for most
conversations of most who come back, nothing. PURE.

Not here: what happened (the log), who is told (resume.py).
Invariant: of the changes above `floor` it knows all. Its size is bounded by `capacity` changes.
"""

from array import array
from collections.abc import Sequence
from typing import Final

from rtflow.server.store.interface import Change

__all__ = ["CAPACITY", "Journal"]

CAPACITY: Final = 65_536  # changes: some 10 MB at most, where each concerns another conversation
NOWHERE: Final = -1


class Journal:
    """Remembers changes above `floor`. Each slot points to the one before of its conversation."""

    def __init__(self, floor: int, capacity: int = CAPACITY) -> None:
        self.floor = self.number = floor
        self._capacity = capacity
        self._count = 0  # entries ever; the next one goes to this place, modulo the capacity
        self._numbers = array("q")
        self._earlier = array("q")  # the place of the entry before it, of the same conversation
        self._concerned: list[str] = []
        self._latest: dict[str, int] = {}  # by conversation: the place of its last entry

    def note(self, changes: Sequence[Change]) -> None:
        """Remember changes, in number order."""
        for change in changes:
            for conversation_id in concerned(change):
                self._note(change.number, conversation_id)
            self.number = change.number

    def since(self, conversation_id: str, number: int) -> Sequence[int] | None:
        """Return the changes above a number that concern a conversation; None: not known."""
        if number < self.floor:
            return None
        found: list[int] = []
        oldest = self._count - len(self._numbers)
        place = self._latest.get(conversation_id, NOWHERE)
        while place >= oldest:
            at = place % self._capacity
            if self._numbers[at] <= number:
                break
            found.append(self._numbers[at])
            place = self._earlier[at]
        found.reverse()
        return found

    def _note(self, number: int, conversation_id: str) -> None:
        place = self._count
        earlier = self._latest.get(conversation_id, NOWHERE)
        if place < self._capacity:
            self._numbers.append(number)
            self._earlier.append(earlier)
            self._concerned.append(conversation_id)
        else:
            at = place % self._capacity
            self.floor = self._numbers[at]
            if self._latest[gone := self._concerned[at]] == place - self._capacity:
                del self._latest[gone]
            self._numbers[at], self._earlier[at] = number, earlier
            self._concerned[at] = conversation_id
        self._latest[conversation_id] = place
        self._count += 1


def concerned(change: Change) -> set[str]:
    """Return the conversations that a change is about: hardly ever more than one."""
    found = set[str]()
    for entry in change.entries:
        of: str | None = getattr(entry.event, "conversation_id", None)  # a user's has none
        if of is not None:
            found.add(of)
    return found
