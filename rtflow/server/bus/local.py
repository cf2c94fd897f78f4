"""The bus of one process: a call. Nothing is lost, neither changes nor signals."""

from collections.abc import Callable, Sequence

from rtflow.server.bus.interface import Signal
from rtflow.server.store.interface import Change

__all__ = ["LocalBus"]


class LocalBus:
    """Hands changes and signals on in the turn in which they came."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Sequence[Change]], None]] = []
        self._hearers: list[Callable[[Sequence[Signal]], None]] = []

    def publish(self, changes: Sequence[Change]) -> None:
        """Call every listener, in order."""
        for deliver in self._listeners:
            deliver(changes)

    def tell(self, signals: Sequence[Signal]) -> None:
        """Call everybody who listens for signals."""
        for hear in self._hearers:
            hear(signals)

    def listen(self, deliver: Callable[[Sequence[Change]], None]) -> None:
        """Add a listener."""
        self._listeners.append(deliver)

    def listen_for_signals(self, hear: Callable[[Sequence[Signal]], None]) -> None:
        """Add a listener for signals."""
        self._hearers.append(hear)
