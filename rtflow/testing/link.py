"""Link: the network between a client and a server, at its worst and at your command.

Not here: where websocket messages begin and end (framing.py); this room knows bytes only.
Invariant: per connection and direction at most `PARCELS` parcels of `CHUNK` bytes are on the
way; then the sender is not read any more and feels it, as it would behind a slow network.

Every direction of a connection is two tasks: one collects what the source says and stamps it with
the time at which it is due, one delivers. Only so does a delay delay without slowing down. An end
of file and a reset travel in the same queue as the bytes, so a stalled link hides them too. A task
sleeps for at most one piece, then looks at its lane again: a fault is in force when the call that
switches it on returns.

The port is held by a socket that never listens, beside the listener (SO_REUSEPORT lets both have
it). So a link that refuses is refused by the kernel, as by a server that is down, and nobody can
take its port.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self, TypeAlias

from rtflow.testing.framing import Faults, Framing, MessageFault
from rtflow.testing.waiting import Bell

__all__ = ["Direction", "Link"]

Direction: TypeAlias = Literal["up", "down"]  # up: from the client to the server
Parcel: TypeAlias = tuple[float, bytes | OSError]  # when it is due; b"" is the end of file
Parcels: TypeAlias = asyncio.Queue[Parcel]

CHUNK = 16 * 1024  # bytes
PARCELS = 16
TICK = 0.02  # seconds: a throttled lane delivers what fits into one of these
RESET = struct.pack("ii", 1, 0)  # SO_LINGER for 0 s: close() sends RST


class Lane:
    """One direction, for all connections: its faults and its counters."""

    def __init__(self, hit: Callable[[], None]) -> None:
        self.passed = 0
        self.lost = 0
        self.delay = 0.0
        self.rate: int | None = None  # bytes per second
        self.largest_piece: int | None = None
        self.left_until_cut: int | None = None
        self.loses = False
        self.faults = Faults(hit)
        self.flowing = asyncio.Event()
        self.flowing.set()

    def piece(self, length: int) -> int:
        """How many of the next `length` bytes to deliver in one go."""
        in_a_tick = None if self.rate is None else max(1, int(self.rate * TICK))
        return min(n for n in (length, self.largest_piece, in_a_tick) if n is not None)

    async def opened(self) -> None:
        """Return when the lane flows, in the same turn of the loop in which that is certain."""
        while not self.flowing.is_set():
            await self.flowing.wait()


class Connection:
    """The two sockets of one connection, and the tasks that carry bytes between them."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.tasks = list[asyncio.Task[None]]()
        for side in (client, server):
            side.setblocking(False)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def reset_when_closed(self) -> None:
        """Make `close` send RST to both sides instead of FIN."""
        for side in (self.client, self.server):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def say_goodbye(self) -> None:
        """Send FIN to both sides at once, whatever has to be read yet."""
        for side in (self.client, self.server):
            with contextlib.suppress(OSError):  # not connected yet, or not any more
                side.shutdown(socket.SHUT_WR)

    def stop(self) -> None:
        """Carry nothing any more: each task at once, through their group it takes a turn more."""
        for task in self.tasks:
            task.cancel()

    def close(self) -> None:
        """Give both sockets back, when no task uses them any more."""
        self.client.close()
        self.server.close()


