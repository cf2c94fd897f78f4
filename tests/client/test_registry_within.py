"""What is watched within a conversation: messages and replies, reactions, people, typing, online.

In any order by the machine in test_registry_machine.py; here, what it costs and when it is told.
"""

from typing import Any, TypeAlias

import pytest
from msgspec import UNSET, structs

from rtflow.client.state.keys import Key
from rtflow.client.state.views import (
    ConversationView,
    ListView,
    MessagesView,
    MessageView,
    OnlineView,
    ParticipantsView,
    ParticipantView,
    ReactionsView,
    TotalView,
    TypingView,
    View,
)
from rtflow.errors import BadRequest, Forbidden
from rtflow.model.events import OnlineDiff, ParticipantCreated, UserOnlineChanged
from rtflow.model.filters import ALL
from rtflow.model.snapshots import MessageSnapshot, Window
from rtflow.wire import endpoints as wire
from tests.client.truth import expected
from tests.client.watcher import Client
from tests.client.world import ME, World

AnyView: TypeAlias = View[Any]  # of whatever type
LUNCH = "/me/conversations/lunch"


@pytest.fixture
def world() -> World:
    world = World()
    for id in (ME, "bob", "carol"):
        world.put_user(id, id.title())
    world.join("lunch")
    world.enter("lunch", "bob")
    for number in range(3):
        world.say("lunch", "bob", str(number))
    return world


@pytest.fixture
def client(world: World) -> Client:
    client = Client(world)
    client.asked()
    return client


def changed(client: Client) -> set[Key]:
    """Deliver what is on the way; return whose observers are told."""
    keys = set[Key]()
    client.world.settle(client.registry, client.now, keys.update)
    return keys


def last_message(client: Client, n: int = 1) -> MessageSnapshot:
    window: Window[MessageSnapshot] | None = client.show(MessagesView.of("lunch", n))
    assert window is not None
    return window.items[0]


def views(world: World) -> list[AnyView]:
    """One of each kind, all within "lunch"."""
    id = world.messages["lunch"][0].id
    return [
        MessageView.of("lunch", id),
        ReactionsView.of("lunch", id, "+", 2),
        ParticipantView.of("lunch", "bob"),
        ParticipantsView.of("lunch", 2),
        TypingView.of("lunch"),
    ]


# Messages


def test_a_message_is_a_subscription_and_a_read_and_then_its_sender(client: Client) -> None:
    id = client.world.messages["lunch"][0].id
    client.watch(MessageView.of("lunch", id))
    assert client.asked() == [
        f"SUBSCRIBE {LUNCH}/messages",
        f"GET {LUNCH}/messages/{id}",
        "SUBSCRIBE /users",
        "GET /users",
    ]


def test_a_message_and_a_window_share_one_subscription_and_what_they_know(client: Client) -> None:
    window = client.watch(MessagesView.of("lunch", 2))
    id = last_message(client, 2).id
    client.asked()
    view = MessageView.of("lunch", id)
    lease = client.watch(view)
    assert client.asked() == [f"GET {LUNCH}/messages/{id}"]
    client.world.change("lunch", -1, "changed")
    assert changed(client) == {MessagesView.of("lunch", 2).key, view.key}
    assert client.show(view) == last_message(client, 2)
    client.registry.release(window, 0)
    client.registry.expire(10)
    assert client.asked() == []
    client.registry.release(lease, 10)
    client.registry.expire(20)
    assert client.asked() == [f"UNSUBSCRIBE {LUNCH}/messages", "UNSUBSCRIBE /users/bob"]


@pytest.mark.parametrize("window", [1, 3])
def test_a_message_that_is_deleted_is_none_in_a_window_and_beyond(
    client: Client, window: int
) -> None:
    view = MessageView.of("lunch", client.world.messages["lunch"][0].id)
    client.watch(view)
    client.watch(MessagesView.of("lunch", window))
    client.world.delete("lunch", 0)
    assert view.key in changed(client)
    assert client.show(view) is None


def test_a_message_that_is_cleared_away_is_none(client: Client) -> None:
    view = MessageView.of("lunch", client.world.messages["lunch"][0].id)
    client.watch(view)
    client.asked()
    client.world.clear("lunch")
    assert changed(client) == {view.key}
    assert client.show(view) is None
    assert client.asked() == []


