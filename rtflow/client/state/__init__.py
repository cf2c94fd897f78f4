"""The state of a session, without I/O: entities by id, changed by events and answers."""

from rtflow.client.state.state import State
from rtflow.client.state.views import View

__all__ = ["State", "View"]
