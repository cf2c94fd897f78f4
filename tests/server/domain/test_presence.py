"""Who follows the notices sees what somebody who asks anew is told."""

from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import UNSET

from rtflow.model.content import TextBlock
from rtflow.model.entities import Conversation, Message, Online, Typing
from rtflow.model.events import (
    MessageCreated,
    ParticipantDeleted,
    SideCreated,
    TypingAvailable,
    TypingChanged,
    TypingDiff,
    UserOnlineChanged,
)
from rtflow.server.bus.interface import Came, Left, Signal, Wrote
from rtflow.server.domain.presence import MOST, Intent, Notice, Presence, must_see, must_write
from rtflow.server.store.interface import Entry
from tests.server.domain.world import World, refused, step

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

LASTS = 10
EMPTY = repr(Presence(LASTS))
USERS = tuple(f"u{number}" for number in range(MOST + 4))
CONVERSATIONS = ("lunch", "dinner")
NODES = ("north", "south")

user_ids = st.sampled_from(USERS)
conversation_ids = st.sampled_from(CONVERSATIONS)
node_ids = st.sampled_from(NODES)


def said(conversation_id: str, user_id: str | None) -> Entry:
    message = Message(id="m", sender_id=user_id, created_at=0, content=(TextBlock(("hi",)),))
    return Entry(MessageCreated(conversation_id=conversation_id, message_id="m", state=message))


def went(conversation_id: str, user_id: str) -> Entry:
    return Entry(ParticipantDeleted(conversation_id=conversation_id, user_id=user_id))


def joined(conversation_id: str, user_id: str) -> Entry:
    side = Conversation(
        id=conversation_id,
        created_at=0,
        joined_at=0,
        last_message_at=0,
        unread_message_count=0,
        is_unread=False,
        read_until=0,
        everyone_read_until=0,
        access="ReadWrite",
        notify=True,
    )
    return Entry(SideCreated(conversation_id=conversation_id, state=side), to=user_id)


def changed(seen: Typing, diff: TypingDiff) -> Typing:
    """What a client makes of a diff (protocol.md 6)."""
    if diff.many is True:
        return Typing(many=True, users_typing=None)
    assert diff.users_typing not in (UNSET, None)
    users = {} if diff.many is False else seen.users_typing
    assert users is not None, "to many nobody is added by name"
    users = {**users, **diff.users_typing}  # type: ignore[dict-item]  # see the assert
    return Typing(users_typing={user: at for user, at in users.items() if at is not None})


