"""Three questions about unread messages, each answered by a pipeline of Rx operators.

    rtflow serve                          # in another terminal
    python examples/rx_pipelines.py

Combine: how much is unread in two conversations together? Throttle: the same, at most twice a
second. Alert: has it been too much for too long? It brings its own Bob, who talks for a few
seconds, and ends by itself.

Operators of time need no scheduler in a pipeline that starts at `observe()`: there they run on the
session's event loop. A free function such as `reactivex.timer` has to be told which that is.
"""

import asyncio
import os

import reactivex
from reactivex import Observable
from reactivex import operators as ops

import rtflow

SERVER = os.environ.get("RTFLOW_SERVER", "http://localhost:8080")
TOO_MANY, TOO_LONG = 3, 1.0  # messages, seconds


def total(session: rtflow.Session) -> Observable[int]:
    """How much is unread in both conversations."""
    lunch, work = session.conversation("rx-lunch").unread, session.conversation("rx-work").unread
    both = lunch.observe().pipe(ops.combine_latest(work.observe()))
    return both.map(sum).pipe(ops.distinct_until_changed())


def alerts(session: rtflow.Session) -> Observable[str]:
    """Emit once whenever more than `TOO_MANY` have been unread for `TOO_LONG`."""

    def countdown(is_too_many: bool) -> Observable[int]:
        if not is_too_many:
            return reactivex.never()
        return reactivex.timer(TOO_LONG, scheduler=session.scheduler)

    return (
        total(session)
        .map(lambda unread: unread > TOO_MANY)
        .pipe(
            ops.distinct_until_changed(),
            ops.map(countdown),
            ops.switch_latest(),  # a new answer stops the countdown of the old one
            ops.map(lambda _: f"over {TOO_MANY} unread for {TOO_LONG:g} s"),
        )
    )


async def main() -> None:
    async with (
        rtflow.Session(SERVER, app_id="demo", user_id="rx-alice") as alice,
        rtflow.Session(SERVER, app_id="demo", user_id="rx-bob") as bob,
    ):
        await prepare(alice, bob)
        total(alice).subscribe(lambda unread: print("total:    ", unread))
        total(alice).pipe(ops.sample(0.5)).subscribe(lambda unread: print("throttled:", unread))
        alerts(alice).subscribe(lambda alert: print("alert:    ", alert))
        await talk_and_read(bob, alice)


async def prepare(alice: rtflow.Session, bob: rtflow.Session) -> None:
    await alice.current_user.create_if_not_exists(name="Alice")
    await bob.current_user.create_if_not_exists(name="Bob")
    for id in ("rx-lunch", "rx-work"):
        conversation = alice.conversation(id)
        await conversation.create_if_not_exists()
        await conversation.participant("rx-bob").create_if_not_exists()
        await conversation.mark_as_read()


async def talk_and_read(bob: rtflow.Session, alice: rtflow.Session) -> None:
    for number in range(6):
        await asyncio.sleep(0.3)
        for id in ("rx-lunch", "rx-work"):
            await bob.conversation(id).send(f"number {number}")
    await asyncio.sleep(0.3)
    for id in ("rx-lunch", "rx-work"):
        await alice.conversation(id).mark_as_read()
    await asyncio.sleep(0.6)


if __name__ == "__main__":
    asyncio.run(main())
