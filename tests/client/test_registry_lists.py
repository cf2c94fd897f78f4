"""Lists within a conversation: who is at their edges, how they grow, and pages that are refused."""

from typing import Any, TypeAlias

import pytest
from msgspec import UNSET, structs

from rtflow.client.state.views import (
    ListView,
    MessagesView,
    ParticipantsView,
    ReactionsView,
    TotalView,
    View,
)
from rtflow.errors import BadRequest
from rtflow.model.filters import ALL
from rtflow.model.snapshots import Window
from rtflow.wire import endpoints as wire
from tests.client.truth import expected
from tests.client.watcher import Client
from tests.client.world import ME

AnyView: TypeAlias = View[Any]  # of whatever type
LUNCH = "/me/conversations/lunch"


# Of people


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
        assert client.changed() <= {view.key}
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
    assert client.changed() == {lost.key}
    assert (client.show(lost), client.show(kept)) == (None, Window((), True))
    client.world.clear("lunch")
    assert client.changed() == {kept.key}


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
