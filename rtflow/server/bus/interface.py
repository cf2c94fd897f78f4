"""What the server needs of a bus: changes, which nobody may miss, and signals, which pass.

A *change* is committed and has its number: every node hears of every one, in number order. The bus
may lose a wake-up (a node that sees a gap in the numbers reads the log), never order.

A *signal* says what holds now and is stored nowhere: who is connected, who writes. It may be lost.
So a bus to other processes has to tell again, from time to time, what holds at its own node (to
hear it twice changes nothing), and has to speak for a node that has died: of one that was silent
for 30 seconds it tells that all its users have left. Those of one node come in its order.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from rtflow.server.store.interface import Change

__all__ = ["Bus", "Came", "Left", "Signal", "Wrote"]


class BaseSignal(Struct, frozen=True, tag_field="type", rename="camel", gc=False):
    """Base of all signals."""


class Came(BaseSignal, frozen=True, kw_only=True, tag="came"):
    """A user has a connection at a node, after none."""

    node: str
    user_id: str


class Left(BaseSignal, frozen=True, kw_only=True, tag="left"):
    """A user has no connection at a node any more."""

    node: str
    user_id: str


class Wrote(BaseSignal, frozen=True, kw_only=True, tag="wrote"):
    """A participant is about to say something; `at` is unix milliseconds."""

    conversation_id: str
    user_id: str
    at: int


Signal: TypeAlias = Came | Left | Wrote


class Bus(Protocol):
    """A way to all nodes."""

    def publish(self, changes: Sequence[Change]) -> None:
        """Hand committed changes, in number order, to every node. Called by the committer."""
        ...

    def tell(self, signals: Sequence[Signal]) -> None:
        """Hand signals of this node to every node, this one too. Never waits."""
        ...

    def listen(self, deliver: Callable[[Sequence[Change]], None]) -> None:
        """Call `deliver` on the loop for every change, in number order, from now on.

        Of several listeners at one node the first is called first.
        """
        ...

    def listen_for_signals(self, hear: Callable[[Sequence[Signal]], None]) -> None:
        """Call `hear` on the loop for signals of every node, from now on."""
        ...
