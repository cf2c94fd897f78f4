"""A batch: changes that committed together are handed on together, to each what is his."""

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from rtflow.model.params import (
    ConversationParams,
    CreateUser,
    ParticipantActions,
    SendMessage,
)
from rtflow.server.domain.conversations import create_conversation
from rtflow.server.domain.participants import delete_participant, participant_actions
from rtflow.server.domain.rules import Rules
from rtflow.server.domain.sending import send_message
from rtflow.server.domain.sides import sides
from rtflow.server.domain.tallies import reacted
from rtflow.server.domain.users import create_user
from rtflow.server.gateway.audience import Kind, Topic
from rtflow.server.gateway.eager import Eager
from rtflow.server.gateway.fanout import WIDE, Fanout
from rtflow.server.store.interface import Change, Command
from rtflow.server.store.sqlite import open_sqlite
from tests.conformance.stores import submitted
from tests.server.domain.world import step, text

RULES = Rules()


class Hearer:
    """A connection that keeps what it is told."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.batches: list[list[str]] = []
        self.has_waited = False

    def publish(self, number: int, events: list[bytes], *, at_once: bool = False) -> None:
        self.has_waited |= not at_once
        plain = [json.loads(event) for event in events]
        self.batches.append([f"{it['type']} {it.get('userId', '')}".strip() for it in plain])

    def leave(self, code: int, reason: str) -> None:
        raise AssertionError(reason)


def joined(*users: str) -> Command[Any]:
    params = ParticipantActions(actions=tuple(step("POST", it) for it in users))
    return partial(participant_actions, "alice", "lunch", params, 2, RULES)


def said(number: Iterator[int]) -> Command[Any]:
    params = SendMessage(content=text("hi"))
    return send_message("alice", "lunch", f"m{next(number)}", params, 2, RULES)


async def test_who_joins_hears_of_a_conversation_nothing_from_before_he_came() -> None:
    held: list[Change] = []
    store = await open_sqlite(":memory:", held.extend)
    numbers = iter(range(10))
    bob, carol = Hearer("bob"), Hearer("carol")
    async with asyncio.TaskGroup() as tasks:
        fanout = Fanout(store, Eager(tasks), sides, reacted)
        for hearer in (bob, carol):
            fanout.watch(Topic(Kind.SELF, hearer.user_id), hearer)
            for kind in (Kind.CONVERSATION, Kind.PARTICIPANTS, Kind.MESSAGES):
                fanout.watch(Topic(kind, "lunch"), hearer)
        commands: list[Command[Any]] = [
            *[
                partial(create_user, it, it, CreateUser(name=it), 1, RULES)
                for it in ("alice", "bob", "carol")
            ],
            partial(create_conversation, "alice", "lunch", ConversationParams(), 1, RULES),
            joined("alice"),
            said(numbers),
            joined("bob", "carol"),
            said(numbers),
            partial(delete_participant, "alice", "lunch", "bob", 2, RULES),
            said(numbers),
            joined("bob"),
        ]
        for answer in [submitted(store, command) for command in commands]:
            await answer
        fanout.deliver(held)
    await store.close()
    assert bob.batches == [
        ["side.created", "side.deleted", "side.created", "participant.created bob", "side.edited"]
    ]
    assert carol.batches == [
        [
            "side.created",
            "participant.created carol",
            "message.created",
            "participant.deleted bob",
            "message.created",
            "participant.created bob",
            "side.edited",
        ]
    ]


@pytest.mark.parametrize("crowd", [WIDE, WIDE + 1])
async def test_of_many_receivers_none_waits_until_the_last_one_is_told(crowd: int) -> None:
    held: list[Change] = []
    store = await open_sqlite(":memory:", held.extend)
    hearers = [Hearer(f"user{number}") for number in range(crowd)]
    async with asyncio.TaskGroup() as tasks:
        fanout = Fanout(store, Eager(tasks), sides, reacted)
        for hearer in hearers:
            fanout.watch(Topic(Kind.USER, "alice"), hearer)
        await submitted(
            store, partial(create_user, "alice", "alice", CreateUser(name="a"), 1, RULES)
        )
        fanout.deliver(held)
    await store.close()
    assert [hearer.batches for hearer in hearers] == [[["user.created alice"]]] * crowd
    assert {hearer.has_waited for hearer in hearers} == {crowd <= WIDE}
