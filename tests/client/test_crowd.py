"""A crowd that loses its server at the same moment does not come back at the same moment."""

import contextlib
import random

from rtflow import Backoff, Session
from rtflow.testing import Clock, Link

SLOT = 0.1  # seconds


def arrivals(clients: int, away: float, backoff: Backoff) -> list[float]:
    """Return when each of them is back if the server was away for so long; who comes too early
    tries again."""
    chance = random.Random(1).random
    found = list[float]()
    for _ in range(clients):
        at, delays = 0.0, backoff.delays(chance)
        while at <= away:
            at += next(delays)
        found.append(at)
    return found


def busiest(times: list[float]) -> int:
    """Return how many come within one slot, at most."""
    slots = [int(at / SLOT) for at in times]
    return max(slots.count(slot) for slot in set(slots))


def test_a_thousand_clients_spread_over_about_as_long_as_their_server_was_away() -> None:
    for away, most, latest in ((0.0, 450, 0.25), (1.0, 150, 2.5), (4.0, 60, 8.0), (60.0, 30, 15.0)):
        times = arrivals(1000, away, Backoff())
        assert busiest(times) < most, f"away for {away} s: {busiest(times)} within {SLOT} s"
        late = sorted(times)[900] - away
        assert late < latest, f"away for {away} s: one in ten is {late:.1f} s late"


async def test_sessions_that_lose_their_server_at_once_come_back_one_after_the_other(
    link: Link, clock: Clock
) -> None:
    clients = 90
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(clients):
            session = Session(link.url, app_id="demo", user_id="alice")
            await stack.enter_async_context(session)
            await session.current_user.get()
        link.refuse()
        link.cut()
        await link.until(lambda it: it.open == 0)
        await clock.advance(2)
        came, before = list[int](), link.opened
        link.accept()
        while sum(came) < clients and len(came) < 200:
            await clock.advance(SLOT)
            came.append(link.opened - before - sum(came))
        assert sum(came) == clients
        assert max(came) < clients / 4, came
        await link.until(lambda it: it.open == clients)
