"""A client without a connection: a registry, and the world that it watches."""

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import UNSET

from rtflow.client.registry import Lease, Registry
from rtflow.client.state.keys import Key
from rtflow.client.state.views import View
from tests.client.world import ME, World

T = TypeVar("T")


class Client:
    """A registry that is connected to a world."""

    def __init__(self, world: World, linger: float = 10.0) -> None:
        self.world, self.now = world, 0.0
        self.registry = Registry(ME, linger=linger)
        self.registry.connected(self.now)

    def watch(self, view: View[Any]) -> Lease:
        lease = self.registry.acquire(view.key, view.size, self.now)
        self.settle()
        return lease

    def settle(self) -> None:
        self.world.settle(self.registry, self.now)

    def show(self, view: View[T]) -> T:
        value = view.show(self.registry.state)
        assert value is not UNSET
        return value

    def asked(self) -> Sequence[str]:
        """What was asked since the last call."""
        self.settle()
        asked, self.world.asked = self.world.asked, []
        return asked

    def changed(self) -> set[Key]:
        """Deliver what is on the way; return whose observers are told."""
        keys = set[Key]()
        self.world.settle(self.registry, self.now, keys.update)
        return keys
