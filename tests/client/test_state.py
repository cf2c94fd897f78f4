"""The state, value by value: what the machine in test_registry_machine.py meets only by chance."""

from collections.abc import Sequence

import pytest
from msgspec import UNSET, UnsetType, structs

from rtflow.client.state import State, View
from rtflow.client.state.asks import Gap
from rtflow.client.state.conversations import MAX_TOTAL_PAGES
from rtflow.client.state.keys import (
    ConversationKey,
    Key,
    LastKey,
    ListKey,
    MessagesKey,
    ParticipantKey,
    ParticipantsKey,
    SaidKey,
    SideKey,
    TotalKey,
    TypingKey,
    UserKey,
)
from rtflow.client.state.portraits import conversation_snapshot, message_snapshot, patched
from rtflow.client.state.span import Span
from rtflow.client.state.talk import Talk
from rtflow.errors import NotFound
from rtflow.model.content import ActionButton, ActionLink, Bold, CodeSpan, LocationBlock, TextBlock
from rtflow.model.entities import (
    Message,
    Page,
    Participant,
    ReactionDiff,
    ReactionSummary,
    Typing,
    User,
)
from rtflow.model.events import (
    ConversationCleared,
    ConversationDiff,
    ConversationEdited,
    MessageCreated,
    MessageDeleted,
    MessageDiff,
    ParticipantDiff,
    ParticipantEdited,
    SideCreated,
    SideDeleted,
    TypingAvailable,
    TypingChanged,
    TypingDiff,
    UpstreamRestarting,
    UserCreated,
)
from rtflow.model.filters import ALL
from rtflow.model.snapshots import TypingSnapshot
from tests.client.world import ME, a_conversation, a_message, a_participant, a_user

LIST = ListKey.of(ALL)


def state_with(*keys: Key, size: int = 2) -> State:
    state = State(ME)
    for key in keys:
        state.hold(key, size)
    return state


def talk(messages: Sequence[Message], cursor: str | UnsetType | None = UNSET) -> Talk:
    found = Talk()
    found.begin(messages, cursor)
    return found


def ids(talk: Talk) -> list[str]:
    return [item.message.id for item in talk.head(99)]


def cursor(talk: Talk) -> object:
    assert isinstance(talk.span, Span)
    return talk.span.cursor


def test_a_message_that_is_deleted_may_bring_its_successor() -> None:
    messages = talk([a_message("m2", 2)])
    assert messages.deleted("m2", a_message("m1", 1)) == ["m2"]
    assert (ids(messages), cursor(messages)) == (["m1"], UNSET)
    assert not messages.deleted("m2", a_message("m0", 0))
    assert messages.deleted("m1", UNSET)
    assert messages.last is UNSET


def test_a_message_that_is_deleted_may_have_been_the_only_one() -> None:
    messages = talk([a_message("m1", 1)])
    assert messages.deleted("m1", None)
    assert messages.last is None


def test_a_page_that_runs_empty_is_read_on_and_not_guessed() -> None:
    messages = talk([a_message("m2", 2)], "more")
    assert messages.deleted("m2", a_message("m1", 1))
    assert (messages.last, cursor(messages)) == (UNSET, "more")


def test_a_message_comes_once_and_only_into_the_known_part() -> None:
    messages = talk([a_message("m3", 3)], "more")
    assert messages.created(a_message("m4", 4), 9)
    assert not messages.created(a_message("m4", 4, text="again"), 9)
    assert not messages.created(a_message("m1", 1), 9)
    messages.take_last(a_message("m2", 2))
    messages.take_last(a_message("m3", 3, text="newer"))
    assert ids(messages) == ["m4", "m3"]
    assert messages.head(2)[1].message.content == (TextBlock(("newer",)),)
    assert not messages.edited("m1", MessageDiff(edited_at=9))
    assert not messages.edited("m4", MessageDiff(edited_at=None))
    assert messages.edited("m4", MessageDiff(edited_at=9))


def test_clearing_what_is_empty_changes_nothing() -> None:
    messages = talk([a_message("m1", 1)])
    assert messages.cleared()
    assert not messages.cleared()
    assert messages.last is None


def test_what_is_wanted_by_itself_stays_when_the_newest_are_read_anew() -> None:
    messages = talk([a_message("m2", 2), a_message("m1", 1)])
    messages.want("m1")
    messages.begin([a_message("m3", 3)], "more")
    assert ids(messages) == ["m3"]
    assert messages.get("m1")
    assert messages.get("m2") is UNSET
    messages.unwant("m1")
    assert messages.get("m1") is UNSET


