"""Reads and events that race, on a store that answers at once and on one that makes everybody wait.

A client ignores events that come before the answer to its read and applies those that come after.
Whenever it read, it must end up with the truth.
"""

import asyncio
from pathlib import Path

import pytest

from rtflow.server import Settings, app, running
from rtflow.server.store.interface import Publish
from tests.server.conftest import People
from tests.server.gateway.waiting_store import WaitingStore, open_waiting
from tests.server.raw import Json, RawClient, join

WRITES = 40  # of each writer
READS = 60
SUBJECT = "/conversations/lunch"
MINE = "/me/conversations/lunch"


@pytest.fixture(params=["at once", "waiting"])
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    if request.param == "waiting":
        monkeypatch.setattr(app, "open_sqlite", open_waiting)
    return Settings(database=":memory:", port=0)


def with_events(answer: dict[str, Json], events: list[Json]) -> dict[str, Json]:
    """What a client sees that got this answer and then these events."""
    seen = dict(answer)
    for event in events:
        assert event["type"] in ("conversation.edited", "side.edited")
        diff: dict[str, Json] = event["diff"]
        custom: dict[str, str] = {**seen["custom"], **diff.get("custom", {})}
        seen |= {**diff, "custom": custom}
    return seen


async def write(writer: RawClient, name: str) -> None:
    """Change what all see, and what each sees of it, as fast as answers come, several at a time."""
    for number in range(WRITES):
        subject = {"subject": f"{name} {number}", "custom": {name: str(number)}}
        text = {"content": [{"type": "text", "children": [str(number)]}]}
        seqs = [
            await writer.say("PUT", SUBJECT, subject),
            await writer.say("POST", f"{SUBJECT}/messages", text),
            await writer.say("POST", f"{MINE}/read"),
        ]
        for seq in seqs:
            assert (await writer.answer(seq)).status == 200


async def read(reader: RawClient) -> list[int]:
    """Read again and again, sometimes two at a time; return the requests' numbers."""
    seqs = list[int]()
    for number in range(READS):
        seqs.append(await reader.say("GET", MINE))
        if number % 3:
            await reader.answer(seqs[-1])
    await reader.answer(seqs[-1])
    return seqs


async def test_a_read_and_the_events_after_it_are_the_truth(people: People) -> None:
    alice, bob, reader = await people("alice", "bob", "reader")
    await alice.found("lunch", "bob", "reader")
    await reader.do("SUBSCRIBE", MINE)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write(alice, "alice"))
        tasks.create_task(write(bob, "bob"))
        reading = tasks.create_task(read(reader))
    truth = await reader.get(MINE)
    await reader.settle()
    for seq in reading.result():
        place = next(
            index
            for index, frame in enumerate(reader.heard)
            if frame[0] == seq and frame[1] != "PUBLISH"
        )
        later = [e for f in reader.heard[place + 1 :] if f[1] == "PUBLISH" for e in f[2:]]
        assert with_events(reader.heard[place][2], later) == truth


async def test_messages_that_are_not_in_a_page_come_after_it(people: People) -> None:
    alice, bob, reader = await people("alice", "bob", "reader")
    await alice.found("lunch", "bob", "reader")
    await reader.do("SUBSCRIBE", f"{MINE}/messages")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write(alice, "alice"))
        tasks.create_task(write(bob, "bob"))
        seqs = [await reader.say("GET", f"{MINE}/messages", {"limit": 100}) for _ in range(5)]
        for _ in range(20):
            await reader.answer(seqs[-1])
            seqs.append(await reader.say("GET", f"{MINE}/messages", {"limit": 100}))
    truth = {m["id"] for m in (await reader.get(f"{MINE}/messages", {"limit": 100}))["data"]}
    assert len(truth) == 2 * WRITES
    for seq in seqs:
        known = set[str]()
        for frame in reader.heard:
            if frame[1] == "PUBLISH":
                known |= {event["messageId"] for event in frame[2:]} if known else set()
            elif frame[0] == seq:
                known = {message["id"] for message in frame[2]["data"]} | {"an answer"}
        assert known >= truth


def heard_of(page: list[Json], events: list[Json]) -> dict[str, Json]:
    """What a client sees of messages that got this page, its end, and then these events."""
    seen = {message["id"]: dict(message) for message in page}
    for event in events:
        message = event["messageId"]
        if event["type"] == "message.created":
            seen[message] = dict(event["state"])
        elif event["type"] == "message.deleted":
            seen.pop(message, None)
        elif message in seen:
            diff = dict(event["diff"])
            reactions = {**seen[message]["reactions"], **diff.pop("reactions", {})}
            left = {emoji: it for emoji, it in reactions.items() if it is not None}
            seen[message] |= {**diff, "reactions": left}
    return seen


