"""Everything pure of the client against a server in plain Python, in any order that may happen.

Whatever the order: once all is answered and delivered, every view shows the truth; and once nobody
wants anything, nothing is subscribed and nothing is kept.
"""

from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec import UNSET
from msgspec.structs import replace

from rtflow.client.registry import Lease, Registry
from rtflow.client.state.keys import Key, ListKey, MessagesKey, ParticipantsKey, ReactionsKey
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
    UnreadView,
    UserView,
    View,
)
from rtflow.model.filters import ALL, ConversationFilter, Filter
from tests.client.truth import expected
from tests.client.world import ME, Answered, World

AnyView: TypeAlias = View[Any]  # of whatever type

FILTERS: list[Filter] = [
    ALL,
    ConversationFilter(is_unread=True),
    ConversationFilter(subject=("==", "x")),
    ConversationFilter(has_messages=True),
    (
        "any",
        (ConversationFilter(access=("==", "Read")), ConversationFilter(custom={"k": "exists"})),
    ),
]
machine: st.SearchStrategy[Any] = st.runner()  # the Watching that runs
ids = machine.flatmap(lambda it: st.sampled_from(it.conversations))
indexes = machine.flatmap(lambda it: st.integers(0, it.most_messages - 1))
emojis = machine.flatmap(lambda it: st.sampled_from(it.marks))
people = st.sampled_from([ME, "bob", "carol", "dan"])
sizes = st.integers(1, 5)
lists: st.SearchStrategy[AnyView] = st.one_of(
    st.builds(ListView.of, st.sampled_from(FILTERS), sizes),
    st.just(TotalView.of()),
    ids.map(UnreadView.of),
    people.map(UserView.of),
    people.map(OnlineView.of),
)
within: st.SearchStrategy[AnyView] = st.one_of(
    ids.map(ConversationView.of),
    st.builds(MessagesView.of, ids, sizes),
    st.builds(ParticipantView.of, ids, people),
    st.builds(ParticipantsView.of, ids, sizes),
    ids.map(TypingView.of),
)
views: st.SearchStrategy[AnyView] = machine.flatmap(lambda it: it.looks_at)
LINGER = 10.0


