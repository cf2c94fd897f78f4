"""Filters: each key, and each operator, lets through what it says, asked of a real server."""

from typing import Any

import pytest
import pytest_asyncio

import rtflow
from tests.compatibility.conftest import Lunch

FUTURE = 4_000_000_000_000


@pytest_asyncio.fixture
async def inbox(lunch: Lunch) -> Lunch:
    """What Bob has: "lunch", unread, and "work", which is empty, and where he may only read."""
    await lunch.alice.conversation("work").create_if_not_exists(
        subject="Work", custom={"team": "red"}
    )
    bobs = lunch.alice.conversation("work").participant("bob")
    await bobs.create_if_not_exists(access="Read")
    await lunch.says("Pizza?")
    return lunch


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"access": ("==", "Read")}, ["work"]),
        ({"access": ("!=", "Read")}, ["lunch"]),
        ({"subject": ("oneOf", ("Lunch", None))}, ["lunch"]),
        ({"subject": ("!oneOf", ("Lunch", "Dinner"))}, ["work"]),
        ({"custom": {"team": ("==", "red")}}, ["work"]),
        ({"custom": {"team": "exists"}}, ["work"]),
        ({"custom": {"team": "!exists"}}, ["lunch"]),
        ({"is_unread": True}, ["lunch"]),
        ({"is_unread": False}, ["work"]),
        ({"has_messages": True}, ["lunch"]),
        ({"has_messages": False}, ["work"]),
        ({"last_activity_at": (">", FUTURE)}, []),
        ({"last_activity_at": ("<", FUTURE)}, ["lunch", "work"]),
        ({"created_at": (">=", 1)}, ["lunch", "work"]),
        ({"created_at": ("<=", 1)}, []),
        ({"joined_at": ("between", (1, FUTURE))}, ["lunch", "work"]),
        ({"joined_at": ("!between", (1, FUTURE))}, []),
    ],
    ids=str,
)
async def test_each_key_lets_through_what_it_says(
    inbox: Lunch,
    keys: dict[str, Any],  # Any: the keys have types of their own
    found: list[str],
) -> None:
    only = rtflow.ConversationFilter(**keys)
    listed = await inbox.bob.conversations.window(filter=only).get()
    assert sorted(it.id for it in listed.items) == found


async def test_one_of_several_filters_is_enough(inbox: Lunch) -> None:
    unread = rtflow.ConversationFilter(is_unread=True)
    red = rtflow.ConversationFilter(custom={"team": ("==", "red")})
    both = await inbox.bob.conversations.window(filter=("any", (unread, red))).get()
    assert sorted(it.id for it in both.items) == ["lunch", "work"]
    none = await inbox.bob.conversations.window(filter=("any", ())).get()
    assert none.items == ()
