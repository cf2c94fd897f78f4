"""What does it cost that there is much? The same request of one user, among few and among many.

Here "bare" is the small case and "rtflow" the large one; both are asked of one `rtflow serve`, on a
bare socket, one request at a time, in turns. What counts is the server's processor time: how long
one request waits on a busy machine says more about the machine.
"""

import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec.structs import replace

from benchmarks.asking import Client, Timing, client, read, said
from benchmarks.measure import BARE, OURS, Line, Side, cpu_clock, medians
from benchmarks.plan import Plan
from benchmarks.programs import rtflow_server
from benchmarks.seeding import NOON, seeding

MINE = "/me/conversations"


def seed(file: Path, plan: Plan) -> None:
    """Make few and many, small and large, short and long."""
    crowd = [f"user{n}" for n in range(plan.participants[1])]
    with seeding(file) as to:
        to.users("few", "many", "reader", *crowd, *guests(plan))
        for who, rooms in zip(("few", "many"), plan.conversations, strict=True):
            for n in range(rooms):
                other = crowd[n % len(crowd)]
                to.conversation(f"{who}{n}", [who, other], messages=1, at=NOON + n)
            to.all_but(plan.unread, who)
        for prefix in ("", "joined-"):
            for room, size in zip(("small", "large"), plan.participants, strict=True):
                to.conversation(f"{prefix}{room}", crowd[:size], messages=1, at=NOON)
        for room, length in zip(("short", "long"), plan.messages, strict=True):
            to.conversation(room, ["reader"], messages=length, at=NOON)


def guests(plan: Plan) -> list[str]:
    """Name who joins."""
    return [f"guest{n}" for n in range(plan.joinings)]


def join(who: Client, timing: Timing, room: str, plan: Plan) -> Side:
    """Let a batch of guests in; afterwards, out again."""
    path = f"/conversations/{room}/participants"
    actions = {"actions": [{"id": guest, "method": "POST"} for guest in guests(plan)]}

    async def batch() -> float:
        took = await replace(timing, times=1).each(lambda: who.ask("POST", path, actions))
        for guest in guests(plan):
            await who.ask("DELETE", f"{path}/{guest}")
        return took

    return batch


async def lines(plan: Plan) -> list[Line]:
    """Measure."""

    async def line(name: str, question: str, large: Side, small: Side) -> Line:
        figures = await medians({BARE: small, OURS: large}, plan.rounds)
        return Line(
            name=name, question=question, unit="cpu µs", figures=figures, goal=1.5, better="lower"
        )

    (few_rooms, rooms), (few_people, people) = plan.conversations, plan.participants
    few_messages, messages = plan.messages
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rtflow.db"
        seed(file, plan)
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(rtflow_server(file))
            timing = Timing(plan.requests, cpu_clock(server.pid))
            few, many, reader, user = [
                await stack.enter_async_context(client(server, name))
                for name in ("few", "many", "reader", "user0")
            ]
            said_to_many, said_to_few = [
                await stack.enter_async_context(said(server, timing, room, size, plan.online))
                for room, size in (("large", people), ("small", few_people))
            ]
            page, unread = min(20, few_rooms), {"isUnread": True}
            ten, thirty = min(10, few_people), min(30, few_messages)
            return [
                await line(
                    f"list{page}",
                    f"first {page} of my conversations, among {rooms:,} and {few_rooms}",
                    read(many, timing, MINE, page, limit=page),
                    read(few, timing, MINE, page, limit=page),
                ),
                await line(
                    "unread",
                    f"my {plan.unread} unread conversations, among {rooms:,} and {few_rooms}",
                    read(many, timing, MINE, plan.unread, limit=page, filter=unread),
                    read(few, timing, MINE, plan.unread, limit=page, filter=unread),
                ),
                await line(
                    "participants",
                    f"first {ten} participants, of {people:,} and {few_people}",
                    read(user, timing, f"{MINE}/large/participants", ten, limit=ten),
                    read(user, timing, f"{MINE}/small/participants", ten, limit=ten),
                ),
                await line(
                    "send",
                    f"send() to {people:,} participants and {few_people}, "
                    f"on {plan.online} connections",
                    said_to_many,
                    said_to_few,
                ),
                await line(
                    "window30",
                    f"newest {thirty} messages, of {messages:,} and {few_messages}",
                    read(reader, timing, f"{MINE}/long/messages", thirty, limit=thirty),
                    read(reader, timing, f"{MINE}/short/messages", thirty, limit=thirty),
                ),
                await line(
                    "join100",
                    f"{plan.joinings} joinings in one request, to {people:,} participants "
                    f"and {few_people}",
                    join(user, timing, "joined-large", plan),
                    join(user, timing, "joined-small", plan),
                ),
            ]
