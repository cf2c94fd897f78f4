"""The server's side of one connection, without I/O: messages in, calls out; answers in, frames out.

    OPEN ──token accepted──▶ READY ──token refused or expired──▶ OPEN

Only requests about the session itself are taken while OPEN. Whatever a client sends wrongly is
answered here and never reaches the domain.

Invariants: each request gets exactly one answer. Events handed in before an answer leave before it.
Of a client that says what it knows of refusals (429) no request is carried out that it has sent in
ignorance of one: what follows a refused request does not overtake it (protocol.md 2.5).
Events of one `publish` never part; those of several, with no answer between, leave as one frame (a
frame is the unit of cost, not the event in it).
"""

from collections.abc import Sequence
from enum import Enum
from typing import Any, Final

from msgspec import Struct

from rtflow.errors import (
    BadRequest,
    InvalidFrame,
    RequestRefused,
    TooManyRequests,
    Unauthorized,
)
from rtflow.wire import codec
from rtflow.wire.endpoints import AnyEndpoint, Kind, Problem, route
from rtflow.wire.frames import Ack

__all__ = ["UNREADABLE_SEQ", "Call", "ServerProtocol", "State"]

UNREADABLE_SEQ: Final = -1  # answers a frame whose number could not be read
FULL_FRAME: Final = 256 * 1024  # bytes of events after which a new PUBLISH is begun
BEHIND: Final = TooManyRequests(
    "TOO_MANY_REQUESTS", "a request before this one was refused, and keeps its place"
)


class State(Enum):
    """Whether the client has shown who it is."""

    __hash__ = object.__hash__  # as that of Kind

    OPEN = "not authenticated"
    READY = "authenticated"


ALLOWED: Final[dict[State, frozenset[Kind]]] = {
    State.OPEN: frozenset({Kind.SESSION}),
    State.READY: frozenset(Kind),
}


class Call(Struct, frozen=True):
    """A request that may be carried out: what, of which ids, with which (checked) parameters."""

    seq: int
    endpoint: AnyEndpoint
    ids: tuple[str, ...]
    params: Any  # Any: the endpoint's parameter Struct
    since: float = 0.0  # when it came, as `receive` was told


class ServerProtocol:
    """One client, as the server sees it."""

    __slots__ = (
        "_acked",
        "_events",
        "_knows",
        "_outgoing",
        "_published",
        "_refused",
        "_size",
        "refused",
        "state",
    )

    def __init__(self) -> None:
        self.state = State.OPEN
        self.refused: tuple[AnyEndpoint | None, int] | None = None
        self._published = self._acked = 0
        self._refused = 0  # the last request that was refused with 429
        self._knows: int | None = None  # which of those the client knows; None: it never said
        self._events: list[bytes] = []
        self._size = 0
        self._outgoing: list[bytes] = []

    def receive(self, message: bytes | str, now: float = 0.0) -> Call | None:
        """Take one message, at the time `now`. None: there is nothing to do (an ACK, or it was
        refused here: then `refused` says what, as far as it could be read, and with which status).
        """
        self.refused = None
        endpoint: AnyEndpoint | None = None
        try:
            frame = codec.decode_client_frame(message)
        except InvalidFrame as exc:
            seq = UNREADABLE_SEQ if exc.seq is None else exc.seq
            self.refuse(seq, BadRequest("INVALID_FRAME", str(exc)))
            self.refused = None, 400
            return None
        if isinstance(frame, Ack):
            self._acked = max(self._acked, frame.seq)
            return None
        try:
            endpoint, ids = route(frame.method, frame.path)
            if endpoint.kind not in ALLOWED[self.state]:
                raise Unauthorized(
                    "NOT_AUTHENTICATED", "POST /session/renew comes first on every connection"
                )
            call = Call(frame.seq, endpoint, ids, endpoint.decode_params(frame.data), now)
            if frame.refused is not None:
                self._knows = frame.refused
            if (
                self._knows is not None
                and self._knows < self._refused
                and endpoint.kind is not Kind.SESSION
            ):
                raise BEHIND
            return call
        except RequestRefused as exc:
            self.refuse(frame.seq, exc)
            self.refused = endpoint, exc.status
            return None

    def accept(self) -> None:
        """The client has shown who it is."""
        self.state = State.READY

    def expire(self) -> None:
        """The client has to show again who it is."""
        self.state = State.OPEN

    def answer(self, seq: int, result: Any) -> None:  # Any: the endpoint's result Struct, or Raw
        """Answer a request with success."""
        self._respond(codec.encode_response(seq, 200, result))

    def refuse(self, seq: int, error: RequestRefused) -> None:
        """Answer a request with an error."""
        if error.status == 429:
            self._refused = max(self._refused, seq)
        problem = Problem(error.code, error.reasons)
        self._respond(codec.encode_response(seq, error.status, problem))

    def publish(self, events: Sequence[bytes]) -> None:
        """Tell of events that happened together, each encoded before."""
        size = sum(map(len, events))
        if self._size and self._size + size > FULL_FRAME:
            self._close_publish()
        self._events.extend(events)
        self._size += size

    def publish_now(self, events: Sequence[bytes]) -> list[bytes]:
        """Do the same, and return the frames to send now, in order, as `data_to_send`."""
        if self._events or self._outgoing:
            self.publish(events)
            return self.data_to_send()
        self._published += 1  # nothing waits: they are all that there is
        return [codec.encode_publish(self._published, events)]

    @property
    def is_heard(self) -> bool:
        """Whether the client has acknowledged all that was published. Ours never does."""
        return self._acked >= self._published and not self._events

    def data_to_send(self) -> list[bytes]:
        """Return the frames to send now, in order, and forget them."""
        if self._events:
            self._close_publish()
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def _respond(self, frame: bytes) -> None:
        if self._events:
            self._close_publish()
        self._outgoing.append(frame)

    def _close_publish(self) -> None:
        self._published += 1
        self._outgoing.append(codec.encode_publish(self._published, self._events))
        self._events, self._size = [], 0

    def __repr__(self) -> str:
        return f"<ServerProtocol {self.state.value}, {self._published} published>"
