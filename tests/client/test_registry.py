"""What is asked of the server, request by request; and what becomes of failures."""

from typing import Any

import pytest
from msgspec import UNSET

from rtflow.client.registry import Registry
from rtflow.client.state.keys import ListKey
from rtflow.client.state.views import (
    ConversationView,
    ListView,
    MessagesView,
    TotalView,
    UnreadView,
    UserView,
    View,
)
from rtflow.errors import BadRequest, Forbidden
from rtflow.model.filters import ALL, ConversationFilter
from rtflow.wire import endpoints as wire
from tests.client.watcher import Client
from tests.client.world import ME, World


@pytest.fixture
def world() -> World:
    world = World()
    for id in (ME, "bob"):
        world.put_user(id, id.title())
    for id in ("lunch", "dinner"):
        world.join(id)
        world.say(id, "bob", f"about {id}")
    return world


@pytest.fixture
def client(world: World) -> Client:
    return Client(world)


def test_a_conversation_is_two_subscriptions_and_one_read_and_then_its_sender(
    client: Client,
) -> None:
    client.watch(ConversationView.of("lunch"))
    assert client.asked() == [
        "SUBSCRIBE /me/conversations/lunch",
        "SUBSCRIBE /me/conversations/lunch/messages",
        "GET /me/conversations/lunch",
        "SUBSCRIBE /users",
        "GET /users",
    ]


def test_unread_is_one_subscription_and_one_read(client: Client) -> None:
    client.watch(UnreadView.of("lunch"))
    assert client.asked() == ["SUBSCRIBE /me/conversations/lunch", "GET /me/conversations/lunch"]


def test_without_expand_the_last_message_is_read_on_its_own() -> None:
    world = World(expand=False)
    world.put_user("bob", "Bob")
    world.join("lunch")
    world.say("lunch", "bob")
    client = Client(world)
    view = ConversationView.of("lunch")
    client.watch(view)
    assert client.show(view) == world.conversation("lunch")
    assert client.asked() == [
        "SUBSCRIBE /me/conversations/lunch",
        "SUBSCRIBE /me/conversations/lunch/messages",
        "GET /me/conversations/lunch",
        "GET /me/conversations/lunch/messages",
        "SUBSCRIBE /users",
        "GET /users",
    ]


def test_a_list_is_read_twice_with_the_subscriptions_to_its_messages_in_between(
    client: Client,
) -> None:
    """The second read is for what changed before the subscriptions; it is one, not one for each."""
    for number in range(5):
        client.world.join(f"c{number}")
    client.watch(ListView.of(ALL, 20))
    asked = client.asked()
    assert asked[:2] == ["SUBSCRIBE /me/conversations", "GET /me/conversations"]
    assert [it for it in asked if it.startswith("GET")] == [
        "GET /me/conversations",
        "GET /me/conversations",
        "GET /users",
    ]
    assert len([it for it in asked if it.endswith("/messages")]) == 7


def test_what_is_known_of_a_list_is_shown_before_it_is_read_again(client: Client) -> None:
    view = ListView.of(ALL, 20)
    client.registry.acquire(view.key, view.size, 0)
    client.world.receive(client.registry.take().asks)
    while view.show(client.registry.state) is UNSET:
        if not client.world.frames:
            client.world.answer()
        client.world.deliver(client.registry)
    assert client.world.asked == ["SUBSCRIBE /me/conversations", "GET /me/conversations"]


def test_what_changed_before_the_subscription_to_it_is_seen(client: Client) -> None:
    """The sender is renamed after the answer that shows him, and before we follow him."""
    view = ConversationView.of("lunch")
    client.registry.acquire(view.key, view.size, 0)
    client.world.receive(client.registry.take().asks)
    client.world.answer()
    client.world.put_user("bob", "Robert")
    client.world.change("lunch", 0, "changed")
    client.settle()
    assert client.show(view) == client.world.conversation("lunch")


def test_a_second_lease_asks_for_nothing(client: Client) -> None:
    view = ConversationView.of("lunch")
    client.watch(view)
    client.asked()
    client.watch(view)
    client.watch(UnreadView.of("lunch"))
    client.watch(UserView.of("bob"))
    assert client.asked() == []