async def talk(writer: RawClient) -> None:
    """Say, edit, react and delete as fast as answers come, several at a time."""
    before = ""
    for number in range(WRITES // 2):
        said = await writer.send("lunch", f"{writer.user} {number}")
        at = f"{SUBJECT}/messages/{said}"
        content = [{"type": "text", "children": [f"edited {number}"]}]
        seqs = [
            await writer.say("PUT", f"{at}/reactions/%F0%9F%91%8D/{writer.user}"),
            await writer.say("PATCH", at, {"content": content}),
            await writer.say("PUT", f"{at}/reactions/:cat:/{writer.user}"),
            await writer.say("DELETE", f"{at}/reactions/%F0%9F%91%8D/{writer.user}"),
        ]
        if before and number % 2:
            seqs.append(await writer.say("DELETE", before))
        for seq in seqs:
            assert (await writer.answer(seq)).status == 200
        before = at


async def test_a_page_of_messages_and_the_events_after_it_are_the_truth(people: People) -> None:
    alice, reader, again = await people("alice", "reader", "reader")
    await alice.found("lunch", "reader")
    await reader.do("SUBSCRIBE", f"{MINE}/messages")
    seqs: list[int] = []
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(talk(alice))
        tasks.create_task(talk(again))  # what the reader has said himself, elsewhere
        for _ in range(READS):
            seqs.append(await reader.say("GET", f"{MINE}/messages", {"limit": 100}))
            await reader.answer(seqs[-1])
    truth = (await reader.get(f"{MINE}/messages", {"limit": 100}))["data"]
    assert len(truth) == WRITES // 2
    assert {len(message["reactions"]) for message in truth} == {1}
    await reader.settle()
    for seq in seqs:
        place = next(
            index for index, f in enumerate(reader.heard) if f[0] == seq and f[1] != "PUBLISH"
        )
        later = [e for f in reader.heard[place + 1 :] if f[1] == "PUBLISH" for e in f[2:]]
        seen = heard_of(reader.heard[place][2]["data"], later)
        assert seen == {message["id"]: message for message in truth}


async def test_a_writer_hears_of_his_write_before_its_answer_and_reads_it_after(
    people: People,
) -> None:
    alice, bob = await people("alice", "bob")
    await alice.found("lunch", "bob")
    await alice.do("SUBSCRIBE", MINE)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write(bob, "bob"))
        for number in range(WRITES):
            read_before = await alice.say("GET", MINE)
            subject = {"custom": {"mine": str(number)}}
            written = await alice.say("PUT", SUBJECT, subject)
            read_after = await alice.say("GET", MINE)
            assert (await alice.answer(written)).status == 200
            told = [e for e in alice.events if e.get("diff", {}).get("custom") == subject["custom"]]
            assert told, "the answer overtook the event"
            assert (await alice.answer(read_after)).data["custom"]["mine"] == str(number)
            await alice.answer(read_before)


async def test_a_read_that_was_overtaken_by_events_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stores: list[WaitingStore] = []

    async def open_kept(path: str | Path, publish: Publish) -> WaitingStore:
        stores.append(await open_waiting(path, publish))
        return stores[0]

    monkeypatch.setattr(app, "open_sqlite", open_kept)
    async with (
        running(Settings(database=":memory:", port=0)) as address,
        join(address.url, "alice") as alice,
        join(address.url, "bob") as bob,
    ):
        await bob.do("SUBSCRIBE", "/users", {"ids": ["alice"]})
        release = stores[0].delay_next()
        early = await bob.say("GET", "/users", {"ids": ["alice"]})
        await bob.settle()  # the early read has its value by now
        await alice.do("PUT", "/users/alice", {"name": "Ada"})
        assert (await bob.get("/users", {"ids": ["alice"]}))["alice"]["name"] == "Ada"
        assert bob.events, "the second read let the event pass"
        release()
        assert (await bob.answer(early)).data["alice"]["name"] == "Ada"


async def test_who_joins_and_leaves_hears_of_nothing_else(people: People) -> None:
    alice, guest = await people("alice", "guest")
    await alice.found("lunch")
    await guest.do("SUBSCRIBE", MINE)
    await guest.do("SUBSCRIBE", f"{MINE}/messages")
    inside = {"actions": [{"id": "guest", "method": "POST"}]}
    for number in range(10):
        await alice.send("lunch", f"before {number}")
        await alice.do("POST", f"{SUBJECT}/participants", inside)
        await alice.send("lunch", f"during {number}")
        await alice.do("DELETE", f"{SUBJECT}/participants/guest")
    await alice.send("lunch", "after")
    await guest.settle()
    said = [str(event) for event in guest.events if event["type"] == "message.created"]
    assert not [text for text in said if "before" in text or "after" in text]
    kinds = [event["type"] for event in guest.events]
    assert kinds.count("side.created") == kinds.count("side.deleted") == 10
