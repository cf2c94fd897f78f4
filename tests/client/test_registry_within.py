"""What is watched within a conversation: messages and replies, reactions, people, typing, online.

In any order by the machine in test_registry_machine.py; here, what it costs and when it is told.
"""

from typing import Any, TypeAlias

import pytest
from msgspec import UNSET, structs

from rtflow.client.state.views import (
    ConversationView,
    MessagesView,
    MessageView,
    OnlineView,
    ParticipantsView,
    ParticipantView,
    ReactionsView,
    TypingView,
    View,
)
from rtflow.errors import Forbidden
from rtflow.model.events import OnlineDiff, ParticipantCreated, UserOnlineChanged
from rtflow.model.snapshots import MessageSnapshot, Window
from rtflow.wire import endpoints as wire
from tests.client.truth import expected
from tests.client.watcher import Client
from tests.client.world import ME, World

AnyView: TypeAlias = View[Any]  # of whatever type
LUNCH = "/me/conversations/lunch"


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
    assert client.changed() == {MessagesView.of("lunch", 2).key, view.key}
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
    assert view.key in client.changed()
    assert client.show(view) is None


def test_a_message_that_is_cleared_away_is_none(client: Client) -> None:
    view = MessageView.of("lunch", client.world.messages["lunch"][0].id)
    client.watch(view)
    client.asked()
    client.world.clear("lunch")
    assert client.changed() == {view.key}
    assert client.show(view) is None
    assert client.asked() == []


def test_whoever_waits_for_a_message_sees_it_come(client: Client) -> None:
    coming = f"m{client.world.now() + 1}"
    one, reactions = MessageView.of("lunch", coming), ReactionsView.of("lunch", coming, "+", 2)
    client.watch(one)
    client.watch(reactions)
    assert (client.show(one), client.show(reactions)) == (None, None)
    client.world.say("lunch", "bob")
    assert client.changed() == {one.key, reactions.key}
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
    told = client.changed()
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
    assert client.changed() == {view.key}
    assert client.show(view) == expected(client.world, view)
    client.world.delete("lunch", 0)
    assert client.changed() == {view.key}
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
    assert client.changed() == {one.key}
    assert client.show(one) == expected(client.world, one)


def test_a_reply_in_a_list_is_read_with_what_it_refers_to(client: Client) -> None:
    client.world.say("lunch", "bob", "a reply", replies_to=0)
    view = ConversationView.of("lunch")
    client.watch(view)
    assert client.show(view) == expected(client.world, view)
    client.world.change("lunch", 0, "changed")
    assert client.changed() == {view.key}
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
    assert client.changed() == {view.key for view in watched}
    assert [client.show(view) for view in watched] == [None] * 5
    client.asked()
    client.world.join("lunch", announces_typing=False)
    assert client.changed() == {view.key for view in watched}
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
    client.changed()
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
    assert client.changed() == set()


# People


def test_a_participant_is_followed_through_coming_changing_and_going(client: Client) -> None:
    view = ParticipantView.of("lunch", "carol")
    client.watch(view)
    assert client.show(view) is None
    client.world.enter("lunch", "carol")
    assert client.changed() == {view.key}
    client.world.edit_member("lunch", "carol", access="Read")
    assert client.changed() == {view.key}
    assert client.show(view) == expected(client.world, view)
    client.world.put_user("carol", "Caroline")
    assert client.changed() == {view.key}
    assert client.show(view) == expected(client.world, view)
    client.world.quit("lunch", "carol")
    assert client.changed() == {view.key}
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
    assert client.changed() == {view.key}
    assert client.show(view) == expected(client.world, view)


def test_my_own_access_is_the_same_in_all_that_shows_it(client: Client) -> None:
    one, lunch = ParticipantView.of("lunch", ME), ConversationView.of("lunch")
    client.watch(one)
    client.watch(lunch)
    client.world.edit_me("lunch", access="Read", notify=False)
    assert client.changed() == {one.key, lunch.key}
    assert client.show(one) == expected(client.world, one)
    assert client.show(lunch) == expected(client.world, lunch)


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
    assert client.changed() == {view.key}
    assert client.show(view) == expected(client.world, view)
    client.world.connect("dan", is_connected=True)
    assert client.changed() == {view.key}
    assert client.show(view) == expected(client.world, view)
    client.world.put_user("dan", "Daniel")
    assert client.changed() == {view.key}
