"""Registry: who watches what, and what that asks of the server. No I/O; the time is handed in.

Not here: what things look like (rtflow.client.state), sending and waiting (mirror.py).

What is wanted is a graph: a lease wants a key, a key wants its parts (a conversation its last
message, that one its sender). A node stays while a lease or a whole wants it, and `linger` seconds
longer; parts leave with the whole. Each node needs one subscription, shared by all that need the
same, and one read that is sent *after* it: then it is fresh, and events keep it so. What is known
before that (a sender that came with a conversation) is shown all the same, but read once more: a
change between its answer and the subscription was pushed to nobody.

After each call `take()` says what to send and what has changed, as `data_to_send` does for a
protocol. On the wire: subscriptions, reads, then what is not needed any more. A lost connection
makes everything unknown; `connected` asks for all of it anew.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import UNSET, Struct

from rtflow.client.few import Few, adding, removing
from rtflow.client.state import State
from rtflow.client.state.asks import Ask, Outcome, Topic, lacks_expand, probe, unwatches, watches
from rtflow.client.state.keys import Key, LastKey, ListKey, SideKey, UserKey
from rtflow.errors import BadRequest, RtflowError
from rtflow.model.events import Event
from rtflow.wire.endpoints import Kind

__all__ = ["Lease", "Registry", "Work"]

NEVER = float("-inf")
SIMPLE = (SideKey, UserKey)  # these have no parts, and once known lack nothing
FEW = 3  # more last messages than this are read with their list, in one request


class Work(Struct, frozen=True):
    """What is to be done now: requests to send, in order; then observers of keys to tell."""

    asks: Sequence[Ask]
    changed: Sequence[Key]
    failed: Sequence[tuple[Key, RtflowError]]


class Lease:
    """Somebody's wish to know `size` items of a key."""

    __slots__ = ("key", "size")

    def __init__(self, key: Key, size: int) -> None:
        self.key, self.size = key, size


class Node:
    """A key that is wanted: by whom, and how far it is known on this connection."""

    __slots__ = (
        "asked",
        "has_restarted",
        "is_fresh",
        "key",
        "leases",
        "parts",
        "topic",
        "turn",
        "wholes",
    )

    def __init__(self, key: Key, topic: Topic | None) -> None:
        self.key, self.topic = key, topic
        self.leases: Few[Lease] = ()
        self.wholes: Few[Key] = ()
        self.parts: tuple[Key, ...] = ()
        self.asked: Ask | None = None  # the read that is under way
        self.turn = 0  # in which it was sent
        self.is_fresh = topic is None
        self.has_restarted = False  # for a wrong cursor, and no other was right since

    @property
    def size(self) -> int:
        return max((lease.size for lease in self.leases), default=1)

    @property
    def is_wanted(self) -> bool:
        return bool(self.leases or self.wholes)


