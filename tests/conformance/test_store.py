"""What every store promises (rtflow.server.store.interface), tried on each of them."""

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rtflow.errors import Forbidden, NotFound, RequestRefused, ServerFailed
from rtflow.model.events import UserCreated
from rtflow.server.store.interface import (
    Change,
    Command,
    Joint,
    Outcome,
    Reading,
    Steps,
    Store,
    run,
)
from tests.conformance.stores import Kind, add, count, entry, names, submitted, turn, write


@pytest.fixture(params=["memory", "file"])
async def kind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kind]:
    kind = Kind(tmp_path / "chat.db" if request.param == "file" else None)
    yield kind
    await kind.close()


@pytest.fixture
async def store(kind: Kind) -> Store:
    return await kind.open()


def refuse_after(*written: str) -> Steps[Outcome[None]]:
    for name in written:
        yield from write(name)
    raise Forbidden("NO")


def look() -> Steps[Outcome[list[str]]]:
    return Outcome((yield from names()))


def numbers(changes: Sequence[Change]) -> list[int]:
    return [change.number for change in changes]


# Commands


async def test_a_command_is_answered_with_its_result_and_its_number(store: Store) -> None:
    assert await submitted(store, add("ada")) == Reading("ada", 1)
    assert await submitted(store, add("bob")) == Reading("bob", 2)
    assert store.number == 2


async def test_commands_of_one_turn_run_in_the_order_of_their_calls(
    kind: Kind, store: Store
) -> None:
    wanted = [f"user {n:03}" for n in range(300)]
    answers = await asyncio.gather(*[submitted(store, add(name)) for name in wanted])
    assert [answer.value for answer in answers] == wanted
    assert [answer.number for answer in answers] == list(range(1, 301))
    assert [change.entries for change in kind.published] == [(entry(name),) for name in wanted]


async def test_a_command_sees_what_those_before_it_wrote(store: Store) -> None:
    submitted(store, add("ada"))
    assert (await submitted(store, look)).value == ["ada"]


async def test_a_command_that_changes_nothing_takes_no_number(kind: Kind, store: Store) -> None:
    answers = await asyncio.gather(
        submitted(store, look), submitted(store, add("ada")), submitted(store, look)
    )
    assert [answer.number for answer in answers] == [0, 1, 1]
    assert numbers(kind.published) == [1]


async def test_a_command_may_write_without_telling_anybody(kind: Kind, store: Store) -> None:
    def quiet() -> Steps[Outcome[None]]:
        yield from write("ada")
        return Outcome(None)

    assert await submitted(store, quiet) == Reading(None, 0)
    assert (await store.read(names)).value == ["ada"]
    assert kind.published == []


async def test_a_command_may_tell_something_without_writing(kind: Kind, store: Store) -> None:
    def loud() -> Steps[Outcome[None]]:
        yield from ()
        return Outcome(None, (entry("ada"),))

    assert await submitted(store, loud) == Reading(None, 1)
    assert kind.published == [Change(1, (entry("ada"),))]


@pytest.mark.parametrize("written", [(), ("ada", "bob")])
async def test_a_command_that_refuses_has_no_effect(
    kind: Kind, store: Store, written: tuple[str, ...]
) -> None:
    before = submitted(store, add("before"))
    refused = submitted(store, lambda: refuse_after(*written))
    after = submitted(store, add("after"))
    with pytest.raises(Forbidden):
        await refused
    assert ((await before).number, (await after).number) == (1, 2)
    assert (await store.read(names)).value == ["after", "before"]
    assert numbers(kind.published) == [1, 2]


def raising() -> Steps[Outcome[None]]:
    yield from write("half")
    raise RuntimeError("a bug")


def violating() -> Steps[Outcome[None]]:
    yield from write("half")
    yield from write("half")
    return Outcome(None)


def misspelt() -> Steps[Outcome[None]]:
    yield from write("half")
    yield from run("INSERT INTO nowhere VALUES (1)")
    return Outcome(None)


