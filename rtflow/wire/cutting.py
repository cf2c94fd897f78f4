"""Cutting: whole text messages out of the bytes of one websocket, and into them: a few lines of
RFC 6455, 5.2.

Nearly all frames are whole text messages. `websockets` would take most of the time of such a frame,
with its generators, so these are cut out, and made, here. Every other frame (control, fragments,
faults) is passed on to `websockets`, whole, and it says how to go on.

Not here: the handshake, and sockets. Invariant: what is taken and what is passed on are, in this
order, all bytes that came; nothing is, while `is_held`.
"""

from collections.abc import Callable
from struct import Struct
from typing import Final

__all__ = ["Cutter", "text_frame"]

WHOLE_TEXT: Final = 0x81  # the first byte of a text frame that is not a fragment
MASKED: Final = 0x80  # of the second byte
LONGER: Final = 126  # in its place of the length: two bytes follow that say it
WHOLE: Final = bytes((WHOLE_TEXT, LONGER))  # how nearly all that a server sends begins

_head = Struct(">BBH").pack


def text_frame(payload: bytes, key: bytes = b"") -> bytes:
    """Frame a text message. What a client sends has a key, with which it is masked already."""
    size, mask = len(payload), MASKED if key else 0
    if size < LONGER:
        return bytes((WHOLE_TEXT, mask | size)) + key + payload
    if size < 0x10000:
        return _head(WHOLE_TEXT, mask | LONGER, size) + key + payload
    return bytes((WHOLE_TEXT, mask | 127)) + size.to_bytes(8) + key + payload


class Cutter:
    """One direction of one websocket, from the first byte after the handshake.

    `take` gets the bytes of each whole text message, `pass_on` each other frame; it returns whether
    a text frame that comes next is a message: not among fragments, nor after the last frame. A
    frame of more than `most` bytes, or with a mask that it must not have, or without, is passed on
    as far as it has come. `unmask` is for what clients send, given a payload and its key.
    """

    __slots__ = ("_most", "_pass_on", "_take", "_takes_texts", "_uncut", "_unmask", "is_held")

    def __init__(
        self,
        take: Callable[[bytes], None],
        pass_on: Callable[[bytes], bool],
        *,
        most: int,
        unmask: Callable[[bytes, bytes], bytes] | None = None,
    ) -> None:
        self._take, self._pass_on, self._most, self._unmask = take, pass_on, most, unmask
        self._uncut = bytearray()
        self._takes_texts = True
        self.is_held = False

    def cut(self, data: bytes) -> None:
        """Take what has come; with nothing, what was held."""
        buffer: bytes | bytearray = data
        if self._uncut:
            self._uncut += data
            buffer = self._uncut
        elif data[:2] == WHOLE and self._is_one(data):  # as usual, and at half the cost
            self._take(data[4:])
            return
        start, size, unmask = 0, len(buffer), self._unmask
        while size - start >= 2 and not self.is_held:
            second = buffer[start + 1]
            begin, length = start + 2, second & 127
            if length >= LONGER:
                begin += 2 if length == LONGER else 8
                length = int.from_bytes(buffer[start + 2 : begin], "big")
            if second >= MASKED:
                begin += 4
            stop = begin + length
            is_allowed = length <= self._most and (second >= MASKED) is (unmask is not None)
            if begin > size or (stop > size and is_allowed):
                break  # it is not all there
            if buffer[start] == WHOLE_TEXT and is_allowed and self._takes_texts:
                payload = bytes(buffer[begin:stop])
                if unmask is not None:
                    payload = unmask(payload, bytes(buffer[begin - 4 : begin]))
                self._take(payload)
            else:
                self._takes_texts = self._pass_on(bytes(buffer[start:stop]))
            start = stop
        if buffer is data:
            if start < size:
                self._uncut += data[start:]
        else:
            del self._uncut[:start]

    def _is_one(self, data: bytes) -> bool:
        """Whether what begins as one of a server's text frames is just that, and may be taken."""
        return (
            len(data) >= 4
            and (data[2] << 8 | data[3]) == len(data) - 4 <= self._most
            and self._takes_texts
            and self._unmask is None
            and not self.is_held
        )