def test_what_is_not_held_is_not_kept() -> None:
    state = state_with()
    state.users.load("bob", a_user("bob", "Bob"))
    state.messages.load("lunch", Page((a_message("m1", 1),)), UNSET)
    state.sides.load_list(LIST, Page((a_conversation("lunch"),)), UNSET)
    state.sides.load_total(Page((a_conversation("lunch", unread_message_count=1),)), UNSET)
    state.sides.load("lunch", a_conversation("lunch"))
    assert list(state.take_touched()) == []
    assert state.users.get("bob") is UNSET
    assert state.show(MessagesKey("lunch"), 1) is UNSET
    assert state.show(LIST, 1) is UNSET
    assert state.show(TotalKey()) is UNSET
    assert state.show(SideKey("lunch")) is UNSET


def test_events_about_what_is_not_known_are_ignored() -> None:
    state = state_with(UserKey("bob"), SideKey("lunch"), MessagesKey("lunch"))
    created = MessageCreated(conversation_id="lunch", message_id="m1", state=a_message("m1", 1))
    state.apply(created)
    state.apply(ConversationCleared(conversation_id="lunch"))
    state.apply(UserCreated(user_id="bob", state=a_user("bob", "Bob")))
    edited = ConversationEdited(conversation_id="lunch", diff=ConversationDiff(subject="x"))
    state.apply(edited)
    state.sides.load("lunch", None)
    state.take_touched()
    state.apply(edited)
    state.apply(created)
    state.apply(UpstreamRestarting())
    assert list(state.take_touched()) == []
    assert state.show(SideKey("lunch")) is None


def test_what_somebody_else_may_do_is_not_what_i_may_do() -> None:
    state = state_with(SideKey("lunch"))
    state.sides.load("lunch", a_conversation("lunch"))
    state.take_touched()
    diff = ParticipantDiff(access="Read")
    state.apply(ParticipantEdited(conversation_id="lunch", user_id="bob", diff=diff))
    assert list(state.take_touched()) == []
    state.apply(ParticipantEdited(conversation_id="lunch", user_id=ME, diff=diff))
    assert list(state.take_touched()) == [SideKey("lunch")]


def test_a_page_of_a_list_that_was_begun_anew_is_ignored() -> None:
    state = state_with(LIST, MessagesKey("lunch"), size=3)
    state.sides.load_list(LIST, Page((a_conversation("b", 2),), "old"), UNSET)
    assert state.gap(LIST) == Gap("old", 2)
    assert state.parts(LIST) is None
    state.sides.load_list(LIST, Page((a_conversation("b", 2),), "new"), UNSET)
    state.sides.load_list(LIST, Page((a_conversation("a", 1),)), "old")
    assert state.gap(LIST) == Gap("new", 2)
    state.messages.load("lunch", Page((a_message("m2", 2),), "old"), UNSET)
    state.messages.load("lunch", Page((a_message("m2", 2),), "new"), UNSET)
    state.messages.load("lunch", Page((a_message("m1", 1),)), "old")
    assert state.gap(MessagesKey("lunch")) == Gap("new", 2)
    state.messages.load("lunch", None, UNSET)
    state.messages.load("lunch", Page((a_message("m1", 1),)), "new")
    assert state.show(MessagesKey("lunch"), 3) is None


def test_a_page_of_people_that_was_begun_anew_is_ignored() -> None:
    key = ParticipantsKey("lunch")
    state = state_with(key, size=3)

    def read(page: Page[Participant], cursor: str | UnsetType) -> None:
        (ask,) = state.reads({key: True}, expand=False)
        params = structs.replace(ask.params, cursor=cursor)
        assert state.take(structs.replace(ask, params=params), page)

    read(Page((a_participant("bob", 2),), "old"), UNSET)
    read(Page((a_participant("bob", 2),), "new"), UNSET)
    read(Page((a_participant("carol", 1),)), "old")
    assert state.gap(key) == Gap("new", 2)
    read(Page((a_participant("carol", 1),)), "new")
    assert state.gap(key) is None
    assert state.parts(key) == (UserKey("bob"), UserKey("carol"))
    state.apply(SideDeleted(conversation_id="lunch"))
    read(Page((a_participant("carol", 1),)), "new")
    assert state.show(key, 3) is None
    (late,) = state.reads({key: True}, expand=False)
    state.drop(key)
    state.take(late, Page((a_participant("bob", 2),)))
    assert state.show(key, 3) is UNSET


def test_what_comes_late_about_what_is_not_held_any_more_is_not_kept() -> None:
    typing = TypingKey("lunch")
    state = state_with(typing)
    (late,) = state.reads({typing: True}, expand=False)
    state.drop(typing)
    state.take(late, Typing())
    state.apply(TypingAvailable(conversation_id="lunch", state=Typing()))
    assert state.show(typing) is UNSET