def unspeakable() -> Steps[Outcome[None]]:
    yield from write("half")
    yield from run("UPDATE users SET name = ?1", object())
    return Outcome(None)


def stillborn() -> Steps[Outcome[None]]:
    raise RuntimeError("a bug before the first statement")


@pytest.mark.parametrize("bug", [raising, violating, misspelt, unspeakable, stillborn])
async def test_a_command_that_fails_is_undone_alone(
    kind: Kind, store: Store, caplog: pytest.LogCaptureFixture, bug: Command[None]
) -> None:
    before = submitted(store, add("before"))
    failed = submitted(store, bug)
    after = submitted(store, add("after"))
    with pytest.raises(ServerFailed) as caught:
        await failed
    assert caught.value.code == "INTERNAL"
    assert ((await before).number, (await after).number) == (1, 2)
    assert (await store.read(names)).value == ["after", "before"]
    assert numbers(kind.published) == [1, 2]
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.ERROR]


# Joint commands


def greet(name: str) -> Joint[str]:
    return Joint(greet_all, name)


def greet_all(greeted: Sequence[str]) -> Steps[list[Outcome[str] | RequestRefused]]:
    """Greet all but strangers. Of several it asks and writes once."""
    known = yield from names()
    here = [name for name in greeted if name not in ("stranger", *known)]
    for name in here:
        yield from write(name)
    if "bug" in greeted:
        raise RuntimeError("a bug")
    return [Outcome(it, (entry(it),)) if it in here else Forbidden("NO") for it in greeted]


async def test_joint_commands_are_answered_in_order_each_with_its_result_and_number(
    kind: Kind, store: Store
) -> None:
    queued: list[Command[str]] = [
        *map(greet, ("b", "stranger", "a")),
        add("c"),
        *map(greet, ("d", "c")),
    ]
    answers = await asyncio.gather(*[submitted(store, it) for it in queued], return_exceptions=True)
    found = [it if isinstance(it, Reading) else type(it) for it in answers]
    b, a, c, d = (Reading(name, number) for number, name in enumerate("bacd", start=1))
    assert found == [b, Forbidden, a, c, d, Forbidden]
    assert kind.published == [Change(n, (entry(it),)) for n, it in enumerate("bacd", start=1)]


async def test_a_joint_command_that_fails_is_undone_alone(
    kind: Kind, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    queued = [greet("a"), greet("bug"), greet("stranger"), greet("b")]
    a, bug, stranger, b = await asyncio.gather(
        *[submitted(store, it) for it in queued], return_exceptions=True
    )
    assert (a, b) == (Reading("a", 1), Reading("b", 2))
    assert (type(bug), type(stranger)) == (ServerFailed, Forbidden)
    assert (await store.read(names)).value == ["a", "b"]
    assert numbers(kind.published) == [1, 2]
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.ERROR]


async def test_storage_trouble_fails_joint_commands_like_all_others(
    kind: Kind, store: Store
) -> None:
    kind.fail()
    failed = await asyncio.gather(
        *[submitted(store, greet(name)) for name in "abc"], return_exceptions=True
    )
    assert {it.code for it in failed if isinstance(it, ServerFailed)} == {"STORAGE_UNAVAILABLE"}
    kind.mend()
    assert await submitted(store, greet("a")) == Reading("a", 1)
    assert len(failed) == 3


# Publishing


async def test_changes_are_published_before_their_commands_are_settled_in_the_same_turn(
    kind: Kind,
) -> None:
    seen: list[str] = []

    def publish(changes: Sequence[Change]) -> None:
        seen.append(f"published {numbers(changes)}")
        asyncio.get_running_loop().call_soon(seen.append, "next turn")

    store = await kind.open(publish)
    store.submit(add("ada"), lambda answer: seen.append("settled ada"))
    store.submit(refuse_after, lambda answer: seen.append("settled refusal"))
    await submitted(store, add("bob"))
    assert seen == ["published [1, 2]", "settled ada", "settled refusal", "next turn"]