def test_whoever_waits_for_a_message_sees_it_come(client: Client) -> None:
    coming = f"m{client.world.now() + 1}"
    one, reactions = MessageView.of("lunch", coming), ReactionsView.of("lunch", coming, "+", 2)
    client.watch(one)
    client.watch(reactions)
    assert (client.show(one), client.show(reactions)) == (None, None)
    client.world.say("lunch", "bob")
    assert changed(client) == {one.key, reactions.key}
    assert client.show(one) == expected(client.world, one)
    assert client.show(reactions) == Window((), True)


def test_a_message_in_a_window_is_known_without_asking(client: Client) -> None:
    client.watch(MessagesView.of("lunch", 2))
    one = MessageView.of("lunch", last_message(client, 2).id)
    assert one.show(client.registry.state) == last_message(client, 2)
    assert MessageView.of("dinner", "m1").show(client.registry.state) is UNSET


def test_what_a_reply_refers_to_costs_nothing_when_it_is_in_the_window(client: Client) -> None:
    client.watch(MessagesView.of("lunch", 3))
    client.watch(ConversationView.of("lunch"))
    client.asked()
    client.world.say("lunch", "bob", "a reply", replies_to=2)
    assert client.asked() == []
    assert last_message(client).referenced_message is not None
    client.world.change("lunch", 2, "changed")
    told = changed(client)
    assert told == {MessagesView.of("lunch", 3).key, ConversationView.of("lunch").key}
    referred = last_message(client).referenced_message
    assert referred is not None
    assert referred.plaintext == "changed"
    client.world.delete("lunch", 2)
    assert client.asked() == []
    assert last_message(client).referenced_message is None


def test_what_a_reply_refers_to_is_read_by_itself_when_it_is_far(client: Client) -> None:
    first = client.world.messages["lunch"][0].id
    client.world.say("lunch", "bob", "a reply", replies_to=0)
    view = MessagesView.of("lunch", 1)
    client.watch(view)
    assert client.asked() == [
        f"SUBSCRIBE {LUNCH}/messages",
        f"GET {LUNCH}/messages",
        "SUBSCRIBE /users",
        f"GET {LUNCH}/messages/{first}",
        "GET /users",
    ]
    client.world.react("lunch", 0, "carol", "+", is_added=True)
    assert changed(client) == {view.key}
    assert client.show(view) == expected(client.world, view)
    client.world.delete("lunch", 0)
    assert changed(client) == {view.key}
    assert last_message(client).referenced_message is None


def test_a_reply_to_a_reply_is_shown_one_level_deep(client: Client) -> None:
    for index in range(3):
        client.world.say("lunch", "bob", f"reply {index}", replies_to=2 + index)
    client.watch(MessagesView.of("lunch", 1))
    gets = [it for it in client.asked() if it.startswith(f"GET {LUNCH}/messages/")]
    assert len(gets) == 1
    referred = last_message(client).referenced_message
    assert referred is not None
    assert referred.referenced_message_id == client.world.messages["lunch"][3].id


def test_a_window_that_is_cut_shows_on_what_its_replies_refer_to(client: Client) -> None:
    """It is read again, because nobody follows it any more; but nothing waits for that."""
    view = MessagesView.of("lunch", 2)
    client.watch(view)
    client.asked()
    client.world.say("lunch", "bob", "another")
    client.settle()
    client.world.say("lunch", "bob", "a reply", replies_to=2)  # the fourth cuts it to two
    client.world.deliver(client.registry)
    assert client.show(view) == expected(client.world, view)
    assert [it.split(" ")[0] for it in client.asked()] == ["GET"]
    assert client.show(view) == expected(client.world, view)


def test_a_message_that_a_window_loses_and_somebody_looks_at_is_followed(client: Client) -> None:
    window = MessagesView.of("lunch", 2)
    one = MessageView.of("lunch", client.world.messages["lunch"][1].id)
    client.watch(window)
    client.watch(one)
    client.asked()
    client.world.say("lunch", "bob", "another")
    client.world.say("lunch", "bob", "the fourth cuts it to two")
    assert client.asked() == []
    client.world.change("lunch", 1, "changed")
    assert changed(client) == {one.key}
    assert client.show(one) == expected(client.world, one)