def test_a_longer_window_reads_on_from_where_the_shorter_one_ends(client: Client) -> None:
    for number in range(250):
        client.world.say("lunch", "bob", str(number))
    short = client.watch(MessagesView.of("lunch", 2))
    client.asked()
    client.registry.resize(short, 5, 0)
    assert client.asked() == ["GET /me/conversations/lunch/messages"]
    longest = MessagesView.of("lunch", 220)
    client.watch(longest)
    assert client.asked() == ["GET /me/conversations/lunch/messages"] * 3
    assert client.show(longest) == client.world.window("lunch", 220)
    client.registry.release(short, 0)
    client.registry.resize(short, 7, 0)
    assert client.asked() == []


def test_a_list_that_shrinks_below_its_length_is_read_on(client: Client) -> None:
    for number in range(5):
        client.world.join(f"c{number}")
    view = ListView.of(ALL, 3)
    client.watch(view)
    for number in (4, 3, 2, 1):
        client.world.leave(f"c{number}")
        client.settle()
        assert client.show(view) == client.world.listed(ALL, 3)


def test_a_conversation_that_may_enter_a_list_is_read_and_one_that_cannot_is_not(
    client: Client,
) -> None:
    unread = ConversationFilter(is_unread=True)
    client.world.edit_side("dinner", is_unread=False, unread_message_count=0)
    client.watch(ListView.of(unread, 5))
    client.asked()
    client.world.edit_side("dinner", everyone_read_until=5)
    client.world.edit_side("dinner", is_unread=False)
    client.world.edit("dinner", subject="Dinner")
    client.world.edit_me("dinner", access="Read")
    assert client.asked() == []
    client.world.edit_side("dinner", is_unread=True)
    client.world.edit_side("dinner", is_unread=True)
    assert client.asked()[0] == "GET /me/conversations/dinner"
    assert client.show(ListView.of(unread, 5)) == client.world.listed(unread, 5)


def test_the_total_is_paged_to_its_end(client: Client) -> None:
    for number in range(120):
        client.world.join(f"c{number}")
        client.world.say(f"c{number}", "bob")
    client.watch(TotalView.of())
    assert client.asked() == [
        "SUBSCRIBE /me/conversations",
        "GET /me/conversations",
        "GET /me/conversations",
    ]
    assert client.show(TotalView.of()) == client.world.total() == 122
    client.world.say("c7", "bob")
    client.world.edit_side("c8", unread_message_count=0)
    client.world.leave("c9")
    client.settle()
    assert client.show(TotalView.of()) == client.world.total() == 121


def test_users_go_in_batches(client: Client) -> None:
    leases = [
        client.registry.acquire(UserView.of(f"u{number}").key, 1, 0) for number in range(1_500)
    ]
    assert client.asked() == ["SUBSCRIBE /users"] * 2 + ["GET /users"] * 2
    for lease in leases:
        client.registry.release(lease, 0)
    client.registry.expire(10)
    assert len(client.asked()) == 1_500


def test_parts_leave_with_the_whole_and_not_a_linger_later(client: Client) -> None:
    lease = client.watch(ConversationView.of("lunch"))
    client.asked()
    client.registry.release(lease, 5.0)
    client.registry.release(lease, 6.0)
    assert client.registry.deadline == 15.0
    client.registry.expire(14.9)
    assert client.asked() == []
    client.registry.expire(15.0)
    assert client.asked() == [
        "UNSUBSCRIBE /me/conversations/lunch",
        "UNSUBSCRIBE /me/conversations/lunch/messages",
        "UNSUBSCRIBE /users/bob",
    ]
    assert client.registry.deadline is None


def test_two_who_talk_in_turns_are_not_subscribed_to_anew_each_time(client: Client) -> None:
    client.watch(ConversationView.of("lunch"))
    client.world.say("lunch", ME)
    client.asked()
    for _ in range(5):
        client.world.say("lunch", "bob")
        client.world.say("lunch", ME)
    assert client.asked() == []


