"""One connection of a client that can come back: what it has been told, and what it still must be.

Only clients that give themselves an id, as the official one does; ours reads again what it needs.

    renew ──▶ its point is read; none: it is new, and all below costs it nothing
    SUBSCRIBE to anything of a conversation ──▶ what happened there since the point, if anything did
    ACK of all that was pushed ──▶ it has been told everything up to now
    the token ends, and is renewed ──▶ as if it came back: it subscribes again to everything
    the end ──▶ its new point

Who comes back, and is lost again before it could subscribe to everything, keeps its old point.

Not here: what is said (resume.py), which changes concern a conversation (journal.py), the table of
points (points.py). Invariant: a point is never later than what its client was told.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from rtflow.model.events import MessageDiff
from rtflow.server.domain.points import Client, Point
from rtflow.server.domain.sides import side_of
from rtflow.server.domain.tallies import reacted
from rtflow.server.gateway.audience import Kind, Topic
from rtflow.server.gateway.node import Node
from rtflow.server.gateway.ordering import Ordering
from rtflow.server.gateway.resume import (
    MOST_REPLAYED,
    Telling,
    replayed,
    retold,
    retold_page,
    touched_reactions,
)
from rtflow.server.store.interface import Entry, Steps
from rtflow.wire import codec
from rtflow.wire.endpoints import GET_MESSAGES, GET_PARTICIPANTS, AnyEndpoint
from rtflow.wire.server import Call, ServerProtocol, State

__all__ = ["Returning"]

logger = logging.getLogger(__name__)

SETTLING: Final = 60.0  # seconds in which whoever comes back has subscribed to everything again

Publish: TypeAlias = Callable[[list[bytes]], None]
Leave: TypeAlias = Callable[[int, str], None]


class Returning:
    """The connection of `client`, from its first accepted token on."""

    __slots__ = (
        "_client",
        "_known",
        "_leave",
        "_loop",
        "_node",
        "_ordering",
        "_protocol",
        "_publish",
        "_since",
        "_told",
        "_welcomed",
        "_whole",
    )

    def __init__(
        self,
        node: Node,
        client: Client,
        protocol: ServerProtocol,
        ordering: Ordering,
        publish: Publish,
        leave: Leave,
    ) -> None:
        self._node, self._client, self._protocol = node, client, protocol
        self._ordering, self._publish, self._leave = ordering, publish, leave
        self._loop = asyncio.get_running_loop()
        self._welcomed = 0.0
        self._known: int | None = None  # up to here it was told everything; None: not admitted yet
        self._since: int | None = None  # and up to here when it came back; None: it is new
        self._told = dict[str, int]()  # by conversation: up to where it was caught up with
        self._whole = set[tuple[str, AnyEndpoint]]()  # what pages are to be told besides

    def admit(self, answer: Callable[[], None]) -> None:
        """Its token was accepted; `answer` tells it so, once it is known where it was."""
        self._welcomed = self._loop.time()
        self._told.clear()
        self._whole.clear()
        if self._known is None:
            self._node.eager.start(self._recall(answer))
        else:
            self._since = self._known
            answer()

    async def _recall(self, answer: Callable[[], None]) -> None:
        try:
            self._since = await self._node.points.find(self._client)
        except Exception:
            logger.exception("where a client of %r left off is not known", self._client.user_id)
            self._leave(1011, "the server failed")
            return
        number = self._node.fanout.watermark if self._since is None else self._since
        self._node.figures.returned += self._since is not None
        self._known = number
        self._node.points.keep(self._client, Point(number, is_open=True))
        answer()

    def heard(self) -> None:
        """It has said something: perhaps that all that was pushed has arrived."""
        is_settled = self._since is None or self._loop.time() - self._welcomed >= SETTLING
        if (
            self._known is not None
            and is_settled
            and self._protocol.state is State.READY
            and self._protocol.is_heard
            and not self._ordering.held_bytes
        ):
            self._known = self._node.fanout.watermark

    def end(self) -> None:
        """The connection is over."""
        self.heard()
        if self._known is not None:
            self._node.points.keep(self._client, Point(self._known, is_open=False))

    def subscribed(self, topics: Iterable[Topic]) -> None:
        """It subscribed to these, and was told so: tell what it missed there."""
        if self._since is None:
            return
        for topic in topics:
            of = conversation_of(topic)
            if of is not None:
                since = self._told.get(of, self._since)
                numbers = self._node.journal.since(of, since)
                if numbers is None or numbers:
                    self._told[of] = self._node.journal.number
                    self._begin(self._catch_up(of, since))

    def answered(self, call: Call, result: Any) -> None:  # Any: of the call's endpoint
        """A request was answered."""
        if self._whole and call.ids and (read := (call.ids[0], call.endpoint)) in self._whole:
            self._whole.remove(read)
            events = retold_page(call.ids[0], result.data)
            self._publish([codec.encode(event) for event in events])

    # Telling, in its turn among events and answers

    def _begin(
        self, work: Coroutine[Any, Any, None]
    ) -> None:  # Any: what it waits for is asyncio's
        self._ordering.begin_read()
        self._node.eager.start(self._guarded(work))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            logger.exception("what a client of %r missed is not known", self._client.user_id)
            self._ordering.give_up_read()
            self._leave(1011, "the server failed")

    async def _catch_up(self, of: str, since: int) -> None:
        number = self._node.journal.number
        telling = partial(_told, of, self._client.user_id, await self._missed(of, since))
        reading = await self._node.store.read(telling)
        again = partial(self._catch_up, of, since)
        say = partial(self._say, of, reading.value)
        self._node.fanout.when(number, partial(self._take_turn, number, say, again))

    async def _missed(self, of: str, since: int) -> Sequence[Entry] | None:
        """Return what the log has of a conversation since then; None: that is not all."""
        numbers = self._node.journal.since(of, since)
        if numbers is None or len(numbers) > MOST_REPLAYED:
            return None
        changes = await self._node.store.changes_at(numbers)
        if len(changes) < len(numbers):
            return None
        entries = [entry for change in changes for entry in change.entries]
        return [entry for entry in entries if getattr(entry.event, "conversation_id", None) == of]

    def _take_turn(
        self,
        number: int,
        say: Callable[[], None],
        again: Callable[[], Coroutine[Any, Any, None]],  # Any: as above
    ) -> None:
        if not self._ordering.end_read(number, say):
            self._node.eager.start(self._guarded(again()))

    def _say(self, of: str, telling: Telling) -> None:
        figures = self._node.figures
        figures.retold += telling.is_whole
        figures.replayed += not telling.is_whole
        figures.events += len(telling.events)
        if telling.events:
            self._publish([codec.encode(event) for event in telling.events])
        if telling.is_whole:
            self._whole |= {(of, GET_MESSAGES), (of, GET_PARTICIPANTS)}


def _told(of: str, user_id: str, missed: Sequence[Entry] | None) -> Steps[Telling]:
    """Return what to tell somebody who missed this; None: nobody knows what."""
    side = yield from side_of(user_id, of)
    if missed is None:
        return retold(of, user_id, side)
    reactions = dict[str, MessageDiff]()
    for message_id, emoji in touched_reactions(missed).items() if side else ():
        found = yield from reacted(message_id, emoji, (user_id,))
        if found is not None:
            reactions[message_id] = found.diff(found.own[user_id])
    return replayed(missed, of, user_id, side, reactions)


def conversation_of(topic: Topic) -> str | None:
    """Return the conversation that a topic belongs to."""
    match topic.kind:
        case Kind.SELF | Kind.USER | Kind.ONLINE | Kind.CONVERSATIONS:
            return None
        case _:
            return topic.id if isinstance(topic.id, str) else topic.id[0]
