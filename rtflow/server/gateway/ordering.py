"""In which order answers and events enter one connection's outbox.

A client ignores events that come before the answer to its read, and applies those that come after.
So an event that is in the answer may come before or after it, one that is not in it must come
after it, or is lost:

    the read includes change 7          events of 6 | 7 | ANSWER | 8 | 9

While a read is under way its number is not known; so this connection's events are held back until
it is, and until the watermark has reached it. A write's answer comes after its own events, held or
not. (The embedded store answers in the turn in which it is asked, so there hardly ever is anything
to hold.)

Not here: the watermark (fanout.py), what an answer says (peer.py).
Invariant: events leave in number order.
"""

from collections import deque
from collections.abc import Callable

from msgspec import Struct

__all__ = ["Ordering"]

Send = Callable[[], None]


class Held(Struct):
    """Something that has to wait for a read: events, or an answer that comes after them."""

    number: int
    size: int
    send: Send


class Ordering:
    """What may leave now, and what waits for a read."""

    __slots__ = ("_held", "_latest", "_reads", "held_bytes")

    def __init__(self) -> None:
        self._reads = 0  # under way
        self._held: deque[Held] | None = None
        self._latest = 0  # the last change whose events have left
        self.held_bytes = 0

    def may_pass(self, number: int) -> bool:
        """Whether the events of changes up to `number` leave now. If not, they must be held."""
        if self._reads:
            return False
        self._latest = number
        return True

    def hold(self, number: int, size: int, send: Send) -> None:
        """Let the events of changes up to `number`, `size` bytes, leave in their turn."""
        if self._held is None:
            self._held = deque()
        self._held.append(Held(number, size, send))
        self.held_bytes += size

    def written(self, number: int, send: Send) -> None:
        """Let the answer to a write leave, after the events up to `number`. They were handed in
        before."""
        if self._held:
            self.hold(number, 0, send)
        else:
            send()

    def begin_read(self) -> None:
        """A read is asked of the store. `end_read` or `give_up_read` must follow."""
        self._reads += 1

    def end_read(self, number: int, send: Send) -> bool:
        """Let the answer to a read leave that includes the changes up to `number`, all handed in
        before.

        False: it has been overtaken by events that it does not include, for the sake of another
        read. It has to be read once more.
        """
        self._release(number)
        if self._latest > number:
            return False
        send()
        self.give_up_read()
        return True

    def give_up_read(self) -> None:
        """A read ends without a value."""
        self._reads -= 1
        if not self._reads:
            self._release(None)

    def _release(self, up_to: int | None) -> None:
        while self._held and (up_to is None or self._held[0].number <= up_to):
            held = self._held.popleft()
            self.held_bytes -= held.size
            self._latest = max(self._latest, held.number)
            held.send()