def test_a_reconnect_asks_for_what_is_wanted_subscriptions_first_and_forgets_the_rest(
    client: Client,
) -> None:
    client.watch(ConversationView.of("lunch"))
    client.registry.release(client.watch(UserView.of("carol")), 0)
    client.asked()
    client.world.cut()
    client.registry.disconnected()
    assert ConversationView.of("lunch").show(client.registry.state) is UNSET
    assert client.registry.take().asks == ()
    client.registry.connected(1)
    assert client.asked() == [
        "SUBSCRIBE /me/conversations/lunch",
        "SUBSCRIBE /me/conversations/lunch/messages",
        "SUBSCRIBE /users",
        "GET /me/conversations/lunch",
        "GET /users",
    ]


def test_a_read_that_fails_ends_every_lease_that_needs_it_and_no_other(client: Client) -> None:
    lunch, other = ConversationView.of("lunch"), UnreadView.of("dinner")
    lease = client.registry.acquire(lunch.key, 1, 0)
    client.registry.acquire(other.key, 1, 0)
    error = BadRequest("NO")
    client.world.faults[wire.GET_USERS] = error
    client.world.receive(client.registry.take().asks)
    failed = list[object]()
    while client.world.frames or client.world.pending:
        if not client.world.frames:
            client.world.answer()
        client.world.deliver(client.registry)
        work = client.registry.take()
        failed += work.failed
        client.world.receive(work.asks)
    assert failed == [(lunch.key, error)]
    client.registry.release(lease, 0)
    assert client.show(other) == client.world.unread("dinner")
    client.world.faults.clear()
    client.registry.expire(10)
    client.watch(lunch)
    assert client.show(lunch) == client.world.conversation("lunch")


def test_a_subscription_that_is_refused_ends_the_leases_that_need_it(client: Client) -> None:
    error = Forbidden("NO")
    client.world.faults[wire.WATCH_MESSAGES] = error
    view = MessagesView.of("lunch", 3)
    client.registry.acquire(view.key, view.size, 0)
    client.registry.acquire(UnreadView.of("lunch").key, 1, 0)
    client.world.receive(client.registry.take().asks)
    while client.world.frames:
        client.world.deliver(client.registry)
    assert client.registry.take().failed == [(view.key, error)]


def test_a_stranger_that_cannot_be_read_ends_the_lists(client: Client) -> None:
    client.world.edit_side("dinner", is_unread=False)
    view = ListView.of(ConversationFilter(is_unread=True), 5)
    client.watch(view)
    error = BadRequest("NO")
    client.world.faults[wire.GET_CONVERSATION] = error
    client.world.edit_side("dinner", is_unread=True)
    client.world.deliver(client.registry)
    client.world.receive(client.registry.take().asks)
    client.world.answer()
    client.world.deliver(client.registry)
    assert client.registry.take().failed == [(view.key, error)]


def test_reads_that_may_not_be_seen_are_none(client: Client) -> None:
    for endpoint in (wire.GET_CONVERSATION, wire.GET_CONVERSATIONS, wire.GET_MESSAGES):
        client.world.faults[endpoint] = Forbidden("NO")
    client.world.faults[wire.GET_USERS] = Forbidden("NO")
    views: tuple[View[Any], ...] = (  # of several types
        ConversationView.of("lunch"),
        MessagesView.of("lunch", 3),
        UserView.of("bob"),
    )
    for view in views:
        client.watch(view)
        assert view.show(client.registry.state) is None
    client.watch(TotalView.of())
    assert client.show(TotalView.of()) == 0
    client.watch(ListView.of(ALL, 3))
    assert client.show(ListView.of(ALL, 3)).items == ()


def test_equal_filters_share_a_key() -> None:
    one = ConversationFilter(custom={"a": "exists", "b": ("==", "x")})
    two = ConversationFilter(custom={"b": ("==", "x"), "a": "exists"})
    assert ListKey.of(one) == ListKey.of(two)
    assert hash(ListKey.of(one)) == hash(ListKey.of(two))
    assert hash(ListKey.of(("any", (one,)))) == hash(ListKey.of(("any", (two,))))