class Following(RuleBasedStateMachine):
    """Everybody watches everything, and is in a conversation or not."""

    def __init__(self) -> None:
        super().__init__()
        self.presence, self.now = Presence(LASTS), 0.0
        self.connected: dict[str, set[str]] = {user: set() for user in USERS}
        self.marks: dict[tuple[str, str], tuple[int, float]] = {}  # since when, until when
        self.intents: list[tuple[str, str, Intent, AbstractContextManager[Intent]]] = []
        self.over: list[Intent] = []
        self.online = dict.fromkeys(USERS, False)
        self.typing = {(c, user): Typing() for c in CONVERSATIONS for user in USERS}

    def deliver(self, notices: list[Notice]) -> None:
        for notice in notices:
            event = notice.event
            if isinstance(event, UserOnlineChanged):
                assert self.online[event.user_id] != event.diff.is_connected, "told for nothing"
                self.online[event.user_id] = event.diff.is_connected
                continue
            for user in USERS:
                place = (event.conversation_id, user)
                if notice.only not in (None, user) or user in notice.but:
                    continue
                if isinstance(event, TypingAvailable):
                    self.typing[place] = event.state
                elif place in self.typing:
                    before = self.typing[place]
                    self.typing[place] = changed(before, event.diff)
                    assert self.typing[place] != before, "told for nothing"

    def write(self, conversation_id: str, user: str) -> None:
        wrote = Wrote(conversation_id=conversation_id, user_id=user, at=int(self.now) * 1000)
        self.deliver(self.presence.hear(wrote, self.now))
        if self.connected[user]:
            since, _ = self.marks.get((conversation_id, user), (wrote.at, 0))
            self.marks[conversation_id, user] = since, self.now + LASTS

    def end(self, conversation_id: str, user: str) -> None:
        self.marks.pop((conversation_id, user), None)
        self.over += [it for c, u, it, _ in self.intents if (c, u) == (conversation_id, user)]

    @rule(user=user_ids, node=node_ids)
    def somebody_comes(self, user: str, node: str) -> None:
        self.deliver(self.presence.hear(Came(node=node, user_id=user), self.now))
        self.connected[user].add(node)

    @rule(user=user_ids, node=node_ids)
    def somebody_leaves(self, user: str, node: str) -> None:
        self.deliver(self.presence.hear(Left(node=node, user_id=user), self.now))
        self.connected[user].discard(node)
        if not self.connected[user]:
            self.marks = {it: mark for it, mark in self.marks.items() if it[1] != user}

    @rule(conversation_id=conversation_ids, user=user_ids)
    def somebody_writes(self, conversation_id: str, user: str) -> None:
        self.write(conversation_id, user)

    @rule(conversation_id=conversation_ids)
    def everybody_writes(self, conversation_id: str) -> None:
        for user in USERS:
            self.somebody_comes(user, NODES[0])
            self.write(conversation_id, user)

    @rule(conversation_id=conversation_ids, user=user_ids)
    def somebody_sends(self, conversation_id: str, user: str) -> None:
        self.deliver(self.presence.follow(said(conversation_id, user)))
        self.end(conversation_id, user)

    @rule(conversation_id=conversation_ids)
    def the_system_says_something(self, conversation_id: str) -> None:
        assert self.presence.follow(said(conversation_id, None)) == []

    @rule(conversation_id=conversation_ids, user=user_ids)
    def somebody_goes(self, conversation_id: str, user: str) -> None:
        self.typing.pop((conversation_id, user), None)
        self.deliver(self.presence.follow(went(conversation_id, user)))
        self.end(conversation_id, user)

    @rule(conversation_id=conversation_ids, user=user_ids)
    def somebody_joins(self, conversation_id: str, user: str) -> None:
        self.deliver(self.presence.follow(joined(conversation_id, user)))

    @rule(conversation_id=conversation_ids, user=user_ids)
    def somebody_asks_to_write(self, conversation_id: str, user: str) -> None:
        intending = self.presence.intending(conversation_id, user)
        self.intents.append((conversation_id, user, intending.__enter__(), intending))

    @rule(data=st.data())
    def an_answer_comes(self, data: st.DataObject) -> None:
        if self.intents:
            which = data.draw(st.integers(0, len(self.intents) - 1))
            conversation_id, user, intent, intending = self.intents.pop(which)
            assert intent.is_over == (intent in self.over)
            if not intent.is_over:
                self.write(conversation_id, user)
            intending.__exit__(None, None, None)

    @rule(seconds=st.floats(0, LASTS))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.deliver(self.presence.lapse(self.now))
        self.marks = {it: mark for it, mark in self.marks.items() if mark[1] > self.now}

    @invariant()
    def a_fresh_look_shows_what_is_so(self) -> None:
        for user in USERS:
            is_connected = bool(self.connected[user])
            assert self.presence.online(user) == Online(is_connected=is_connected)
            for conversation_id in CONVERSATIONS:
                others = {
                    u: since
                    for (c, u), (since, _) in self.marks.items()
                    if c == conversation_id and u != user
                }
                seen = self.presence.typing(conversation_id, user)
                if len(others) > MOST:
                    assert seen == Typing(many=True, users_typing=None)
                else:
                    assert seen == Typing(users_typing=others)
        assert self.presence.next_end == min((end for _, end in self.marks.values()), default=None)

    @invariant()
    def who_follows_sees_the_same(self) -> None:
        for user, is_connected in self.online.items():
            assert self.presence.online(user).is_connected == is_connected
        for (conversation_id, user), seen in self.typing.items():
            assert self.presence.typing(conversation_id, user) == seen

    def teardown(self) -> None:
        while self.intents:
            self.intents.pop()[-1].__exit__(None, None, None)
        self.presence.lapse(self.now + LASTS)
        for user in USERS:
            for node in NODES:
                self.presence.hear(Left(node=node, user_id=user), self.now)
        assert repr(self.presence) == EMPTY, "something is kept for ever"