def test_a_reply_in_a_list_is_read_with_what_it_refers_to(client: Client) -> None:
    client.world.say("lunch", "bob", "a reply", replies_to=0)
    view = ConversationView.of("lunch")
    client.watch(view)
    assert client.show(view) == expected(client.world, view)
    client.world.change("lunch", 0, "changed")
    assert changed(client) == {view.key}
    assert client.show(view) == expected(client.world, view)


# All of them


def test_whoever_leaves_sees_nothing_and_everything_again_when_he_is_back(client: Client) -> None:
    client.world.write("lunch", "bob", is_writing=True)
    client.world.react("lunch", 0, "bob", "+", is_added=True)
    watched = views(client.world)
    for view in watched:
        client.watch(view)
        assert client.show(view) is not None
    client.world.leave("lunch")
    assert changed(client) == {view.key for view in watched}
    assert [client.show(view) for view in watched] == [None] * 5
    client.asked()
    client.world.join("lunch", announces_typing=False)
    assert changed(client) == {view.key for view in watched}
    for view in watched:
        assert client.show(view) == expected(client.world, view)
    assert not [it for it in client.asked() if it.startswith("SUBSCRIBE")]


def test_what_is_announced_with_the_joining_is_not_read(client: Client) -> None:
    client.world.leave("lunch")
    client.watch(TypingView.of("lunch"))
    client.world.write("lunch", "bob", is_writing=True)
    client.asked()
    client.world.join("lunch")
    assert client.asked() == ["SUBSCRIBE /users", "GET /users"]
    assert client.show(TypingView.of("lunch")) == expected(client.world, TypingView.of("lunch"))


@pytest.mark.parametrize("error", [Forbidden("NOT_A_PARTICIPANT"), None])
def test_what_i_may_not_see_is_none(client: Client, error: Forbidden | None) -> None:
    client.world.leave("lunch")
    if error is not None:
        for endpoint in wire.ALL:
            if endpoint.kind is wire.Kind.READ:
                client.world.faults[endpoint] = error
    for view in views(client.world):
        client.watch(view)
        assert view.show(client.registry.state) is None


def test_everything_is_let_go(client: Client) -> None:
    leases = [client.watch(view) for view in views(client.world)]
    client.world.say("lunch", "bob", "a reply", replies_to=0)
    client.settle()
    for lease in leases:
        client.registry.release(lease, 0)
    client.registry.expire(10)
    client.settle()
    assert client.world.subscribed == []


def test_what_happens_elsewhere_touches_nothing(client: Client) -> None:
    for view in views(client.world):
        client.watch(view)
    changed(client)
    world = client.world
    world.join("dinner")
    world.enter("dinner", "bob")
    world.say("dinner", "bob")
    for topic in [*world.subscribed]:  # a server that tells more than it was asked
        world.subscribed.append((topic[0], topic[1].replace("lunch", "dinner")))
    world.react("dinner", 0, "bob", "+", is_added=True)
    world.write("dinner", "bob", is_writing=True)
    world.edit_member("dinner", "bob", access="Read")
    world.quit("dinner", "bob")
    world.delete("dinner", 0)
    world.clear("dinner")
    world.leave("dinner")
    assert changed(client) == set()


# People


def test_a_participant_is_followed_through_coming_changing_and_going(client: Client) -> None:
    view = ParticipantView.of("lunch", "carol")
    client.watch(view)
    assert client.show(view) is None
    client.world.enter("lunch", "carol")
    assert changed(client) == {view.key}
    client.world.edit_member("lunch", "carol", access="Read")
    assert changed(client) == {view.key}
    assert client.show(view) == expected(client.world, view)
    client.world.put_user("carol", "Caroline")
    assert changed(client) == {view.key}
    assert client.show(view) == expected(client.world, view)
    client.world.quit("lunch", "carol")
    assert changed(client) == {view.key}
    assert client.show(view) is None


def test_whoever_joins_again_beyond_a_window_leaves_it(client: Client) -> None:
    """He is in it with the time of his last joining; a clock that went back puts him beyond."""
    for number in range(4):
        client.world.enter("lunch", f"u{number}")
    view = ParticipantsView.of("lunch", 2)
    client.watch(view)
    member = client.world.members["lunch"]["u3"]
    client.world.members["lunch"]["u3"] = structs.replace(member, joined_at=1)
    created = ParticipantCreated(
        conversation_id="lunch", user_id="u3", state=client.world.members["lunch"]["u3"]
    )
    client.world.frames.append((created,))
    assert changed(client) == {view.key}
    assert client.show(view) == expected(client.world, view)


