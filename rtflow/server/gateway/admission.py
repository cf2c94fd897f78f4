"""Who may connect now: so many new connections per second, and so many of one address at a time.

After a restart everybody comes back at once. Those whom there is no time for now are told when to
come, each another time (`Retry-After`), so that they are let in at the rate that was chosen.

An address is what stands for one household or one machine: of IPv6 its /64, all of which one
attacker has. This machine is none: what comes from it is a proxy that does not say for whom, or
somebody who has the server anyway. Whose address it is behind a proxy, the host knows
(gateway/uvicorn/config.py).

Not here: connections of a user (node.py), how a rate is kept (rtflow.server.rates).
Invariant: an address is remembered while it has connections.
"""

import math
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

from msgspec import Struct

from rtflow.errors import ServerFailed
from rtflow.server.gateway.limits import Limits
from rtflow.server.rates import Bucket, Buckets

__all__ = ["Admission", "Refusal", "network_of"]

LATER: Final = 5  # seconds until somebody with too many connections may have one less
CROWDED: Final = ServerFailed(
    "TOO_MANY_CONNECTIONS_OF_ADDRESS", "this address has too many connections", status=503
)
HASTY: Final = ServerFailed(
    "TOO_MANY_NEW_CONNECTIONS", "this address connects too often", status=503
)
BUSY: Final = ServerFailed("TOO_BUSY", "too many clients connect at the moment", status=503)


class Refusal(Struct, frozen=True):
    """Why a handshake is refused, and in how many (whole) seconds to come again."""

    error: ServerFailed
    retry_after: int


class Admission:
    """The door. `ticks` is a clock that never goes back."""

    def __init__(self, limits: Limits, ticks: Callable[[], float]) -> None:
        self._ticks, self._most = ticks, limits.connections_per_address
        rate = limits.new_connections
        self._everybody = None if rate is None else Bucket(rate)
        self._addresses = Buckets(limits.new_connections_per_address)
        self._connections = Counter[str]()

    def refusal(self, address: str) -> Refusal | None:
        """Say why nobody from this address may come in now; None: he may, and is counted as new."""
        now, network = self._ticks(), network_of(address)
        if network is not None:  # first: one address shall not take the turns of all others
            if self._most is not None and self._connections[network] >= self._most:
                return Refusal(CROWDED, LATER)
            if wait := self._addresses.take(network, now):
                return Refusal(HASTY, math.ceil(wait))
        if self._everybody is not None and (wait := self._everybody.take(now)):
            return Refusal(BUSY, math.ceil(wait))
        return None

    def enter(self, address: str) -> None:
        """A connection begins. `leave` must follow."""
        if (network := network_of(address)) is not None:
            self._connections[network] += 1

    def leave(self, address: str) -> None:
        """A connection has ended."""
        if (network := network_of(address)) is not None:
            self._connections[network] -= 1
            if not self._connections[network]:
                del self._connections[network]


@lru_cache(maxsize=4096)
def network_of(address: str) -> str | None:
    """Return what stands for whoever has this address; None: there is no telling who it is."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return None  # unknown, or a socket in the file system
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is None:
            return None if ip.is_loopback else str(IPv6Network((ip, 64), strict=False))
        ip = ip.ipv4_mapped
    return None if ip.is_loopback else str(ip)
