"""Frames: the values that one websocket message stands for (protocol.md 2).

    request   client → server   [seq, METHOD, "/path", data, headers]
    response  server → client   [seq, status, data]
    publish   server → client   [pubSeq, "PUBLISH", event, ...]
    ack       client → server   [pubSeq, "ACK"]

`data` stays `Raw` until its type is known. Requests and responses are decoded in one go, as arrays;
what does not fit is looked at part by part (codec.py).
"""

from typing import Final, TypeAlias

from msgspec import Raw, Struct, field

from rtflow.model.events import Event

__all__ = ["Ack", "FromClient", "FromServer", "Headers", "Publish", "Request", "Response"]

LONGEST_SEQ: Final = 17  # characters


class Frame(Struct, frozen=True, gc=False):
    """Base of all frames. `seq` counts the requests of one connection, or its publishes."""

    seq: int


class Headers(Struct, frozen=True, gc=False):
    """What a client says beside a request. What is not for us is left out."""

    refused: str = field(default="", name="rtflow-refused")


class Request(Frame, frozen=True, array_like=True):
    """A client asks for something; `seq` starts at 0."""

    method: str
    path: str
    data: Raw = Raw(b"{}")
    headers: Headers = Headers()

    @property
    def refused(self) -> int | None:
        """Return the last request of which the client knows that it was refused with 429.

        0 for none yet; None: it does not say (protocol.md 2.5).
        """
        said = self.headers.refused
        return int(said) if said.isdecimal() and len(said) < LONGEST_SEQ else None


class Response(Frame, frozen=True, array_like=True):
    """The answer to the request with the same `seq`. Only 200 is success."""

    status: int
    data: Raw = Raw(b"{}")


class Publish(Frame, frozen=True):
    """Events that happened together; `seq` starts at 1 and grows. Unknown events were left out."""

    events: tuple[Event, ...]


class Ack(Frame, frozen=True):
    """The client has received the publish with this `seq`."""


FromClient: TypeAlias = Request | Ack
FromServer: TypeAlias = Response | Publish