class Registry:
    """The wishes of one session. `state` is what is known for them; `watching` False only reads."""

    __slots__ = (
        "_changed",
        "_expand",
        "_failed",
        "_hungry",
        "_idle",
        "_linger",
        "_nodes",
        "_probed",
        "_stirred",
        "_subscribed",
        "_turn",
        "_turned",
        "_wanted",
        "_watching",
        "is_live",
        "state",
    )

    def __init__(self, me: str, *, linger: float, watching: bool = True) -> None:
        self.state = State(me)
        self.is_live = False
        self._linger, self._watching = linger, watching
        self._expand = True
        self._nodes: dict[Key, Node] = {}
        self._idle: dict[Key, float] = {}  # since when nobody wants it: the first one leaves first
        self._wanted: Counter[Topic] = Counter()
        self._subscribed: dict[Topic, int] = {}  # in which turn
        self._turn = 0  # counts the calls of `take`
        self._turned: dict[Topic, None] = {}  # whose need may have changed
        self._stirred: dict[Key, None] = {}  # nodes to look at
        self._hungry: dict[Key, None] = {}  # nodes to read
        self._probed: set[str] = set()
        self._changed: dict[Key, None] = {}
        self._failed: list[tuple[Key, RtflowError]] = []

    # Wishes

    def acquire(self, key: Key, size: int, now: float) -> Lease:
        """Want a key from now on."""
        lease = Lease(key, size)
        node = self._node(key)
        node.leases = adding(node.leases, lease)
        self._idle.pop(key, None)
        self._resize(node)
        self._settle_down(now)
        return lease

    def resize(self, lease: Lease, size: int, now: float) -> None:
        """Want another number of items."""
        lease.size = size
        node = self._nodes.get(lease.key)
        if node is not None and lease in node.leases:
            self._resize(node)
            self._settle_down(now)

    def release(self, lease: Lease, now: float) -> None:
        """Want it no more. Does nothing the second time, or after a failure of the key."""
        node = self._nodes.get(lease.key)
        if node is None or lease not in node.leases:
            return
        node.leases = removing(node.leases, lease)
        if node.is_wanted:
            self._resize(node)
        else:
            self._idle[lease.key] = now
        self.expire(now)

    def expire(self, now: float) -> None:
        """Let go of what nobody has wanted for `linger` seconds."""
        while (deadline := self.deadline) is not None and deadline <= now:
            key, since = next(iter(self._idle.items()))
            self._drop(key, since, now)
        self._settle_down(now)

    @property
    def deadline(self) -> float | None:
        """When `expire` has something to do; None: not without another call before."""
        for since in self._idle.values():
            return since + self._linger
        return None

    # The connection

    def connected(self, now: float) -> None:
        """A connection is ready: ask for everything that is wanted."""
        self.disconnected()
        while self._idle:
            self._drop(next(iter(self._idle)), NEVER, now)
        self.is_live = True
        self._turned.update(dict.fromkeys(self._wanted))
        self._stirred.update(dict.fromkeys(self._nodes))
        self._settle_down(now)

    def disconnected(self) -> None:
        """The connection is lost: nothing is known, nothing is asked."""
        self.is_live = False
        self.state.forget()
        self._subscribed.clear()
        self._hungry.clear()
        self._probed.clear()
        for node in self._nodes.values():
            node.asked, node.is_fresh = None, node.topic is None

    @property
    def held(self) -> int:
        """How many keys are wanted, or linger."""
        return len(self._nodes)

    def apply(self, events: Iterable[Event], now: float) -> None:
        """Take what happened together."""
        for event in events:
            self.state.apply(event)
        self._settle_down(now)

    def settle(self, ask: Ask, outcome: Outcome, now: float) -> None:
        """Take the answer to a request: its result, or the error."""
        if ask.topics:
            if isinstance(outcome, RtflowError):
                topics = set(ask.topics)
                self._fail([n.key for n in self._nodes.values() if n.topic in topics], outcome, now)
        elif ask.endpoint.kind is Kind.READ:
            self._take(ask, outcome, now)
        self._settle_down(now)

    @property
    def has_errands(self) -> bool:
        """Whether there may be more to do than to tell of what has changed."""
        return bool(
            self._turned or self._hungry or self._failed or self._idle or self.state.strangers
        )

    def take_changed(self) -> Iterable[Key]:
        """Return what has changed, and forget it: all that `take` would, without errands."""
        changed, self._changed = self._changed, {}
        return changed

    def take(self) -> Work:
        """Return what is to be done, and forget it."""
        self._turn += 1
        asks: Sequence[Ask] = ()
        if self.is_live and (self._turned or self._hungry or self.state.strangers):
            asks = (*self._subscribe(), *self._read(), *self._unsubscribe())
        changed, self._changed = self._changed, {}
        failed, self._failed = self._failed, []
        return Work(asks, tuple(changed), failed)

    # The graph

    def _node(self, key: Key) -> Node:
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = Node(key, self.state.topic(key))
            self.state.hold(key)
            if node.topic is not None:
                self._wanted[node.topic] += 1
                self._turned[node.topic] = None
            self._stirred[key] = None
        return node

    def _resize(self, node: Node) -> None:
        self.state.hold(node.key, node.size)
        self._stirred[node.key] = None

    def _drop(self, key: Key, since: float, now: float) -> None:
        """Take a node out; what only it wanted has been idle `since` then, too."""
        node = self._nodes.pop(key, None)
        if node is None:
            return
        for notes in (self._idle, self._stirred, self._hungry):
            notes.pop(key, None)
        self.state.drop(key)
        if node.topic is not None:
            self._wanted[node.topic] -= 1
            self._turned[node.topic] = None
            if not (self.is_live or self._wanted[node.topic]):  # nobody subscribed to it
                del self._wanted[node.topic], self._turned[node.topic]
        for part in node.parts:
            self._part(key, part, since, now)

    def _part(self, whole: Key, part: Key, since: float, now: float) -> None:
        """A whole does not want a part any more."""
        node = self._nodes.get(part)
        if node is None:
            return
        node.wholes = removing(node.wholes, whole)
        if node.is_wanted:
            self._stirred[part] = None  # it may have waited to be read with that whole
            return
        if since + self._linger <= now:
            self._drop(part, since, now)
        else:
            self._idle[part] = since

    def _settle_down(self, now: float) -> None:
        """Follow what has changed through the graph, until nothing moves."""
        while True:
            for key in self.state.take_touched():
                if type(key) not in SIMPLE:
                    self._stirred[key] = None
                if (node := self._nodes.get(key)) is not None:
                    if node.leases:
                        self._changed[node.key] = None
                    if node.wholes:
                        self._spread(node.wholes)
            if not self._stirred:
                break
            key = next(iter(self._stirred))
            del self._stirred[key]
            if (node := self._nodes.get(key)) is not None:
                self._look_at(node, now)
        self.state.forget_hints()

    def _spread(self, keys: Iterable[Key]) -> None:
        """Note a change of these for their leases, and for all that they are parts of."""
        for key in keys:
            node = self._nodes[key]
            if node.leases:
                self._changed[node.key] = None
            self._spread(node.wholes)

    def _look_at(self, node: Node, now: float) -> None:
        parts = self.state.parts(node.key)
        if parts is not None and parts != node.parts:
            wanted = tuple(map(self._node, parts))
            before, node.parts = node.parts, tuple(part.key for part in wanted)  # one key for all
            for part in wanted:
                part.wholes = adding(part.wholes, node.key)
                self._idle.pop(part.key, None)
            for key in set(before).difference(parts):
                self._part(node.key, key, now, now)
        if self._is_stale(node) or self.state.gap(node.key) is not None:
            self._hungry[node.key] = None

    def _is_stale(self, node: Node) -> bool:
        return self._watching and not node.is_fresh

    # Requests

    def _subscribe(self) -> Iterator[Ask]:
        if self._watching:
            new = [it for it in self._turned if self._wanted[it] and it not in self._subscribed]
            self._subscribed.update(dict.fromkeys(new, self._turn))
            yield from watches(new)

    def _unsubscribe(self) -> Iterator[Ask]:
        unwanted = [topic for topic in self._turned if not self._wanted[topic]]
        self._turned.clear()
        for topic in unwanted:
            del self._wanted[topic]
        yield from unwatches(it for it in unwanted if self._subscribed.pop(it, None) is not None)

    def _read(self) -> Iterator[Ask]:
        hungry, self._hungry = self._hungry, {}
        wanted = {
            key: self._is_stale(node)
            for key in hungry
            if (node := self._nodes.get(key)) is not None and node.asked is None
        }
        if self._expand:
            self._read_with_lists(wanted)
        for ask in self.state.reads(wanted, expand=self._expand):
            for key in ask.covers:
                node = self._nodes[key]
                node.asked, node.turn = ask, self._turn
            yield ask
        for id in self.state.strangers:
            if id not in self._probed:
                self._probed.add(id)
                yield probe(id)

    def _read_with_lists(self, wanted: dict[Key, bool]) -> None:
        """Leave last messages to the list that they are wanted for: one request instead of many."""
        shared = defaultdict[ListKey, list[Key]](list)
        for key in tuple(wanted):
            for whole in self._nodes[key].wholes:
                if isinstance(whole, ListKey):
                    if whole in wanted or self._nodes[whole].asked is not None:
                        wanted.pop(key, None)  # looked at again when the list is here
                    shared[whole].append(key)
        for whole, parts in shared.items():
            left = [key for key in parts if key in wanted]
            if len(left) > FEW:
                wanted[whole] = True
                for key in left:
                    del wanted[key]

    def _take(self, ask: Ask, outcome: Outcome, now: float) -> None:
        asked = [node for key in ask.covers if (node := self._nodes.get(key)) and node.asked is ask]
        if not ask.covers:
            self._probed.discard(ask.ids[0])
        if lacks_expand(ask, outcome):
            self._expand = False
        if ask.cursor is not UNSET and self._restarted(asked, outcome):
            return
        if not self.state.take(ask, outcome):
            lists = [key for key in self._nodes if isinstance(key, ListKey)]
            self._fail([node.key for node in asked] if ask.covers else lists, outcome, now)
            return
        for node in asked:
            node.asked, node.is_fresh = None, True
            self._stirred[node.key] = None
            if isinstance(node.key, ListKey):
                self._refresh_parts(node, outcome)

    def _restarted(self, nodes: Iterable[Node], outcome: Outcome) -> bool:
        """Read these lists from the start if the next page was refused; but not for ever."""
        is_wrong = isinstance(outcome, BadRequest)
        found = False
        for node in nodes:
            if is_wrong and not node.has_restarted:
                self.state.restart(node.key)
                node.asked, found = None, True
                self._stirred[node.key] = None
            node.has_restarted = is_wrong
        return found

    def _refresh_parts(self, whole: Node, outcome: Outcome) -> None:
        """The last messages in a page of a list are fresh if they were subscribed to before."""
        page = () if isinstance(outcome, RtflowError) else outcome.data
        for conversation in page:
            node = self._nodes.get(LastKey(conversation.id))
            if node is not None and node.topic is not None and self._expand:
                since = self._subscribed.get(node.topic, whole.turn + 1)
                node.is_fresh = node.is_fresh or since <= whole.turn
        self._stirred.update(dict.fromkeys(whole.parts))

    def _fail(self, keys: Iterable[Key], error: RtflowError, now: float) -> None:
        """End all leases that need one of these keys, and forget what they held."""
        lost: dict[Key, Node] = {}
        queue = list(keys)
        while queue:
            key = queue.pop()
            if key not in lost and (node := self._nodes.get(key)) is not None:
                lost[key] = node
                queue.extend(node.wholes)
        self._failed.extend((key, error) for key, node in lost.items() if node.leases)
        for key in lost:
            self._drop(key, now, now)
