"""Lists are made from what is kept for them: they are what sorting all conversations gives.

The other way to make a list is to read each conversation by itself (test_against_plain_chat.py
proves that right), then to filter and sort. A crowd is three here, so that conversations become
crowded every now and then.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import UNSET

from rtflow.model.entities import Conversation
from rtflow.model.filters import ALL, ConversationFilter, Filter, matches
from rtflow.server.domain import activity
from rtflow.server.domain.activity import CROWD
from tests.server.domain.world import World, step

USERS = ["ada", "bob", "cy", "dan", "eve"]
ROOMS = ["a", "b", "c", "d", "e", "f"]
users, rooms = st.sampled_from(USERS), st.sampled_from(ROOMS)
UNREAD = ConversationFilter(is_unread=True)
FILTERS: list[Filter] = [
    ALL,
    UNREAD,
    ConversationFilter(is_unread=False),
    ConversationFilter(has_messages=False),
    ConversationFilter(is_unread=True, has_messages=True),
    ConversationFilter(last_activity_at=("<", 1_010)),
    ("any", (UNREAD, ConversationFilter(has_messages=False))),
]
KEPT = (
    "SELECT p.activity, p.is_unread, coalesce(c.last_message_at, p.joined_at),"
    " c.last_number > p.read_number + p.deleted_unread OR p.marked_unread, c.is_crowded"
    " FROM participants p JOIN conversations c ON c.id = p.conversation_id"
)


def everything(world: World, user: str, limit: int, wanted: Filter) -> list[Conversation]:
    page = world.page(user, limit=limit, filter=wanted)
    found = list(page.data)
    while page.cursor is not None:
        assert len(page.data) == limit
        page = world.page(user, limit=limit, cursor=page.cursor)
        assert page.data
        found += page.data
        assert len({it.id for it in found}) == len(found), "a page repeats another"
    return found


class ListsAndConversations(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(activity, "CROWD", 3)
        self.world = World()
        for user in USERS:
            self.world.create_user(user, user)
        self.inside: dict[str, list[str]] = {}

    def teardown(self) -> None:
        self.world.database.close()
        self.patch.undo()

    @initialize(sizes=st.lists(st.integers(1, 5), min_size=3, max_size=len(ROOMS)))
    def there_are_conversations(self, sizes: list[int]) -> None:
        for room, size in zip(ROOMS, sizes, strict=False):
            self.world.start(room, *USERS[:size])
            self.inside[room] = USERS[:size]

    @rule(by=st.sampled_from([1, 5, 20]))
    def time_passes(self, by: int) -> None:
        self.world.now += by

    @rule(room=rooms, user=users)
    def somebody_joins(self, room: str, user: str) -> None:
        there = self.inside.get(room)
        if there and user not in there:
            assert self.world.act(there[0], room, step("POST", user)) == ["200"]
            there.append(user)

    @rule(room=rooms, user=users)
    def somebody_leaves(self, room: str, user: str) -> None:
        there = self.inside.get(room)
        if there and user in there and len(there) > 1:
            self.world.remove(user, room, user)
            there.remove(user)

    @rule(room=rooms, user=users)
    def something_is_said(self, room: str, user: str) -> None:
        if user in self.inside.get(room, []):
            self.world.send(user, room, "hello")

    @rule(user=users)
    def the_same_is_said_everywhere(self, user: str) -> None:
        self.world.now += 100  # so that all of it has one time
        for room in self.inside:
            self.something_is_said(room, user)

    @rule(room=rooms, user=users, age=st.sampled_from([None, 1, 100]))
    def something_is_read(self, room: str, user: str, age: int | None) -> None:
        if user in self.inside.get(room, []):
            until = UNSET if age is None else self.world.now - age
            self.world.read(user, room, until)

    @rule(room=rooms, user=users)
    def something_is_marked_as_unread(self, room: str, user: str) -> None:
        if user in self.inside.get(room, []):
            self.world.unread(user, room)

    @precondition(lambda self: self.inside)
    @rule(user=users, wanted=st.sampled_from(FILTERS), limit=st.integers(1, 4))
    def a_list_is_read(self, user: str, wanted: Filter, limit: int) -> None:
        mine = [room for room, there in self.inside.items() if user in there]
        right = [it for room in mine if matches(wanted, it := self.world.see(user, room))]
        right.sort(key=lambda it: (-it.last_message_at, it.id))
        assert everything(self.world, user, limit, wanted) == right

    @invariant()
    def what_is_kept_is_right_and_nothing_is_kept_of_crowds(self) -> None:
        for at, is_unread, right_at, right_unread, crowded in self.world.database.writer.execute(
            KEPT
        ).fetchall():
            assert (at, is_unread) == ((None, 0) if crowded else (right_at, right_unread))

    @invariant()
    def a_conversation_of_more_than_a_crowd_is_crowded(self) -> None:
        found = self.world.database.writer.execute("SELECT id, is_crowded FROM conversations")
        for room, crowded in found.fetchall():
            assert crowded or len(self.inside[room]) <= 3


TestListsAreWhatSortingAllConversationsGives = ListsAndConversations.TestCase
TestListsAreWhatSortingAllConversationsGives.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None
)


def test_a_crowd_stays_one_for_good(world: World) -> None:
    crowd = [f"user {n}" for n in range(CROWD + 1)]

    def is_crowded() -> bool:
        (found,) = world.database.reader.execute("SELECT is_crowded FROM conversations").fetchone()
        return bool(found)

    world.start("lunch", *crowd[:-1])
    assert not is_crowded()
    world.create_user(crowd[-1], crowd[-1])
    world.act(crowd[0], "lunch", step("POST", crowd[-1]))
    assert is_crowded()
    for user in crowd[1:]:
        world.remove(user, "lunch", user)
    world.send(crowd[0], "lunch", "is anybody there?")
    assert is_crowded()
    assert [it.id for it in world.page(crowd[0]).data] == ["lunch"]
