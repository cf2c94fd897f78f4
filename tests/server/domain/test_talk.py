"""Random talk among people who know each other: hardly anything is refused, so messages are edited,
deleted, reacted to and read in part, in every order. It is held against plain Python as in
test_against_plain_chat.py."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.server.domain.chat import Room, Said
from tests.server.domain.test_activity import KEPT
from tests.server.domain.test_against_plain_chat import USERS, PlainChatAndDomain, answer

ROOM = "lunch"
users = st.sampled_from(USERS)
someone = st.sampled_from([None] * 9 + USERS)  # instead of who it should be
emoji = st.sampled_from(["👍", ":cat:"])
custom = st.dictionaries(st.sampled_from("xy"), st.sampled_from(["1", None]), max_size=2)
pick = st.integers(0, 100)
sayings = st.tuples(users, st.none() | pick)  # who says something, and perhaps what it replies to


class Talk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.machine = PlainChatAndDomain()
        self.world, self.chat = self.machine.world, self.machine.chat
        self.machine.somebody_starts_a_conversation_with_everybody("ada", ROOM)
        self.gone = ["nothing"]

    def teardown(self) -> None:
        self.clients_are_told()
        self.machine.teardown()

    @property
    def room(self) -> Room:
        return self.chat.rooms[ROOM]

    def some(self, pick: int) -> Said:
        return self.room.said[pick % len(self.room.said)]

    # What they do

    @initialize(said=st.lists(sayings, min_size=3, max_size=8))
    def somebody_begins(self, said: list[tuple[str, int | None]]) -> None:
        self.they_say(said)

    @rule(said=st.lists(sayings, min_size=1, max_size=3))
    def they_say(self, said: list[tuple[str, int | None]]) -> None:
        for actor, replies_to in said:
            self.says(actor, replies_to)

    def says(self, actor: str, replies_to: int | None) -> None:
        ids = [*self.gone[-1:], *(said.id for said in self.room.said)]
        to = None if replies_to is None else ids[replies_to % len(ids)]
        real = answer(lambda: self.world.send(actor, ROOM, "hello", referenced_message_id=to))
        assert real == answer(lambda: self.chat.send(actor, ROOM, real, None, to))

    @precondition(lambda self: self.room.said)
    @rule(pick=pick, user=someone, text=st.sampled_from([None, "new"]), custom=custom | st.none())
    def edits(
        self, pick: int, user: str | None, text: str | None, custom: dict[str, str | None] | None
    ) -> None:
        said = self.some(pick)
        actor, words = user or said.sender, (text,) if text else ()
        self.machine.both(
            lambda: self.world.edit_message(actor, ROOM, said.id, *words, custom=custom),
            lambda: self.chat.edit_message(actor, ROOM, said.id, text, custom),
        )

    @precondition(lambda self: self.room.said)
    @rule(pick=st.just(-1) | pick, user=someone)
    def deletes(self, pick: int, user: str | None) -> None:
        said = self.some(pick)
        actor = user or said.sender
        self.machine.both(
            lambda: self.world.delete_message(actor, ROOM, said.id),
            lambda: self.chat.delete_message(actor, ROOM, said.id),
        )
        self.gone.append(said.id)

    @precondition(lambda self: self.room.said)
    @rule(pick=st.just(-1) | pick, actor=users, user=someone, emoji=emoji)
    def reacts(self, pick: int, actor: str, user: str | None, emoji: str) -> None:
        said = self.some(pick)
        self.machine.both(
            lambda: self.world.react(actor, ROOM, said.id, emoji, user),
            lambda: self.chat.react(actor, ROOM, said.id, emoji, user or actor),
        )

    @precondition(lambda self: self.room.said)
    @rule(pick=st.just(-1) | pick, actor=users, user=someone, emoji=emoji)
    def takes_a_reaction_back(self, pick: int, actor: str, user: str | None, emoji: str) -> None:
        said = self.some(pick)
        self.machine.both(
            lambda: self.world.unreact(actor, ROOM, said.id, emoji, user),
            lambda: self.chat.unreact(actor, ROOM, said.id, emoji, user or actor),
        )

    @rule(actor=users, emoji=emoji)
    def does_something_to_what_is_gone(self, actor: str, emoji: str) -> None:
        gone = self.gone[-1]
        self.machine.both(
            lambda: self.world.delete_message(actor, ROOM, gone),
            lambda: self.chat.delete_message(actor, ROOM, gone),
        )
        self.machine.both(
            lambda: self.world.react(actor, ROOM, gone, emoji),
            lambda: self.chat.react(actor, ROOM, gone, emoji, actor),
        )

    @precondition(lambda self: self.room.said)
    @rule(actor=users, pick=pick, less=st.integers(0, 1))
    def reads_in_part(self, actor: str, pick: int, less: int) -> None:
        until = self.some(pick).at - less
        self.machine.both(
            lambda: self.world.read(actor, ROOM, until), lambda: self.chat.read(actor, ROOM, until)
        )

    @rule(actor=users)
    def reads_everything(self, actor: str) -> None:
        self.machine.a_conversation_is_marked_as_read(actor, ROOM, None)

    @rule(actor=users)
    def marks_it_as_unread(self, actor: str) -> None:
        self.machine.a_conversation_is_marked_as_unread(actor, ROOM, None)

    @rule(user=st.sampled_from(["cy", "dan"]), access=st.sampled_from(["Read", "ReadWrite", None]))
    def comes_or_goes(self, user: str, access: str | None) -> None:
        if access is None:
            self.machine.somebody_is_removed("ada", ROOM, user)
        else:
            self.machine.somebody_acts_on_a_participant("ada", ROOM, "PUT", user, access, None)

    @rule(by=st.sampled_from([1, 10, -3]))
    def time_passes_or_jumps_back(self, by: int) -> None:
        self.machine.time_passes_or_jumps_back(by)

    # What they see

    @rule()
    def clients_are_told(self) -> None:
        self.machine.the_events_are_delivered()
        self.machine.everybody_sees_what_a_recount_gives()
        self.machine.everybody_who_was_told_everything_knows_everything()
        for kept in self.world.database.reader.execute(KEPT):
            assert kept[:2] == kept[2:4], "what lists are made from"


TestTalk = Talk.TestCase
TestTalk.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
