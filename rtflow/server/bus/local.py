"""The bus of one process: a call. Nothing is lost, so there are no gaps."""

from collections.abc import Callable, Sequence

from rtflow.server.store.interface import Change

__all__ = ["LocalBus"]


class LocalBus:
    """Hands changes on in the turn in which they were published."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Sequence[Change]], None]] = []

    def publish(self, changes: Sequence[Change]) -> None:
        """Call every listener."""
        for deliver in self._listeners:
            deliver(changes)

    def listen(self, deliver: Callable[[Sequence[Change]], None]) -> None:
        """Add a listener."""
        self._listeners.append(deliver)
