"""The bounds that the gateway keeps for each client, whatever it does.

Not here: bounds of the host (gateway/uvicorn/limits.py), where the figures come from
(rtflow.server.settings).
"""

from msgspec import Struct

from rtflow.server.rates import Rate

__all__ = ["Limits"]


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of one client. Sizes are bytes, durations are seconds."""

    subscriptions: int = 200_000
    """What one connection may watch; a SUBSCRIBE beyond it is refused. Each takes about 450 bytes,
    and our client makes two of a conversation that it watches, and one of the last sender."""

    subscriptions_per_user: int = 1_000_000
    """What one user may watch on this node, on all his connections."""

    connections_per_user: int = 100
    """Authenticated connections of one user on this node; a handshake beyond it is refused."""

    requests_in_flight: int = 1_000
    """Unanswered requests of one connection; with so many nothing more is read from it."""

    requests: Rate | None = None
    """How often one connection may ask; beyond it a request is refused with 429. None: any number
    of times, as in all that follows."""

    requests_per_user: Rate | None = None
    """How often one user may ask, on all his connections and over HTTP."""

    connections_per_address: int | None = None
    """Connections of one address on this node; a handshake beyond it is refused."""

    new_connections: Rate | None = None
    """How often anybody may connect; a handshake beyond it is refused, and told when to come."""

    new_connections_per_address: Rate | None = None
    """How often somebody from one address may connect."""

    refused_tokens: int = 10
    """How many bad tokens one connection may show without a good one between; with one more it has
    to go. The official client tries again without a pause (protocol.md 10)."""

    outbox: int = 4 * 1024 * 1024
    """What may wait for a client that does not read; beyond it the client is cut off. Of one that
    reads slowly nothing more is read from half of it on; events may take it to four times that."""

    standstill: float = 10
    """How long a client with more than `outbox` waiting may take nothing of it. It is long because
    the kernel takes more in steps of some 170 kB: 10 s allow for 17 kB/s."""

    authentication: float = 10
    """How long a connection may go without a valid token."""

    silence: float = 60
    """How long a connection may bring nothing before it counts as dead. Under our own host that is
    the answer to its pings (gateway/uvicorn/limits.py); under another one a message of the client,
    and clients send one every 25 s (protocol.md 2.3)."""

    absence: float = 2
    """How long a user counts as connected after his last connection has ended."""

    typing: float = 10
    """How long a mark of typing lasts that is not repeated."""

    translation: float = 8
    """How long a translation may take, waiting for its turn included. It is less than the 10 s for
    which our client waits, so that it hears of a failure."""

    translations: int = 16
    """How many of them may be at work at a time."""
