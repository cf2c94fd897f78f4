"""Signals: what this node tells of its own users, and what it hears of everybody.

    connections ──▶ bus.tell ──▶ hear ──▶ Presence ──notices──▶ fanout
    committed changes ──────▶ follow ──────┘   ▲
    one timer ─────────────────────────────────┘

A user who loses his last connection here counts as connected for a moment longer: a page that is
reloaded, or a link that is replaced, is not worth two events to all who watch him. What he was
writing ends with that, not before.

Not here: what follows from what (rtflow.server.domain.presence), which connections belong to whom
(node.py), sockets (fanout.py).
Invariant: one timer, however many wait; none after `close`.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial

from rtflow.model.entities import Online, Typing
from rtflow.server.bus.interface import Came, Left, Signal, Wrote
from rtflow.server.domain.deadlines import Deadlines
from rtflow.server.domain.presence import Notice, Presence, must_write
from rtflow.server.gateway.limits import Limits
from rtflow.server.store.interface import Change, Store
from rtflow.wire.endpoints import Done

__all__ = ["Signals"]


class Signals:
    """The presence of all, on this node. `tell` is the bus's, `hand_on` is fanout's."""

    def __init__(
        self,
        store: Store,
        limits: Limits,
        clock: Callable[[], int],
        *,
        tell: Callable[[Sequence[Signal]], None],
        hand_on: Callable[[Sequence[Notice]], None],
    ) -> None:
        self._store, self._clock, self._tell, self._hand_on = store, clock, tell, hand_on
        self._node = os.urandom(8).hex()
        self._presence = Presence(limits.typing)
        self._leaving = Deadlines[str](limits.absence)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0  # the timer cannot say so itself: one of uvloop that is due does not
        self._is_closed = False

    # What there is to see

    def online(self, user_id: str) -> Online:
        """Tell whether a user is connected, anywhere."""
        return self._presence.online(user_id)

    def typing(self, conversation_id: str, receiver: str) -> Typing:
        """Tell who writes in a conversation, as one participant sees it."""
        return self._presence.typing(conversation_id, receiver)

    # What connections of this node do

    def came(self, user_id: str) -> None:
        """A user has a connection, after none."""
        if not self._leaving.drop(user_id):
            self._tell((Came(node=self._node, user_id=user_id),))

    def left(self, user_id: str) -> None:
        """A user has lost his last connection."""
        self._leaving.put(user_id, self._loop.time())
        self._set_timer()

    async def mark_typing(self, actor: str, conversation_id: str) -> Done:
        """Tell that the actor is about to say something. Raises what he is refused with."""
        with self._presence.intending(conversation_id, actor) as intent:
            await self._store.read(partial(must_write, actor, conversation_id))
            if not intent.is_over:
                wrote = Wrote(conversation_id=conversation_id, user_id=actor, at=self._clock())
                self._tell((wrote,))
        return Done()

    # What the bus brings

    def hear(self, signals: Sequence[Signal]) -> None:
        """Take signals of any node."""
        now = self._loop.time()
        self._hand_on([n for signal in signals for n in self._presence.hear(signal, now)])
        self._set_timer()

    def follow(self, changes: Sequence[Change]) -> None:
        """Take committed changes, which have been handed on already."""
        entries = (entry for change in changes for entry in change.entries)
        self._hand_on([n for entry in entries for n in self._presence.follow(entry)])

    def close(self) -> None:
        """The node stops: tell nobody anything any more."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Time

    def _set_timer(self) -> None:
        """See to it that the next end is not missed. The timer may ring earlier than that."""
        ends = [end for end in (self._leaving.next, self._presence.next_end) if end is not None]
        if not ends or self._is_closed:
            return
        if self._timer is not None:
            if self._rings_at <= min(ends):
                return
            self._timer.cancel()
        self._rings_at = min(ends)
        self._timer = self._loop.call_at(self._rings_at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        if leaving := self._leaving.due(now):
            self._tell([Left(node=self._node, user_id=user_id) for user_id in leaving])
        self._hand_on(self._presence.lapse(now))
        self._set_timer()