def test_my_own_access_is_the_same_in_all_that_shows_it(client: Client) -> None:
    one, lunch = ParticipantView.of("lunch", ME), ConversationView.of("lunch")
    client.watch(one)
    client.watch(lunch)
    client.world.edit_me("lunch", access="Read", notify=False)
    assert changed(client) == {one.key, lunch.key}
    assert client.show(one) == expected(client.world, one)
    assert client.show(lunch) == expected(client.world, lunch)


# Lists of people


def test_participants_come_and_go_at_the_edges_of_a_window(client: Client) -> None:
    for number in range(6):
        client.world.enter("lunch", f"u{number}")
    view, longer = ParticipantsView.of("lunch", 2), ParticipantsView.of("lunch", 4)
    client.watch(view)
    lease = client.watch(longer)

    def check() -> None:
        client.settle()
        assert client.show(view) == expected(client.world, view)
        assert client.show(longer) == expected(client.world, longer)

    client.world.quit("lunch", "u4")  # the last one that the short one shows
    check()
    client.world.enter("lunch", "carol")
    check()
    client.world.edit_member("lunch", "u5", access="Read")
    check()
    client.world.edit_member("lunch", "u0", access="Read")  # beyond both
    check()
    client.world.quit("lunch", "u2")
    check()
    client.world.quit("lunch", "carol")
    check()
    longest = ParticipantsView.of("lunch", 9)
    client.registry.resize(lease, 9, 0)
    client.settle()
    assert client.show(longest) == expected(client.world, longest)
    assert client.show(longest).loaded_all  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess] - I am in


def test_a_list_that_many_join_does_not_grow(client: Client) -> None:
    view = ParticipantsView.of("lunch", 2)
    client.watch(view)
    for number in range(9):
        client.world.enter("lunch", f"u{number}")
        client.settle()
        assert client.show(view) == expected(client.world, view)
    assert ParticipantsView.of("lunch", 4).show(client.registry.state) is UNSET


def test_pages_are_no_longer_than_the_server_allows(client: Client) -> None:
    for number in range(120):
        client.world.enter("lunch", f"u{number}")
    view = ParticipantsView.of("lunch", 110)
    client.watch(view)
    assert client.asked().count(f"GET {LUNCH}/participants") == 3
    assert client.show(view) == expected(client.world, view)


def test_who_reacted_first_comes_first(client: Client) -> None:
    id = client.world.messages["lunch"][0].id
    view = ReactionsView.of("lunch", id, "+", 2)
    client.watch(view)
    assert client.show(view) == Window((), True)
    for user in ("carol", "bob", ME, "dan"):
        client.world.react("lunch", 0, user, "+", is_added=True)
        assert changed(client) <= {view.key}
        assert client.show(view) == expected(client.world, view)
    client.world.react("lunch", 0, "carol", "+", is_added=False)
    client.settle()
    assert client.show(view) == expected(client.world, view)


def test_a_message_that_is_deleted_takes_its_own_reactions_only(client: Client) -> None:
    first, second = (it.id for it in client.world.messages["lunch"][:2])
    kept, lost = ReactionsView.of("lunch", second, "+", 2), ReactionsView.of("lunch", first, "+", 2)
    client.watch(kept)
    client.watch(lost)
    client.world.delete("lunch", 0)
    assert changed(client) == {lost.key}
    assert (client.show(lost), client.show(kept)) == (None, Window((), True))
    client.world.clear("lunch")
    assert changed(client) == {kept.key}


# A page that is refused


