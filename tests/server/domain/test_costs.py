"""What a request costs does not grow with what there is: counted in SQLite's own instructions, the
same on every machine.

How long it takes is measured by `python -m benchmarks scale`.
"""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from rtflow.model.filters import ConversationFilter
from tests.server.domain.world import World, step

FEW, MANY = 10, 600
UNREAD = ConversationFilter(is_unread=True)

Request = Callable[[World, str], object]


def cost(world: World, request: Request, of: str) -> int:
    """Return how many instructions SQLite carries out for a request."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    world.database.writer.set_progress_handler(count, 1)
    request(world, of)
    world.database.writer.set_progress_handler(None, 1)
    return steps


@pytest.fixture(scope="module")
def big() -> Iterator[World]:
    """Who or what is called "few" has few of what "many" has many of."""
    world = World()
    crowd = [f"user {n:03}" for n in range(MANY)]
    for user in ("few", "many", *crowd):
        world.create_user(user, user)
    for user, number in (("few", FEW), ("many", MANY)):
        for n in range(number):
            world.start(f"{user} {n:03}", user, "user 000")
        for n in range(0, number, number // 5):
            world.send("user 000", f"{user} {n:03}", "hello")
    for room, number in (("few", FEW), ("many", MANY)):
        world.start(room, *crowd[:number])
        for user in crowd[:number]:
            world.send(user, room, "hello")
            world.read("user 001", room)
    yield world
    world.database.close()


READS: dict[str, Request] = {
    "the first page of my conversations": lambda it, who: it.page(who, limit=5),
    "a page of them that comes after another": lambda it, who: it.page(
        who, limit=5, cursor=it.page(who, limit=5).cursor
    ),
    "the unread ones of my conversations": lambda it, who: it.page(who, limit=10, filter=UNREAD),
    "one of my conversations": lambda it, which: it.see("user 000", which, ("lastMessage",)),
    "the first page of its participants": lambda it, which: it.participants(
        "user 000", which, limit=5
    ),
    "one of its participants": lambda it, which: it.participant("user 000", which, "user 009"),
    "the newest of its messages": lambda it, which: it.messages("user 000", which, limit=5),
    "the sides of those who are connected": lambda it, which: it.sides(
        which, "user 000", "user 001", "user 002"
    ),
}
WRITES: dict[str, Request] = {
    "saying something": lambda it, which: it.send("user 000", which, "hello"),
    "reading it": lambda it, which: it.read("user 001", which),
    "marking it as unread": lambda it, which: it.unread("user 002", which),
    "leaving": lambda it, which: it.remove("user 003", which, "user 003"),
    "being edited": lambda it, which: it.act(
        "user 000", which, step("PATCH", "user 004", notify=False)
    ),
}


@pytest.mark.parametrize("what", READS)
def test_a_read_costs_among_many_what_it_costs_among_few(big: World, what: str) -> None:
    read = READS[what]
    few, many = cost(big, read, "few"), cost(big, read, "many")
    assert few > 20
    assert many <= 1.5 * few


def test_a_write_costs_among_many_what_it_costs_among_few(big: World) -> None:
    for what, write in WRITES.items():
        few, many = cost(big, write, "few"), cost(big, write, "many")
        assert few > 20, what
        assert many <= 1.5 * few, what


def test_joining_costs_the_same_in_each_batch(world: World) -> None:
    users = [f"user {n:03}" for n in range(400)]
    for user in users:
        world.create_user(user, user)
    world.start("lunch", "user 000")

    def join(world: World, first: str) -> None:
        start = int(first)
        steps = [step("PUT", user) for user in users[start : start + 50]]
        world.act("user 000", "lunch", *steps)

    costs = [cost(world, join, str(start)) for start in range(0, 400, 50)]
    assert max(costs) <= 1.5 * min(costs), costs


def test_saying_something_takes_ten_statements_in_its_transaction(world: World) -> None:
    world.start("lunch", "bob", "alice")
    world.send("alice", "lunch", "hello")  # the full-text index looks around when it is first used
    said: list[str] = []
    world.database.writer.set_trace_callback(said.append)
    world.send("bob", "lunch", "hello", idempotency_key="once")
    world.database.writer.set_trace_callback(None)
    verbs = Counter(sql.split()[0] for sql in said)
    del verbs["--"]  # what the full-text index does by itself
    assert verbs == {"BEGIN": 1, "SELECT": 2, "INSERT": 5, "UPDATE": 3, "COMMIT": 1}
