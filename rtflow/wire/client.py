"""The client's side of one connection, without I/O: calls in, frames out; messages in, events out.

    OPEN ──renew──▶ RENEWING ──200──▶ READY ──session.expired──▶ OPEN
                       └──any other answer──▶ OPEN
    READY ──renew (a fresh token)──▶ READY

Requests other than renew and ping are an error of ours unless READY; the link queues them until
then.

Invariants: an answer is matched to the one call that has its number, or ignored. Events of a
PUBLISH whose number is not above the last one's are ignored: they were seen (protocol.md 2.1).
Once something was refused with 429, each call says which was the last, also when nobody waits for
it any more: so the server knows what was asked in ignorance of that (protocol.md 2.5).
"""

from enum import Enum
from typing import Any, Final

from msgspec import Struct

from rtflow.errors import InvalidFrame, ProtocolError, RequestRefused
from rtflow.model.events import Event, SessionExpiredEvent
from rtflow.wire import codec
from rtflow.wire.endpoints import RENEW, AnyEndpoint, Kind, Problem, Renewed
from rtflow.wire.frames import Publish, Response

__all__ = ["Answer", "ClientProtocol", "Published", "State"]

_problem = codec.decoder(Problem)


class State(Enum):
    """What may be asked now."""

    __hash__ = object.__hash__  # as that of Kind

    OPEN = "not authenticated"
    RENEWING = "authenticating"
    READY = "ready"


ALLOWED: Final[dict[State, frozenset[Kind]]] = {
    State.OPEN: frozenset({Kind.SESSION}),
    State.RENEWING: frozenset({Kind.SESSION}),
    State.READY: frozenset(Kind),
}


class Answer(Struct, frozen=True):
    """What became of a call: the result, or the error to raise."""

    seq: int
    endpoint: AnyEndpoint
    result: Any  # Any: the endpoint's result; None with an error
    error: RequestRefused | ProtocolError | None = None


class Published(Struct, frozen=True):
    """Events that happened together, in order."""

    events: tuple[Event, ...]


class ClientProtocol:
    """One server, as the client sees it."""

    __slots__ = ("_acks", "_calls", "_next", "_outgoing", "_published", "_refused", "state")

    def __init__(self) -> None:
        self.state = State.OPEN
        self._next = 0
        self._calls: dict[int, tuple[AnyEndpoint, str]] = {}
        self._published = 0
        self._refused = 0  # no call: the first one of all is the renewal
        self._acks = True
        self._outgoing: list[bytes] = []

    def call(self, endpoint: AnyEndpoint, ids: tuple[str, ...], params: Any) -> int:
        """Ask for something; return the number that its answer will carry.

        `params` is the endpoint's parameter Struct (Any: the table mixes all kinds). Calling what
        the state does not allow is a `RuntimeError`: a mistake of ours, not the server's.
        """
        if endpoint.kind not in ALLOWED[self.state]:
            raise RuntimeError(f"{endpoint.name} was called while {self.state.value}")
        if endpoint is RENEW and self.state is State.OPEN:
            self.state = State.RENEWING
        seq = self._next
        path = endpoint.path(*ids)
        says = endpoint is RENEW or self._refused > 0
        refused = self._refused if says else None
        frame = codec.encode_request(seq, endpoint.method, path, params, refused)
        self._next += 1
        self._calls[seq] = (endpoint, path)
        self._outgoing.append(frame)
        return seq

    @property
    def under_way(self) -> int:
        """How many calls are not answered."""
        return len(self._calls)

    def forget(self, seq: int) -> None:
        """Ignore the answer to a call, should it still come."""
        self._calls.pop(seq, None)

    def receive(self, message: bytes | str) -> Answer | Published | None:
        """Take one message. None: it was ignored.

        Raises `InvalidFrame` when it cannot be read; the connection can go on.
        """
        frame = codec.decode_server_frame(message)
        if isinstance(frame, Publish):
            return self._take_publish(frame)
        return self._take_response(frame)

    def data_to_send(self) -> list[bytes]:
        """Return the frames to send now, in order, and forget them."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def _take_publish(self, frame: Publish) -> Published | None:
        if self._acks:
            self._outgoing.append(codec.encode_ack(frame.seq))
        if frame.seq <= self._published:
            return None
        self._published = frame.seq
        if SessionExpiredEvent in map(type, frame.events):
            self.state = State.OPEN
        return Published(frame.events)

    def _take_response(self, frame: Response) -> Answer | None:
        if frame.status == 429:
            self._refused = max(self._refused, frame.seq)
        endpoint, path = self._calls.pop(frame.seq, (None, ""))
        if endpoint is None:
            return None
        answer = self._read(frame, endpoint, path)
        if endpoint is RENEW:
            self._renewed(answer)
        return answer

    def _read(self, frame: Response, endpoint: AnyEndpoint, path: str) -> Answer:
        request = f"{endpoint.method} {path}"
        try:
            if frame.status == 200:
                return Answer(frame.seq, endpoint, endpoint.decode_result(frame.data))
            problem = codec.decode_part(_problem, frame.data)
        except InvalidFrame as exc:
            error = InvalidFrame(f"the answer to {request}: {exc.what}", exc.where, frame.seq)
            return Answer(frame.seq, endpoint, None, error)
        return Answer(frame.seq, endpoint, None, problem.refusal(frame.status, request))

    def _renewed(self, answer: Answer) -> None:
        if answer.error is not None:
            self.state = State.OPEN
            return
        self.state = State.READY
        accepted: Renewed = answer.result
        self._acks = accepted.acks

    def __repr__(self) -> str:
        return f"<ClientProtocol {self.state.value}, {len(self._calls)} calls open>"