TestFollowing = Following.TestCase
TestFollowing.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def writers(count: int) -> tuple[Presence, list[Notice]]:
    """A conversation in which so many write; and what the last one was told for."""
    presence, notices = Presence(LASTS), list[Notice]()
    for user in USERS[:count]:
        presence.hear(Came(node="north", user_id=user), 0)
        wrote = Wrote(conversation_id="lunch", user_id=user, at=7)
        notices = presence.hear(wrote, 0)
    return presence, notices


@pytest.mark.parametrize("count", range(1, MOST + 1))
def test_while_few_write_there_is_one_event_for_all_others(count: int) -> None:
    _, (notice,) = writers(count)
    writer = USERS[count - 1]
    diff = TypingDiff(users_typing={writer: 7})
    assert notice == Notice(
        event=TypingChanged(conversation_id="lunch", diff=diff), but=frozenset((writer,))
    )


def test_of_more_than_five_others_nobody_is_told_the_names() -> None:
    presence, notices = writers(MOST + 1)
    assert presence.typing("lunch", "reader").many
    assert len(presence.typing("lunch", USERS[0]).users_typing or ()) == MOST
    assert len(notices) == 1 + MOST, "readers see many now, the five other writers do not"


def test_many_more_are_told_to_nobody_and_cost_nobody_anything() -> None:
    presence, _ = writers(MOST + 3)
    presence.hear(Came(node="north", user_id="another"), 0)
    assert presence.hear(Wrote(conversation_id="lunch", user_id="another", at=8), 0) == []
    assert presence.follow(said("lunch", "another")) == []


def test_a_repeat_prolongs_in_silence_and_keeps_the_beginning() -> None:
    presence, _ = writers(1)
    assert presence.hear(Wrote(conversation_id="lunch", user_id="u0", at=9_000), 9) == []
    assert presence.lapse(10) == []
    assert presence.typing("lunch", "reader") == Typing(users_typing={"u0": 7})
    (notice,) = presence.lapse(19)
    assert notice.event == TypingChanged(
        conversation_id="lunch", diff=TypingDiff(users_typing={"u0": None})
    )


def test_who_is_not_connected_writes_nothing() -> None:
    presence = Presence(LASTS)
    assert presence.hear(Wrote(conversation_id="lunch", user_id="ghost", at=7), 0) == []
    assert repr(presence) == EMPTY


def test_a_user_is_away_when_his_last_node_says_so() -> None:
    presence = Presence(LASTS)
    steps: list[tuple[Signal, int]] = [
        (Came(node="north", user_id="u"), 1),
        (Came(node="north", user_id="u"), 0),
        (Came(node="south", user_id="u"), 0),
        (Left(node="north", user_id="u"), 0),
        (Left(node="north", user_id="u"), 0),
        (Left(node="south", user_id="u"), 1),
        (Left(node="south", user_id="u"), 0),
    ]
    for signal, told in steps:
        assert len(presence.hear(signal, 0)) == told, signal


def test_only_participants_may_see_who_writes_and_only_writers_write() -> None:
    world = World()
    world.start("lunch", "alice", "bob")
    world.act("alice", "lunch", step("PUT", "bob", access="Read"))
    world.create_user("carol", "carol")
    for user in ("alice", "bob"):
        world.ask(partial(must_see, user, "lunch"))
    world.ask(partial(must_write, "alice", "lunch"))
    with refused("403 UNAUTHORIZED_TO_SEND"):
        world.ask(partial(must_write, "bob", "lunch"))
    for rule_of in (must_see, must_write):
        for conversation_id in ("lunch", "nowhere"):
            with refused("404 CONVERSATION_NOT_FOUND"):
                world.ask(partial(rule_of, "carol", conversation_id))
