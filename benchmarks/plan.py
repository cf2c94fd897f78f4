"""How much: the amounts that one run measures with.

The defaults are what `make bench` uses; a test asks every question with next to nothing, so that
none of them rots.
"""

from msgspec import Struct

__all__ = ["Plan"]


class Plan(Struct, frozen=True, kw_only=True):
    """The amounts of a run. A round does all of them once."""

    peers: bool = False
    """Whether the peers do the same work."""

    rounds: int = 5
    """Of which the median counts, after one to warm up."""

    # Against the bare loop
    in_flight: int = 64
    """Messages that a writer keeps on their way."""

    reads: int = 1_000
    events: int = 3_200
    writers: int = 4
    listeners: int = 1_000
    fanouts: int = 3
    sends: int = 64 * 30
    connections: int = 1_000
    watched: int = 2_000
    warm: int = 100
    """Of either, that pay for what is shared, and are not counted."""

    observers: int = 10_000
    imports: int = 11

    # Among few and among many
    conversations: tuple[int, int] = (20, 100_000)
    participants: tuple[int, int] = (10, 10_000)
    messages: tuple[int, int] = (100, 200_000)
    unread: int = 5
    """Conversations with unread messages, among few and among many."""

    online: int = 20
    """Connections that watch while somebody says something."""

    joinings: int = 100
    """In one request."""

    requests: int = 100
    """Timed together."""

    # Curves
    crowds: tuple[int, ...] = (1, 10, 100, 1_000, 10_000)
    """Connections on one server."""

    deliveries: int = 20_000
    """To all of them, timed together."""

    watches: tuple[int, ...] = (1, 10, 100, 1_000, 10_000, 50_000)
    """Conversations that one session watches."""

    sizes: tuple[int, ...] = (10, 100, 1_000, 10_000)
    """Participants of a conversation."""

    histories: tuple[int, ...] = (100, 1_000, 10_000, 100_000, 1_000_000)
    """Messages of a conversation."""