async def test_everybody_is_settled_when_one_of_them_or_the_publisher_raises(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(given: object) -> None:
        raise RuntimeError("not my day")

    store = await kind.open(fail)
    store.submit(add("ada"), fail)
    assert await submitted(store, add("bob")) == Reading("bob", 2)
    assert [record.exc_info is not None for record in caplog.records] == [True, True]


async def test_what_was_not_heard_is_in_the_log(kind: Kind, store: Store) -> None:
    await asyncio.gather(*[submitted(store, add(f"user {n}")) for n in range(5)])
    assert await store.changes(0) == kind.published
    assert await store.changes(3) == kind.published[3:]
    assert await store.changes(1, limit=2) == kind.published[1:3]
    assert await store.changes(5) == []


async def test_single_changes_are_found_by_their_numbers(kind: Kind, store: Store) -> None:
    await asyncio.gather(*[submitted(store, add(f"user {n}")) for n in range(5)])
    wanted = [kind.published[1], kind.published[4]]
    assert await store.changes_at([2, 5]) == wanted
    assert await store.changes_at([0, 2, 5, 6]) == wanted, "what is not there is left out"
    assert await store.changes_at([]) == []


# Reads


async def test_a_read_includes_everything_settled_before_it(store: Store) -> None:
    for n in range(20):
        await submitted(store, add(f"user {n}"))
        assert await store.read(count) == Reading(n + 1, n + 1)


async def test_a_read_belongs_exactly_to_its_number_whatever_is_being_committed(
    store: Store,
) -> None:
    answers = [submitted(store, add(f"user {n:04}")) for n in range(600)]
    readings: list[Reading[int]] = []
    while not answers[-1].done():
        readings.append(await store.read(count))
        await turn()
    assert [reading.value for reading in readings] == [reading.number for reading in readings]
    assert len({reading.number for reading in readings}) > 1  # it did look in between


async def test_a_commit_in_the_middle_of_a_read_is_not_seen_by_it(store: Store) -> None:
    def counted_often() -> Steps[set[int]]:
        seen: set[int] = set()
        for _ in range(3_000):
            seen.add((yield from count()))
        return seen

    for n in range(3):
        answer = submitted(store, add(f"user {n}"))
        await turn()  # now it is being committed
        reading = await store.read(counted_often)
        assert reading.value == {reading.number}
        await answer


async def test_a_read_may_refuse(store: Store) -> None:
    def query() -> Steps[None]:
        yield from count()
        raise Forbidden("NO")

    with pytest.raises(Forbidden):
        await store.read(query)


async def test_a_query_cannot_write(store: Store) -> None:
    with pytest.raises(ServerFailed) as caught:
        await store.read(lambda: write("ada"))
    assert caught.value.code == "INTERNAL"
    assert (await store.read(names)).value == []


# Trouble


async def test_storage_trouble_fails_the_commands_and_passes(kind: Kind, store: Store) -> None:
    await submitted(store, add("before"))
    kind.fail()
    for answer in [submitted(store, add("lost")), submitted(store, add("lost too"))]:
        with pytest.raises(ServerFailed) as caught:
            await answer
        assert caught.value.code == "STORAGE_UNAVAILABLE"
    assert await store.read(names) == Reading(["before"], 1)
    kind.mend()
    assert await submitted(store, add("after")) == Reading("after", 2)
    assert await store.read(names) == Reading(["after", "before"], 2)
    assert numbers(kind.published) == [1, 2]
    assert await store.changes(0) == kind.published


async def test_trouble_takes_what_was_not_committed_yet_with_it(kind: Kind, store: Store) -> None:
    def troubled() -> Steps[Outcome[None]]:
        kind.fail()
        yield from write("troubled")
        return Outcome(None)

    answers: list[asyncio.Future[Any]] = [  # Any: their results differ
        submitted(store, add("just before")),
        submitted(store, look),  # it has seen what will not have been
        submitted(store, troubled),
    ]
    later = submitted(store, add("just after"))
    for answer in [*answers, later]:
        with pytest.raises(ServerFailed) as caught:
            await answer
        assert caught.value.code == "STORAGE_UNAVAILABLE"
        assert await store.read(names) == Reading([], 0)
    kind.mend()
    assert await submitted(store, add("after")) == Reading("after", 1)
    assert numbers(kind.published) == [1]


# The end, and after it


async def test_closing_commits_what_was_submitted(kind: Kind, store: Store) -> None:
    answers = [submitted(store, add(f"user {n:04}")) for n in range(600)]
    await asyncio.gather(store.close(), store.close())
    assert all(answer.done() for answer in answers)
    assert numbers(kind.published) == list(range(1, 601))
    await store.close()


async def test_a_closed_store_refuses_everything(store: Store) -> None:
    await store.close()
    with pytest.raises(ServerFailed):
        await submitted(store, add("late"))
    with pytest.raises(ServerFailed):
        await store.read(names)


async def test_a_search_sees_what_was_settled_before_it_and_its_number(store: Store) -> None:
    await submitted(store, add("ada"))
    assert await store.search(names) == Reading(["ada"], 1)
    await submitted(store, add("bob"))
    assert await store.search(names) == Reading(["ada", "bob"], 2)


async def test_a_search_only_reads_and_may_refuse(store: Store) -> None:
    def no() -> Steps[None]:
        yield from count()
        raise NotFound("NO_SUCH_THING", "there is none")

    with pytest.raises(ServerFailed):
        await store.search(lambda: write("ada"))
    with pytest.raises(NotFound):
        await store.search(no)
    assert (await store.search(count)).value == 0


async def test_after_the_end_there_is_no_search(store: Store) -> None:
    await store.close()
    with pytest.raises(ServerFailed, match="SHUTTING_DOWN"):
        await store.search(names)


async def test_numbers_go_on_after_a_restart(kind: Kind, store: Store) -> None:
    if kind.path is None:
        pytest.skip("this store forgets")
    await submitted(store, add("ada"))
    await store.close()
    again = await kind.open()
    assert again.number == 1
    assert await submitted(again, add("bob")) == Reading("bob", 2)
    assert numbers(await again.changes(0) or ()) == [1, 2]
    assert (await again.read(names)).value == ["ada", "bob"]


PROGRAM = """
import asyncio, sys
from tests.conformance.stores import Kind, add, submitted
from pathlib import Path
from typing import Any

async def main():
    store = await Kind(Path(sys.argv[1])).open()
    tasks = []
    async def one(lane):
        for n in range(1_000_000):
            answer = await submitted(store, add(f"{lane} {n}"))
            print(answer.number, answer.value, flush=True)
    await asyncio.gather(*[one(lane) for lane in range(8)])

asyncio.run(main())
"""


def killed_in_full_flight(path: Path) -> list[tuple[int, str]]:
    """Kill a program while it writes as fast as it can; return the numbers and names it settled."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    settled = [program.stdout.readline() for _ in range(500)]
    program.send_signal(signal.SIGKILL)
    settled += program.communicate()[0].splitlines(keepends=True)
    whole = [line.split(maxsplit=1) for line in settled if line.endswith("\n")]
    return [(int(number), name.strip()) for number, name in whole]


def name_in(change: Change) -> str:
    event = change.entries[0].event
    assert isinstance(event, UserCreated)
    return event.user_id


async def test_what_was_settled_survives_a_kill(kind: Kind) -> None:
    if kind.path is None:
        pytest.skip("this store forgets")
    settled = killed_in_full_flight(kind.path)
    store = await kind.open()
    logged = await store.changes(0, limit=1_000_000)
    assert logged is not None
    assert numbers(logged) == list(range(1, len(logged) + 1))
    assert (await store.read(names)).value == sorted(map(name_in, logged))  # nothing half-written
    assert len(settled) >= 500
    assert [name_in(logged[number - 1]) for number, _ in settled] == [name for _, name in settled]