class Link:
    """A TCP proxy on 127.0.0.1 in front of `host:port`, with faults to switch while it runs.

        async with Link("127.0.0.1", server.port) as link:
            async with rtflow.Session(link.url, app_id="demo", user_id="alice") as session:
                ...
                before = link.opened
                link.cut()
                await link.until(lambda l: l.opened > before)  # the session has come back

    A direction is `"up"` (client to server), `"down"`, or `None` for both. A new fault replaces the
    older one of its kind; it is in force when the call returns. Durations are seconds, sizes bytes.
    """

    opened: int
    """How many connections were ever accepted."""

    messages_hit: int
    """How many websocket messages were dropped, duplicated or reordered."""

    port: int
    """Where clients connect to, on 127.0.0.1."""

    def __init__(self, host: str, port: int) -> None:
        self.opened = 0
        self._target = (host, port)
        self.messages_hit = 0
        self._lanes: dict[Direction, Lane] = {"up": Lane(self._hit), "down": Lane(self._hit)}
        self._bell = Bell()
        self._carriers = asyncio.TaskGroup()
        self._connections = set[Connection]()
        self._listener: socket.socket | None = None

    async def __aenter__(self) -> Self:
        self._port_holder = socket.socket()
        self._port_holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._port_holder.bind(("127.0.0.1", 0))
        self.port = int(self._port_holder.getsockname()[1])
        await self._carriers.__aenter__()
        self.accept()
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _exc: BaseException | None,
        _tb: TracebackType | None,
    ) -> None:
        self.refuse()
        self.cut()
        self._port_holder.close()
        # Not with the exception of the body: the group would wrap it.
        await self._carriers.__aexit__(None, None, None)

    @property
    def url(self) -> str:
        """What a client connects to: `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._connections)

    @property
    def bytes_up(self) -> int:
        """How many bytes have been delivered to the server."""
        return self._lanes["up"].passed

    @property
    def bytes_down(self) -> int:
        """How many bytes have been delivered to clients."""
        return self._lanes["down"].passed

    @property
    def bytes_lost(self) -> int:
        """How many bytes have vanished in a `stall` that loses."""
        return sum(lane.lost for lane in self._lanes.values())

    async def until(
        self,
        condition: Callable[[Self], bool],
        timeout: float = 5.0,  # noqa: ASYNC109 - a deadline that can say what it saw
    ) -> None:
        """Return as soon as `condition(link)` is true, looking now and when a counter has moved.

        Raises `AssertionError`, with the counters, after `timeout` seconds.
        """
        await self._bell.wait(
            lambda: condition(self), timeout, lambda: f"not so within {timeout} s: {self!r}"
        )

    # Connections

    def cut(self) -> None:
        """Reset every open connection on both sides (RST). What was on the way is lost."""
        for connection in self._connections:
            connection.reset_when_closed()
            connection.stop()

    def close(self) -> None:
        """End every open connection on both sides (FIN). What was on the way is lost."""
        for connection in self._connections:
            connection.say_goodbye()
            connection.stop()

    def cut_after(self, n_bytes: int, direction: Direction) -> None:
        """Let `n_bytes` more pass in `direction`, over all connections, then `cut()` once."""
        if n_bytes < 1:
            raise ValueError(f"n_bytes must be at least 1, not {n_bytes}: to cut now, call cut()")
        self._lanes[direction].left_until_cut = n_bytes

    def refuse(self) -> None:
        """Refuse new connections, as a server that is down. Open ones stay; so does the port."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def accept(self) -> None:
        """Take new connections again."""
        if self._listener is None:
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._listener.setblocking(False)
            self._listener.bind(self._port_holder.getsockname())
            self._listener.listen()
            asyncio.get_running_loop().add_reader(self._listener, self._admit, self._listener)

    def retarget(self, host: str, port: int) -> None:
        """Send new connections to `host:port` instead. Open ones stay where they are."""
        self._target = (host, port)

    # Bytes

    def stall(self, direction: Direction | None = None, *, lose: bool = False) -> None:
        """Let nothing pass in this `direction`, and tell nobody (half-open).

        That goes for bytes and for the end of a connection. Bytes are held, and the sender is
        slowed down when the buffers are full. With `lose` they vanish: the sender never notices.
        """
        for lane in self._lanes_of(direction):
            lane.flowing.clear()
            lane.loses = lose

    def resume(self, direction: Direction | None = None) -> None:
        """Undo `stall` in this `direction`; what was held passes first."""
        for lane in self._lanes_of(direction):
            lane.loses = False
            lane.flowing.set()

    def delay(self, seconds: float, direction: Direction | None = None) -> None:
        """Deliver what comes from now on in this `direction` `seconds` later. 0 undoes it."""
        for lane in self._lanes_of(direction):
            lane.delay = seconds

    def throttle(self, bytes_per_second: int | None, direction: Direction | None = None) -> None:
        """Deliver at most `bytes_per_second` per `direction` and connection. None: no limit."""
        for lane in self._lanes_of(direction):
            lane.rate = bytes_per_second

    def split(self, n: int | None, direction: Direction | None = None) -> None:
        """Deliver in pieces of at most `n` bytes in this `direction`. None: as they come.

        A receiver on this event loop reads each piece alone; elsewhere the kernel may join some.
        """
        for lane in self._lanes_of(direction):
            lane.largest_piece = n

    # Messages

    def drop(self, n: int, direction: Direction) -> None:
        """Lose the next `n` websocket messages in `direction`, whole, over all connections.

        TCP does nothing of that kind; a peer with a bug may. The same goes for the next two.
        """
        self._befall("drop", n, direction)

    def duplicate(self, n: int, direction: Direction) -> None:
        """Deliver the next `n` websocket messages in `direction` twice."""
        self._befall("duplicate", n, direction)

    def reorder(self, n: int, direction: Direction) -> None:
        """Deliver the next `n` websocket messages in `direction` each after the one behind it."""
        self._befall("reorder", n, direction)

    def _befall(self, fault: MessageFault, n: int, direction: Direction) -> None:
        if n < 1:
            raise ValueError(f"n must be at least 1, not {n}")
        self._lanes[direction].faults.order(fault, n)

    def _hit(self) -> None:
        self.messages_hit += 1
        self._bell.ring()

    def _lanes_of(self, direction: Direction | None) -> tuple[Lane, ...]:
        return tuple(self._lanes.values()) if direction is None else (self._lanes[direction],)

    # Inside

    def _admit(self, listener: socket.socket) -> None:
        try:
            client, _address = listener.accept()
        except OSError:
            return  # the client has left already
        server = socket.socket(socket.AF_INET6 if ":" in self._target[0] else socket.AF_INET)
        connection = Connection(client, server)
        carrier = self._carriers.create_task(self._carry(connection))
        connection.tasks.append(carrier)
        self._connections.add(connection)
        self.opened += 1
        # Not in a `finally` of the task: cancelled before its first step it would not get there.
        carrier.add_done_callback(lambda _: self._forget(connection))
        self._bell.ring()

    def _forget(self, connection: Connection) -> None:
        connection.close()
        self._connections.remove(connection)
        self._bell.ring()

    async def _carry(self, connection: Connection) -> None:
        """Serve one connection, until both sides have said their last word or one is reset."""
        client, server = connection.client, connection.server
        try:
            await asyncio.get_running_loop().sock_connect(server, self._target)
            async with asyncio.TaskGroup() as tasks:
                for lane, source, target in (
                    (self._lanes["up"], client, server),
                    (self._lanes["down"], server, client),
                ):
                    parcels = Parcels(PARCELS)
                    connection.tasks += (
                        tasks.create_task(self._collect(lane, source, parcels)),
                        tasks.create_task(self._deliver(lane, parcels, target)),
                    )
        except* OSError:
            connection.reset_when_closed()

    async def _collect(self, lane: Lane, source: socket.socket, parcels: Parcels) -> None:
        loop = asyncio.get_running_loop()
        while True:
            said: bytes | OSError
            try:
                said = await loop.sock_recv(source, CHUNK)
            except OSError as exc:
                said = exc
            await parcels.put((loop.time() + lane.delay, said))
            if not said or isinstance(said, OSError):
                return

    async def _deliver(self, lane: Lane, parcels: Parcels, target: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        framing = Framing(lane.faults)
        while True:
            due, said = await parcels.get()
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            if isinstance(said, OSError):
                await lane.opened()
                raise said
            is_end = not said
            said = framing.rest() if is_end else framing.take(said)
            while said:
                said = said[await self._deliver_piece(lane, said, target) :]
            if is_end:
                await lane.opened()
                target.shutdown(socket.SHUT_WR)
                return

    async def _deliver_piece(self, lane: Lane, chunk: bytes, target: socket.socket) -> int:
        """Deliver (or lose) the beginning of `chunk`; say how much that was."""
        size = lane.piece(len(chunk))
        if lane.rate is not None:
            await asyncio.sleep(size / lane.rate)
        if lane.loses:
            lane.lost += size
            self._bell.ring()
            return size
        await lane.opened()
        if lane.left_until_cut is not None:
            size = min(size, lane.left_until_cut)
            lane.left_until_cut -= size
        await asyncio.get_running_loop().sock_sendall(target, chunk[:size])
        lane.passed += size
        self._bell.ring()
        if lane.left_until_cut == 0:
            lane.left_until_cut = None
            self.cut()
            await asyncio.sleep(0)  # ends here: this task has been cancelled too
        if lane.largest_piece is not None:
            # One turn for the loop to learn that the receiver can read, one for it to do so.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return size

    def __repr__(self) -> str:
        host, port = self._target
        return (
            f"<Link from 127.0.0.1:{self.port} to {host}:{port}, opened {self.opened}, "
            f"open now {self.open}, {self.bytes_up} B up, {self.bytes_down} B down>"
        )
