"""The world that is tortured: a scene whose server is a process, behind tokens that run out, and a
metronome that shows whatever is stale, lost, doubled or out of order.

Not here: what people do (tests/end_to_end/acts.py), faults (faults.py), the story (storm.py).
"""

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import rtflow
from rtflow.client.credentials import Token
from rtflow.server import mint_token
from rtflow.testing import Clock, Recorder, ServerProcess
from tests.end_to_end.stage import USERS, Scene

__all__ = ["PULSE", "Metronome", "World"]

SECRET = "secret {} of the torture chamber, of more than 32 bytes"
PULSE = "pulse"  # the metronome's conversation
SETTINGS = {
    "token_leeway": 0,
    "typing_timeout": 0.3,
    "offline_delay": 0.05,
    "max_outbox_bytes": 64 * 1024,
}
LIFETIMES = (3.0, 4.0, 6.0, 600.0)  # seconds of a token
LONG = 120.0  # seconds that a server may take on a busy machine, and clients wait


class World(Scene):
    """A scene with a server of its own that may be killed. `clock` is that of the clients."""

    patience = 100_000.0  # a clock that leaps must not time out requests whose outcome counts

    def __init__(self, database: Path, random: Random, clock: Clock) -> None:
        super().__init__(database)
        self.random, self.clock = random, clock
        self.secret = SECRET.format(0)
        self.running = ServerProcess(database, secret=self.secret, settings=SETTINGS, patience=LONG)
        self.steps: list[Recorder[rtflow.ConnectionState]] = []
        self._has_begun = False

    def token(self, user: str) -> Token:
        """Return what makes tokens, each for a few seconds or minutes."""
        return lambda: mint_token("demo", user, self.secret, expires=self.random.choice(LIFETIMES))

    def rotate(self) -> None:
        """Let tokens be signed with another secret, by the next server too."""
        self.secret = SECRET.format(self.random.randrange(2**32))

    async def start(self) -> None:
        """Start the server, or start it again."""
        if self._has_begun:
            await self.running.restart(secret=self.secret)
        else:
            self._has_begun = True
            await self._server.enter_async_context(self.running)
        self.url = self.running.url

    async def stop(self) -> None:
        """End with the server."""
        await self._server.aclose()

    def listen(self) -> None:
        """Take note of each step of each connection."""
        for seat in self.seats:
            steps = Recorder[rtflow.ConnectionState]()
            seat.session.connection.observe().subscribe(steps)
            self.steps.append(steps)

    def fresh(self, user: str) -> rtflow.Session:
        """Return a session that knows nothing yet, straight to the server."""
        return rtflow.Session(
            self.url,
            app_id="demo",
            user_id=user,
            token=self.token(user),
            request_timeout=self.patience,
        )


class Metronome:
    """One who says and sets 1, 2, 3 ..., each when the one before was acknowledged; others watch.

    So whatever anybody sees of it grows by one, and never goes back.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._ada = world.seats[0].session
        self.beats = 0
        self.seen: list[tuple[Recorder[Any], str]] = []  # Any: windows, users, counts

    async def begin(self) -> None:
        """Set it up, and let everybody watch."""
        await self._ada.conversation(PULSE).create_if_not_exists(subject=PULSE)
        for user in USERS:
            await self._ada.conversation(PULSE).participant(user).create_if_not_exists()
        for seat in self._world.seats:
            me, where = seat.session, f"by {seat.session!r}"
            pulse = me.conversation(PULSE)
            for live in (me.user("ada"), pulse, pulse.messages.window(5), pulse.unread):
                seen = Recorder[Any]()
                live.observe().subscribe(seen)
                self.seen.append((seen, f"{live!r} {where}"))

    async def run(self, stop: asyncio.Event) -> None:
        """Beat until told to stop."""
        pulse = self._ada.conversation(PULSE)
        while not stop.is_set():
            beat = self.beats + 1
            await self._ada.user("ada").set(custom={"beat": str(beat)})
            await pulse.set(custom={"beat": str(beat)})
            await pulse.send(str(beat))
            self.beats = beat
            me = await self._ada.user("ada").get()
            assert me is not None, "nobody reads what he wrote"
            assert beat_of(me) == beat, f"read {beat_of(me)} after writing {beat}"

    async def converge(self) -> int:
        """Wait until everybody has seen the last beat; return how many values were judged."""
        judged = 0
        for seen, what in self.seen:
            await seen.until(lambda values: self._is_last(values[-1]), LONG)
            judged += judge(seen.values, what)
        return judged

    def _is_last(self, value: Any) -> bool:  # Any: as in `seen`
        if isinstance(value, int):
            return value in (self.beats, 0)  # 0: it is his own
        return self.beats == 0 or beat_of(value) == self.beats


def beat_of(value: Any) -> int:  # Any: as in `seen`
    """Return the beat that this shows, 0 while it shows none."""
    if isinstance(value, int):
        return value
    if hasattr(value, "loaded_all"):
        return next(iter(beats_in(value)), 0)
    return int(value.custom.get("beat", 0)) if value is not None else 0


def beats_in(window: rtflow.Window[rtflow.MessageSnapshot]) -> list[int]:
    """Return the beats that were said there, newest first."""
    return [int(message.plaintext) for message in window.items]


def judge(values: Sequence[Any], what: str) -> int:  # Any: as in `seen`
    """Assert that these grow, each other than the one before; return how many there are."""
    for before, after in itertools.pairwise(values):
        assert before != after, f"twice in {what}: {after!r}"
        assert beat_of(before) <= beat_of(after), f"stale in {what}: {after!r} after {before!r}"
    for value in values:
        if hasattr(value, "loaded_all"):
            beats = beats_in(value)
            assert all(a == b + 1 for a, b in itertools.pairwise(beats)), f"a hole in {beats}"
    return len(values)