@pytest.mark.parametrize("linger", [0.0, 10.0])
def test_a_conversation_that_cannot_be_read_fails_once(world: World, linger: float) -> None:
    client = Client(world, linger)
    error = BadRequest("NO")
    world.faults[wire.GET_CONVERSATION] = error
    view = ConversationView.of("lunch")
    client.registry.acquire(view.key, 1, 0)
    world.receive(client.registry.take().asks)
    world.frames.clear()
    world.answer()
    world.deliver(client.registry)
    work = client.registry.take()
    assert work.failed == [(view.key, error)]
    assert [ask.endpoint.method for ask in work.asks] == ["UNSUBSCRIBE"] * 2


def test_without_linger_everything_leaves_at_once(world: World) -> None:
    client = Client(world, linger=0.0)
    lease = client.watch(ConversationView.of("lunch"))
    client.asked()
    client.registry.release(lease, 0)
    assert len(client.asked()) == 3
    assert client.registry.deadline is None


def test_an_answer_that_comes_after_the_release_is_ignored(client: Client) -> None:
    view = UserView.of("bob")
    lease = client.registry.acquire(view.key, 1, 0)
    client.world.receive(client.registry.take().asks)
    client.registry.release(lease, 0)
    client.registry.expire(10)
    client.settle()
    assert view.show(client.registry.state) is UNSET


def test_a_list_that_conversations_keep_rising_in_does_not_grow(client: Client) -> None:
    for number in range(6):
        client.world.join(f"c{number}")
    lease = client.watch(ListView.of(ALL, 2))
    for number in range(6):
        client.world.say(f"c{number}", "bob")
        client.settle()
        assert client.show(ListView.of(ALL, 2)) == client.world.listed(ALL, 2)
    assert ListView.of(ALL, 5).show(client.registry.state) is UNSET
    client.registry.resize(lease, 5, 0)
    client.settle()
    assert client.show(ListView.of(ALL, 5)) == client.world.listed(ALL, 5)


def test_what_waited_for_a_list_is_read_when_the_list_leaves_first(world: World) -> None:
    client = Client(world, linger=0.0)
    lunch, listed = ConversationView.of("lunch"), ListView.of(ALL, 5)
    client.watch(lunch)
    lease = client.watch(listed)
    world.cut()
    client.registry.connected(0)
    world.receive(client.registry.take().asks)
    client.registry.release(lease, 0)
    client.settle()
    assert client.show(lunch) == world.conversation("lunch")


def test_what_is_let_go_while_there_is_no_connection_leaves_nothing(world: World) -> None:
    registry = Registry(ME, linger=0)
    for number in range(100):
        view = UserView.of(f"user {number}")
        registry.release(registry.acquire(view.key, 1, 0), 0)
    registry.connected(0)
    assert registry.take().asks == ()
    client = Client(world, linger=0)
    client.registry.disconnected()
    kept = client.registry.acquire(UserView.of("bob").key, 1, 0)
    client.registry.release(client.registry.acquire(UserView.of("bob").key, 1, 0), 0)
    client.registry.connected(0)
    assert client.asked() == ["SUBSCRIBE /users", "GET /users"]
    client.registry.release(kept, 0)


def test_a_list_waits_for_what_i_wrote_into_it_and_not_for_what_others_did(client: Client) -> None:
    client.world.edit_side("dinner", is_unread=False)
    client.world.edit_side("lunch", is_unread=False)
    view = ListView.of(ConversationFilter(is_unread=True), 5)
    client.watch(view)
    client.world.edit_side("dinner", is_unread=True)
    client.world.deliver(client.registry)
    assert client.show(view).items == ()
    client.registry.state.writing["lunch"] += 1
    client.world.edit_side("lunch", is_unread=True)
    client.world.deliver(client.registry)
    del client.registry.state.writing["lunch"]
    assert view.show(client.registry.state) is UNSET
    client.settle()
    assert {it.id for it in client.show(view).items} == {"lunch", "dinner"}
