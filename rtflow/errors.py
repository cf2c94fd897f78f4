"""Every exception of rtflow, as one tree, split by what the caller can do about it.

    RtflowError
    ├── RequestRefused         the server answered "no"; .status .code .reasons say why
    │   ├── BadRequest         400  fix the call
    │   ├── Unauthorized       401  get another token
    │   ├── Forbidden          403  ask for rights
    │   ├── NotFound           404  there is no such thing, or you may not know of it
    │   ├── MethodNotAllowed   405  fix the call
    │   ├── Conflict           409  it exists already
    │   ├── TooManyRequests    429  slow down
    │   └── ServerFailed       5xx  try again later
    ├── RequestTimedOut        no answer in time: it may have happened; .unsent_because says if not
    ├── OutcomeUnknown         the link dropped before the answer: it may have happened
    ├── SessionClosed          this session was closed, by you or by an error of its own
    │   └── SessionExpired     every token was refused: open a new session with a good one
    └── ProtocolError          the other side broke the protocol (its fault, not yours)
        └── InvalidFrame       a message that cannot be read; .where names the place in it

Wrong arguments are not in this tree: they raise `TypeError` or `ValueError` at the call, before
anything is sent. The server raises the same `RequestRefused` classes that the client's caller sees
in the end. Exceptions pickle, and never hold a token.
"""

from typing import ClassVar

__all__ = [
    "BadRequest",
    "Conflict",
    "Forbidden",
    "InvalidFrame",
    "MethodNotAllowed",
    "NotFound",
    "OutcomeUnknown",
    "ProtocolError",
    "RequestRefused",
    "RequestTimedOut",
    "RtflowError",
    "ServerFailed",
    "SessionClosed",
    "SessionExpired",
    "TooManyRequests",
    "Unauthorized",
    "refusal",
]


class RtflowError(Exception):
    """Base of every exception that rtflow raises, wrong arguments aside."""


class RequestRefused(RtflowError):
    """The server answered a request with a status other than 200."""

    default_status: ClassVar[int] = 400

    code: str
    """A constant for programs, such as `NOT_A_PARTICIPANT`."""

    reasons: tuple[str, ...]
    """Sentences for people."""

    status: int
    """As in HTTP: 400 to 599."""

    request: str
    """What was asked, such as `POST /conversations/lunch/messages`; may be empty."""

    def __init__(
        self, code: str, *reasons: str, status: int | None = None, request: str = ""
    ) -> None:
        super().__init__(code, *reasons)
        self.code = code
        self.reasons = reasons
        self.status = self.default_status if status is None else status
        self.request = request

    def __str__(self) -> str:
        what = f"{self.request} was refused" if self.request else "refused"
        why = f": {'; '.join(self.reasons)}" if self.reasons else ""
        return f"{what} with {self.status} {self.code}{why}"


class BadRequest(RequestRefused):
    """400: the request itself is wrong."""


class Unauthorized(RequestRefused):
    """401: there is no valid token."""

    default_status = 401


class Forbidden(RequestRefused):
    """403: this user may not do that."""

    default_status = 403


class NotFound(RequestRefused):
    """404: it does not exist, or this user may not know that it does."""

    default_status = 404


class MethodNotAllowed(RequestRefused):
    """405: the path exists, but not with this method."""

    default_status = 405


class Conflict(RequestRefused):
    """409: it exists already."""

    default_status = 409


class TooManyRequests(RequestRefused):
    """429: over a limit; try again later."""

    default_status = 429


class ServerFailed(RequestRefused):
    """5xx: the server could not do it, for a reason that is not in the request."""

    default_status = 500


_BY_STATUS: dict[int, type[RequestRefused]] = {
    kind.default_status: kind
    for kind in (
        BadRequest,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        Conflict,
        TooManyRequests,
        ServerFailed,
    )
}


def refusal(status: int, code: str, reasons: tuple[str, ...], request: str = "") -> RequestRefused:
    """Build the refusal that belongs to a wire status, for any status but 200."""
    kind = _BY_STATUS.get(status) or (ServerFailed if status >= 500 else RequestRefused)
    return kind(code, *reasons, status=status, request=request)


class RequestTimedOut(RtflowError):
    """No answer in time. The server may have done it all the same, unless it was never sent."""

    request: str
    """What was asked."""

    seconds: float
    """How long an answer was waited for."""

    unsent_because: str | None
    """Why it was never sent; None: it was, or nobody knows."""

    def __init__(self, request: str, seconds: float, unsent_because: str | None = None) -> None:
        super().__init__(request, seconds, unsent_because)
        self.request, self.seconds, self.unsent_because = request, seconds, unsent_because

    def __str__(self) -> str:
        if self.unsent_because is not None:
            return (
                f"no connection to the server within {self.seconds:g} s ({self.unsent_because}): "
                f"{self.request} was not sent"
            )
        return (
            f"no answer to {self.request} in {self.seconds:g} s; it may have happened: "
            "repeat only what is safe to repeat"
        )


class OutcomeUnknown(RtflowError):
    """The connection was lost before the answer, and repeating could do it twice."""

    request: str
    """What was asked."""

    def __init__(self, request: str) -> None:
        super().__init__(request)
        self.request = request

    def __str__(self) -> str:
        return (
            f"the connection was lost before {self.request} was answered: it may have happened; it "
            "was not repeated because that could do it twice: read the state, then decide"
        )


class SessionClosed(RtflowError):
    """The session is closed: nothing can be asked of it any more."""

    reason: str
    """Why."""

    def __init__(self, reason: str = "it was closed") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"this session is closed: {self.reason}"


class SessionExpired(SessionClosed):
    """The server refused the token for good, and there is no other to try."""


class ProtocolError(RtflowError):
    """The other side sent what the protocol does not allow."""

    what: str
    """What it did."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return self.what


class InvalidFrame(ProtocolError):
    """A message that cannot be read: not JSON, too large, too deep, or of the wrong type."""

    where: str
    """A path into the message, such as `$[3].ids[0]`."""

    seq: int | None
    """The number of the request, if that could be read."""

    def __init__(self, what: str, where: str = "$", seq: int | None = None) -> None:
        super().__init__(what)
        self.args = (what, where, seq)
        self.where, self.seq = where, seq

    def __str__(self) -> str:
        return f"{self.what} - at `{self.where}`"
