"""The soak in its bounded form: things are counted, not bytes. The long one is `make torture`."""

import gc
import itertools
from collections import Counter

from rtflow.testing import Link, until
from rtflow.testing.plugin import OpenSession
from rtflow.testing.server import RunningServer
from tests.torture.soak import QUICK, reconnect, watch_and_let_go

ROUNDS, ROUND = 20, 100  # with a reconnect in each
OWN = 2  # what a connection watches unasked: its user, and one that was only read


def ours() -> Counter[str]:
    """Count the objects of rtflow that are alive, by class; those of server and client."""
    gc.collect()
    kinds = map(type, gc.get_objects())
    return Counter(
        kind.__qualname__ for kind in kinds if str(kind.__module__).startswith("rtflow.")
    )


async def test_what_is_let_go_of_leaves_nothing_on_either_side(
    server: RunningServer, link: Link, open_session: OpenSession
) -> None:
    alice = await open_session("alice", server=link.url, linger=0, reconnect=QUICK)
    await alice.current_user.create_if_not_exists(name="Alice")
    numbers = itertools.count()

    async def round() -> None:
        await watch_and_let_go(alice, numbers, ROUND)
        await reconnect(alice, link)
        await alice.conversation("barrier").get()
        await until(lambda: server.app.subscriptions <= OWN, what="the server has let go, too")

    await round()
    before = ours()
    for _ in range(ROUNDS):
        await round()
    after = ours()
    assert {kind: (before[kind], n) for kind, n in after.items() if n > before[kind]} == {}