class Watching(RuleBasedStateMachine):
    """A registry and a world, with the wire between them in our hands."""

    conversations: Sequence[str] = ("a", "b", "c", "d")
    most_messages = 10
    marks: Sequence[str] = ("+", "-")
    looks_at: st.SearchStrategy[AnyView] = lists | within

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.leases: list[tuple[AnyView, Lease]] = []
        self.seen: dict[Lease, object] = {}  # what an observer was shown last

    @initialize(
        expand=st.booleans(),
        linger=st.sampled_from([0.0, LINGER]),
        watched=st.lists(views, min_size=2, max_size=4),
    )
    def begin(self, expand: bool, linger: float, watched: list[AnyView]) -> None:
        self.world = World(expand=expand)
        self.registry = Registry(ME, linger=linger)
        self.registry.connected(self.now)
        for id in ("bob", "carol"):
            self.world.put_user(id, id)
        for id in self.conversations[:3]:
            self.world.join(id)
            self.world.enter(id, "bob")
            for sender in ("bob", ME, None, "carol"):
                self.world.say(id, sender)
        for view in watched:
            self.acquire(view)
        self.settle()

    def send(self) -> None:
        work = self.registry.take()
        assert not work.failed
        self.look(work.changed)
        if self.registry.is_live:
            self.world.receive(work.asks)
        else:
            assert not work.asks

    def look(self, keys: Collection[Key]) -> None:
        """Be an observer of these keys: look at them again, because they have changed."""
        for view, lease in self.leases:
            if view.key in keys and (shown := view.show(self.registry.state)) is not UNSET:
                self.seen[lease] = shown

    # The client

    @precondition(lambda self: len(self.leases) < 6)
    @rule(view=views)
    def acquire(self, view: AnyView) -> None:
        self.leases.append((view, self.registry.acquire(view.key, view.size, self.now)))
        self.send()
        self.look((view.key,))

    @precondition(lambda self: len(self.leases) < 6)
    @rule(id=ids, index=indexes, emoji=st.one_of(st.none(), emojis), size=sizes)
    def acquire_a_message(self, id: str, index: int, emoji: str | None, size: int) -> None:
        """One message, or who reacted to it."""
        message = self.world.message(id, index)
        name = "m0" if message is None else message.id
        if emoji is None:
            self.acquire(MessageView.of(id, name))
        else:
            self.acquire(ReactionsView.of(id, name, emoji, size))

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.leases) - 1))
        _, lease = self.leases.pop(index)
        self.registry.release(lease, self.now)
        self.send()

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), more=st.integers(1, 4))
    def load_more(self, data: st.DataObject, more: int) -> None:
        index = data.draw(st.integers(0, len(self.leases) - 1))
        view, lease = self.leases[index]
        if isinstance(view.key, MessagesKey | ListKey | ParticipantsKey | ReactionsKey):
            view = replace(view, size=view.size + more)
        self.leases[index] = view, lease
        self.registry.resize(lease, view.size, self.now)
        self.send()
        self.look((view.key,))

    @rule(seconds=st.sampled_from([1.0, 4.0, 11.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.registry.expire(self.now)
        self.send()

    # The wire

    @precondition(lambda self: self.world.frames)
    @rule(frames=st.integers(1, 4), twice=st.booleans())
    def deliver(self, frames: int, twice: bool) -> None:
        for _ in range(min(frames, len(self.world.frames))):
            frame = self.world.frames[0]
            self.world.deliver(self.registry, self.now)
            self.send()
            if twice and not isinstance(frame, Answered):
                before = [view.show(self.registry.state) for view, _ in self.leases]
                self.registry.apply(frame, self.now)
                self.send()
                assert [view.show(self.registry.state) for view, _ in self.leases] == before

    @precondition(lambda self: self.world.pending)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        self.world.answer(data.draw(st.integers(0, len(self.world.pending) - 1)))

    @rule(is_noticed=st.booleans())
    def reconnect(self, is_noticed: bool) -> None:
        self.world.cut()
        if is_noticed:
            self.registry.disconnected()
            self.send()
        self.registry.connected(self.now)
        self.send()

    @rule()
    def settle(self) -> None:
        self.world.settle(self.registry, self.now, self.look)
        for view, lease in self.leases:
            shown: Any = view.show(self.registry.state)  # as the view says, and so is the truth
            truth: Any = expected(self.world, view)
            if truth is not None and getattr(shown, "loaded_all", True) is False:
                truth = replace(truth, loaded_all=False)  # what was beyond may be gone: unknown
            assert shown == truth, view
            assert self.seen[lease] == shown, view

    # The truth

    @rule(id=people, name=st.text(max_size=2))
    def put_user(self, id: str, name: str) -> None:
        self.world.put_user(id, name)

    @rule(id=people, is_connected=st.booleans())
    def connect(self, id: str, is_connected: bool) -> None:
        self.world.connect(id, is_connected)

    @rule(id=ids, announces_typing=st.booleans())
    def join(self, id: str, announces_typing: bool) -> None:
        self.world.join(id, announces_typing=announces_typing)

    @rule(id=ids, user=people, is_in=st.booleans())
    def enter_or_quit(self, id: str, user: str, is_in: bool) -> None:
        if is_in:
            self.world.enter(id, user)
        else:
            self.world.quit(id, user)

    @rule(id=ids, user=people, access=st.sampled_from(["Read", "ReadWrite"]))
    def edit_member(self, id: str, user: str, access: str) -> None:
        if user == ME:
            self.world.edit_me(id, access=access)
        else:
            self.world.edit_member(id, user, access=access)

    @rule(id=ids, user=people, is_writing=st.booleans())
    def write(self, id: str, user: str, is_writing: bool) -> None:
        self.world.write(id, user, is_writing)

    @rule(id=ids, index=indexes, user=people, emoji=emojis, is_added=st.booleans())
    def react(self, id: str, index: int, user: str, emoji: str, is_added: bool) -> None:
        self.world.react(id, index, user, emoji, is_added)

    @rule(id=ids)
    def leave(self, id: str) -> None:
        self.world.leave(id)

    @rule(id=ids, subject=st.sampled_from(["x", "y", None]))
    def edit(self, id: str, subject: str | None) -> None:
        self.world.edit(id, subject=subject)

    @rule(id=ids, value=st.sampled_from(["v", None]))
    def edit_custom(self, id: str, value: str | None) -> None:
        self.world.edit(id, custom={"k": value})

    @rule(id=ids, sender=st.one_of(st.none(), people), replies_to=st.one_of(st.none(), indexes))
    def say(self, id: str, sender: str | None, replies_to: int | None) -> None:
        self.world.say(id, sender, replies_to=replies_to)

    @rule(id=ids, index=indexes, text=st.text(max_size=2))
    def change(self, id: str, index: int, text: str) -> None:
        self.world.change(id, index, text)

    @rule(id=ids, index=indexes)
    def delete(self, id: str, index: int) -> None:
        self.world.delete(id, index)

    @rule(id=ids)
    def clear(self, id: str) -> None:
        self.world.clear(id)

    @rule(id=ids, is_unread=st.booleans())
    def mark(self, id: str, is_unread: bool) -> None:
        self.world.edit_side(id, unread_message_count=0, is_unread=is_unread)

    # The end

    def teardown(self) -> None:
        if not hasattr(self, "registry"):
            return
        self.settle()
        for _, lease in self.leases:
            self.registry.release(lease, self.now)
        self.registry.expire(self.now + LINGER)
        self.world.settle(self.registry)
        assert self.world.subscribed == []
        assert self.registry.deadline is None
        assert kept(self.registry) == {}


def kept(registry: Registry) -> dict[str, object]:
    """What is in the collections of a registry and its state."""
    rest = dict[str, object]()
    state = registry.state
    notes = state._notes  # pyright: ignore[reportPrivateUsage] - leaks hide there
    for part in (registry, notes, state.sides.known, *state.nouns):
        names = getattr(type(part), "__slots__", None) or vars(part)
        rest |= {f"{type(part).__name__}.{name}": getattr(part, name) for name in names}
    return {name: it for name, it in rest.items() if isinstance(it, dict | set | list) and it}


class WatchingOne(Watching):
    """All of it in one conversation, where the same messages meet again and again."""

    conversations = ("a",)
    most_messages = 3
    marks = ("+",)
    looks_at = within


TestWatching = Watching.TestCase
TestWatching.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestWatchingOne = WatchingOne.TestCase
TestWatchingOne.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