@pytest.mark.parametrize(
    ("view", "endpoint"),
    [
        (MessagesView.of("lunch", 5), wire.GET_MESSAGES),
        (ParticipantsView.of("lunch", 5), wire.GET_PARTICIPANTS),
    ],
)
def test_a_list_whose_next_page_is_refused_is_read_from_its_start(
    client: Client, view: AnyView, endpoint: wire.AnyEndpoint
) -> None:
    for number in range(250):
        client.world.enter("lunch", f"u{number}")
        client.world.say("lunch", "bob")
    lease = client.watch(structs.replace(view, size=2))
    client.asked()
    client.registry.resize(lease, view.size, 0)
    client.world.receive(client.registry.take().asks)
    client.world.faults[endpoint] = BadRequest("INVALID_CURSOR")
    client.world.answer()
    client.world.faults.clear()
    client.settle()
    assert len([it for it in client.asked() if it.startswith(f"GET {LUNCH}")]) == 2
    assert client.show(view) == expected(client.world, view)


@pytest.mark.parametrize(
    ("view", "endpoint"),
    [
        (MessagesView.of("lunch", 5), wire.GET_MESSAGES),
        (ParticipantsView.of("lunch", 5), wire.GET_PARTICIPANTS),
    ],
)
def test_a_page_that_is_refused_when_i_have_left_is_not_read_again(
    client: Client, view: AnyView, endpoint: wire.AnyEndpoint
) -> None:
    for number in range(9):
        client.world.enter("lunch", f"u{number}")
        client.world.say("lunch", "bob")
    lease = client.watch(structs.replace(view, size=2))
    client.registry.resize(lease, view.size, 0)
    client.world.receive(client.registry.take().asks)
    client.world.asked.clear()
    client.world.faults[endpoint] = BadRequest("INVALID_CURSOR")
    client.world.leave("lunch")
    client.settle()
    assert view.show(client.registry.state) is None
    assert not [it for it in client.asked() if it.startswith(f"GET {LUNCH}")]


def test_a_list_whose_pages_are_always_refused_fails(client: Client) -> None:
    for number in range(120):
        client.world.enter("lunch", f"u{number}")
    view = ParticipantsView.of("lunch", 110)
    client.registry.acquire(view.key, view.size, 0)
    error = BadRequest("INVALID_CURSOR")
    failed = list[object]()
    for _ in range(9):
        work = client.registry.take()
        failed += work.failed
        client.world.receive(work.asks)
        while client.world.pending:
            if client.world.pending[0].cursor is not UNSET:
                client.world.faults[wire.GET_PARTICIPANTS] = error
            client.world.answer()
            client.world.faults.clear()
        while client.world.frames:
            client.world.deliver(client.registry)
    assert failed == [(view.key, error)]


def test_a_total_and_a_list_of_conversations_begin_anew_too(client: Client) -> None:
    for number in range(120):
        client.world.join(f"c{number:03}")
        client.world.say(f"c{number:03}", "bob")
    views: tuple[AnyView, ...] = (TotalView.of(), ListView.of(ALL, 40))
    for view in views:
        client.registry.acquire(view.key, view.size, 0)
        refused = False
        for _ in range(99):
            client.world.receive(client.registry.take().asks)
            if not (client.world.pending or client.world.frames):
                break
            if client.world.pending:
                if client.world.pending[0].cursor is not UNSET and not refused:
                    client.world.faults[wire.GET_CONVERSATIONS] = BadRequest("INVALID_CURSOR")
                    refused = True
                client.world.answer()
                client.world.faults.clear()
            while client.world.frames:
                client.world.deliver(client.registry)
        assert refused
        shown: object = view.show(client.registry.state)
        assert shown == expected(client.world, view)


# Users


def test_somebody_is_online_who_did_not_exist(client: Client) -> None:
    view = OnlineView.of("dan")
    client.registry.acquire(view.key, 1, 0)
    client.world.receive(client.registry.take().asks)
    client.registry.apply([UserOnlineChanged(user_id="dan", diff=OnlineDiff(is_connected=True))], 0)
    assert view.show(client.registry.state) is UNSET
    assert client.asked() == [
        "SUBSCRIBE /users/dan/online",
        "SUBSCRIBE /users",
        "GET /users/dan/online",
        "GET /users",
    ]
    assert view.show(client.registry.state) is None
    client.world.put_user("dan", "Dan")
    assert changed(client) == {view.key}
    assert client.show(view) == expected(client.world, view)
    client.world.connect("dan", is_connected=True)
    assert changed(client) == {view.key}
    assert client.show(view) == expected(client.world, view)
    client.world.put_user("dan", "Daniel")
    assert changed(client) == {view.key}