def test_what_changes_of_somebody_who_is_not_there_changes_nothing() -> None:
    key = ParticipantKey("lunch", "bob")
    state = state_with(key)
    (ask,) = state.reads({key: True}, expand=False)
    state.take(ask, NotFound("PARTICIPANT_NOT_FOUND"))
    state.take_touched()
    diff = ParticipantDiff(access="Read")
    state.apply(ParticipantEdited(conversation_id="lunch", user_id="bob", diff=diff))
    assert (list(state.take_touched()), state.show(key)) == ([], None)


def test_a_part_shows_what_its_whole_needs_of_it() -> None:
    state = state_with(LastKey("lunch"), SaidKey("lunch", "m1"))
    assert state.show(LastKey("lunch")) is state.show(SaidKey("lunch", "m1")) is UNSET
    state.messages.load("lunch", Page((a_message("m1", 1, None),)), UNSET)
    last, said = state.show(LastKey("lunch")), state.show(SaidKey("lunch", "m1"))
    assert (last.id, said.id, said.referenced_message_id) == ("m1", "m1", None)
    assert state.show(SaidKey("dinner", "m1")) is UNSET


def test_whoever_exists_already_is_not_created_again() -> None:
    state = state_with(UserKey("bob"))
    state.users.load("bob", a_user("bob", "Robert"))
    state.apply(UserCreated(user_id="bob", state=a_user("bob", "Bob")))
    assert _name(state) == "Robert"


def test_too_many_to_name_stay_so_until_all_are_named() -> None:
    key = TypingKey("lunch")
    state = state_with(key)
    state.apply(TypingAvailable(conversation_id="lunch", state=Typing(users_typing={"bob": 1})))
    for diff, many, writers in (
        (TypingDiff(many=True), True, ()),
        (TypingDiff(users_typing={"carol": 2}), True, ()),
        (TypingDiff(users_typing=None), True, ()),
        (TypingDiff(many=False, users_typing={"dan": 2, "carol": 2}), False, ("carol", "dan")),
        (TypingDiff(users_typing={"dan": None, "erin": None}), False, ("carol",)),
        (TypingDiff(), False, ("carol",)),
    ):
        state.apply(TypingChanged(conversation_id="lunch", diff=diff))
        assert state.parts(key) == tuple(map(UserKey, writers))
        for user in writers:
            state.hold(UserKey(user))
            state.users.load(user, None)
        assert state.show(key) == TypingSnapshot(many=many, users=())


def test_a_conversation_is_unknown_while_anything_of_it_is() -> None:
    state = state_with(ConversationKey("lunch"), SideKey("lunch"), LastKey("lunch"))
    assert state.gap(ConversationKey("lunch")) is None
    assert state.gap(ConversationKey("lunch"), anew=True) is None
    assert state.show(ConversationKey("lunch")) is UNSET
    state.sides.load("lunch", a_conversation("lunch"))
    assert state.show(ConversationKey("lunch")) is UNSET
    state.messages.load("lunch", Page((a_message("m1", 5),), "more"), UNSET)
    assert state.show(ConversationKey("lunch")) is UNSET
    assert state.parts(LastKey("lunch")) == (UserKey("bob"),)
    state.hold(UserKey("bob"))
    state.users.load("bob", None)
    shown = state.show(ConversationKey("lunch"))
    assert shown
    assert shown.last_message
    assert shown.last_message.sender is None
    deleted = MessageDeleted(conversation_id="lunch", message_id="m1")
    state.apply(deleted)
    assert state.show(ConversationKey("lunch")) is UNSET
    assert state.show(MessagesKey("lunch"), 1) is UNSET


def test_senders_come_with_answers_and_are_forgotten_unless_held() -> None:
    bob = a_user("bob", "Bob")
    message = a_message("m1", 5)
    state = state_with(SideKey("lunch"), LastKey("lunch"))
    expanded = a_conversation("lunch", last_message=_with_sender(message, bob))
    state.sides.load("lunch", expanded)
    state.hold(UserKey("bob"))
    shown = state.show(ConversationKey("lunch"))
    assert shown
    assert shown.last_message == message_snapshot(message, state.users.get("bob") or None)
    state.users.load("bob", a_user("bob", "Robert"))
    state.sides.load("lunch", expanded)  # what is known is fresher than what comes along
    assert _name(state) == "Robert"
    state.drop(UserKey("bob"))
    state.sides.load("lunch", expanded)
    state.forget_hints()
    state.hold(UserKey("bob"))
    assert state.users.get("bob") is UNSET
    state.sides.load("lunch", expanded)
    assert _name(state) == "Bob"


