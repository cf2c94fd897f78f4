"""Framing: where websocket messages begin and end in the bytes of one direction, and what to do to
whole ones.

Not here: the bytes' journey (link.py). It decides, it does not deliver.
Invariant: whatever happens to messages, the receiver gets whole frames, as valid as they came.

It is a few lines of RFC 6455, 5.2. A frame is masked with a key of its own, so a whole one may be
left out, repeated or moved as it is. What is not a websocket (the requests for tokens, uploads)
passes untouched. Control frames pass, too, in their place; so does a message in fragments.
"""

from collections import deque
from collections.abc import Callable
from typing import Literal, TypeAlias

__all__ = ["Faults", "Framing", "MessageFault"]

MessageFault: TypeAlias = Literal["drop", "duplicate", "reorder"]

LONGEST_HEAD = 64 * 1024  # bytes of an HTTP head; longer: it is none
WHOLE = (0x81, 0x82)  # first bytes: a text or a binary message in one frame


class Faults:
    """What is to happen to the next messages in one direction, over all connections.

    `hit` is called when something happens to one.
    """

    def __init__(self, hit: Callable[[], None]) -> None:
        self.ordered = deque[tuple[MessageFault, int]]()
        self._hit = hit

    def order(self, fault: MessageFault, count: int) -> None:
        """Do so to the next `count` messages."""
        self.ordered.append((fault, count))

    def next(self) -> MessageFault | None:
        """Return what to do to the next message, which is there."""
        if not self.ordered:
            return None
        fault, left = self.ordered.popleft()
        if left > 1:
            self.ordered.appendleft((fault, left - 1))
        self._hit()
        return fault


class Framing:
    """One direction of one connection: bytes in, bytes to deliver out."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._held = bytearray()  # of a head, or of a frame that something shall happen to
        self._passing = 0  # bytes of a frame that has begun to pass
        self._reordered: list[bytes] = []
        self._is_websocket: bool | None = None  # None: still in the head

    def take(self, chunk: bytes) -> bytes:
        """Take what the source has said; return what may go on now."""
        if self._is_websocket is False:
            return chunk
        if self._is_websocket is None:
            return self._take_head(chunk)
        return self._take_frames(chunk)

    def rest(self) -> bytes:
        """Return what was held back, when nothing follows that it could wait for."""
        rest = (
            b"" if self._is_websocket is None else b"".join((bytes(self._held), *self._reordered))
        )
        self._held.clear()
        self._reordered.clear()
        return rest

    def _take_head(self, chunk: bytes) -> bytes:
        """Let the head pass as it comes, and remember it until it says what follows."""
        self._held += chunk
        end = self._held.find(b"\r\n\r\n") + 4
        if end < 4:
            if len(self._held) > LONGEST_HEAD:
                self._is_websocket = False
                self._held.clear()
            return chunk
        head = bytes(self._held[:end]).lower()
        self._is_websocket = b"\nupgrade: websocket\r" in head
        rest = len(self._held) - end
        self._held.clear()
        if not self._is_websocket or not rest:
            return chunk
        return chunk[: len(chunk) - rest] + self._take_frames(chunk[len(chunk) - rest :])

    def _take_frames(self, chunk: bytes) -> bytes:
        out = bytearray()
        self._held += chunk
        while self._held:
            if self._passing:
                passed = self._held[: self._passing]
                out += passed
                self._passing -= len(passed)
                del self._held[: len(passed)]
                continue
            size = frame_size(self._held)
            if size is None:
                break  # not even its head is there: a few bytes, they can wait
            if not (self._faults.ordered or self._reordered) or self._held[0] not in WHOLE:
                self._passing = size
                continue
            if len(self._held) < size:
                break
            out += self._befall(bytes(self._held[:size]))
            del self._held[:size]
        return bytes(out)

    def _befall(self, frame: bytes) -> bytes:
        """Let happen to a message what was ordered."""
        if self._reordered:
            first = self._reordered.pop()
            return frame + first
        match self._faults.next():
            case "drop":
                return b""
            case "duplicate":
                return frame + frame
            case "reorder":
                self._reordered.append(frame)
                return b""
            case None:
                return frame


def frame_size(start: bytes | bytearray) -> int | None:
    """Return how long the frame is that begins so, its head included. None: it is too early to
    say."""
    if len(start) < 2:
        return None
    size, length = 2, start[1] & 127
    if length >= 126:
        size += 2 if length == 126 else 8
        if len(start) < size:
            return None
        length = int.from_bytes(start[2:size], "big")
    return size + (4 if start[1] & 128 else 0) + length
