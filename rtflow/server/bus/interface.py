"""What the server needs of a bus: every node hears of every committed change, in number order.

It may lose a wake-up (a node that sees a gap in the numbers reads the log), never order.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from rtflow.server.store.interface import Change

__all__ = ["Bus"]


class Bus(Protocol):
    """A way to all nodes."""

    def publish(self, changes: Sequence[Change]) -> None:
        """Hand committed changes, in number order, to every node. Called by the committer."""
        ...

    def listen(self, deliver: Callable[[Sequence[Change]], None]) -> None:
        """Call `deliver` on the loop for every change, in number order, from now on."""
        ...