def _name(state: State) -> str:
    user = state.users.get("bob")
    assert user
    return user.name


def _with_sender(message: Message, sender: User | None) -> Message:
    return structs.replace(message, sender=sender)


def test_joining_again_reads_the_messages_again() -> None:
    state = state_with(SideKey("lunch"), LastKey("lunch"))
    state.sides.load("lunch", None)
    assert state.show(ConversationKey("lunch")) is None
    state.apply(SideCreated(conversation_id="lunch", state=a_conversation("lunch")))
    assert state.gap(LastKey("lunch")) is not None
    assert state.show(ConversationKey("lunch")) is UNSET


def test_the_last_message_does_not_shorten_what_is_known() -> None:
    state = state_with(SideKey("lunch"), LastKey("lunch"), MessagesKey("lunch"))
    page = Page((a_message("m2", 2, None), a_message("m1", 1, None)), "more")
    state.messages.load("lunch", page, UNSET)
    last = _with_sender(a_message("m3", 3, None), None)
    state.sides.load("lunch", a_conversation("lunch", last_message=last))
    state.sides.load("lunch", a_conversation("lunch", last_message=None))
    assert state.show(MessagesKey("lunch"), 4) is UNSET
    shown = state.show(MessagesKey("lunch"), 3)
    assert shown
    assert [message.id for message in shown.items] == ["m3", "m2", "m1"]


def test_the_total_stops_after_a_hundred_pages() -> None:
    state = state_with(TotalKey())
    for number in range(MAX_TOTAL_PAGES):
        assert state.show(TotalKey()) is UNSET
        page = Page((a_conversation(f"c{number}", unread_message_count=1),), "more")
        state.sides.load_total(page, "more" if number else UNSET)
    assert state.show(TotalKey()) == MAX_TOTAL_PAGES


def test_a_snapshot_holds_nothing_that_can_be_changed() -> None:
    link = ActionLink("open", {"a": "b"}, ("here",))
    button = ActionButton("buy", {"c": "d"}, (Bold((link,)), CodeSpan("x")))
    message = a_message("m1", 1)
    message = structs.replace(message, content=(TextBlock((button,)), LocationBlock(1.0, 2.0)))
    shown = message_snapshot(message, None)
    assert shown.content == message.content
    hash(shown)
    block = shown.content[0]
    assert isinstance(block, TextBlock)
    frozen = block.children[0]
    assert isinstance(frozen, ActionButton)
    with pytest.raises(TypeError):
        frozen.params["c"] = "e"


def test_without_a_message_the_last_activity_is_the_creation() -> None:
    conversation = a_conversation("lunch", 5, joined_at=7, last_message_at=7)
    assert conversation_snapshot(conversation, None).last_message_at == 5


def test_a_view_shows_its_key_and_has_no_request_of_its_own_unless_it_says_so() -> None:
    view = View[int](TotalKey())
    assert (view.ask, view.answer(None)) == (None, UNSET)
    state = state_with(TotalKey())
    assert view.show(state) is UNSET
    state.sides.load_total(Page((a_conversation("lunch", unread_message_count=3),)), UNSET)
    assert view.show(state) == 3


def test_of_text_that_is_nested_too_deep_only_the_words_are_shown() -> None:
    deep = Bold(("so deep",))
    for _ in range(5_000):
        deep = Bold((deep,))
    message = structs.replace(a_message("m1", 1), content=(TextBlock(("down: ", deep)),))
    shown = message_snapshot(message, None)
    assert shown.content == (TextBlock(("down: so deep",)),)
    assert shown.plaintext == "down: so deep"


def test_a_change_of_reactions_merges_emoji_by_emoji() -> None:
    known = ReactionSummary(created_at=1, count=2, current_user_reacted=False)
    message = structs.replace(a_message("m1", 1), reactions={"+": known, "-": known, "!": known})
    diff = MessageDiff(
        reactions={
            "+": ReactionDiff(count=3),
            "-": None,
            "!": ReactionDiff(count=0),
            "?": ReactionDiff(count=1, current_user_reacted=True),  # not whole: since when?
            "new": ReactionDiff(created_at=0, count=1, current_user_reacted=True),
            "gone": None,
        }
    )
    changed = patched(message, diff)
    assert changed.reactions == {
        "+": structs.replace(known, count=3),
        "new": ReactionSummary(created_at=0, count=1, current_user_reacted=True),
    }
    assert patched(changed, diff) is changed
    assert [it.emoji for it in message_snapshot(changed, None).reactions] == ["new", "+"]
