"""Frames: the values that one websocket message stands for (protocol.md 2).

    request   client → server   [seq, METHOD, "/path", data, headers]
    response  server → client   [seq, status, data]
    publish   server → client   [pubSeq, "PUBLISH", event, ...]
    ack       client → server   [pubSeq, "ACK"]

`data` stays `Raw` until its type is known. Requests and responses are decoded in one go, as arrays;
what does not fit is looked at part by part (codec.py).
"""

from typing import TypeAlias

from msgspec import Raw, Struct

from rtflow.model.events import Event

__all__ = ["Ack", "FromClient", "FromServer", "Publish", "Request", "Response"]


class Frame(Struct, frozen=True, gc=False):
    """Base of all frames. `seq` counts the requests of one connection, or its publishes."""

    seq: int


class Request(Frame, frozen=True, array_like=True):
    """A client asks for something; `seq` starts at 0."""

    method: str
    path: str
    data: Raw = Raw(b"{}")


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
