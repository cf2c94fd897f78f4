"""What a client should see of a world, whatever it looks at."""

from typing import Any

from rtflow.client.state.keys import (
    ConversationKey,
    ListKey,
    MessageKey,
    MessagesKey,
    OnlineKey,
    ParticipantKey,
    ParticipantsKey,
    ReactionsKey,
    SideKey,
    TotalKey,
    TypingKey,
    UserKey,
)
from rtflow.client.state.portraits import participant_snapshot
from rtflow.client.state.views import View
from rtflow.model.entities import Participant
from rtflow.model.snapshots import (
    MessageSnapshot,
    ParticipantSnapshot,
    ReactionSnapshot,
    TypingSnapshot,
    UserOnlineSnapshot,
    Window,
)
from tests.client.world import World


def expected(world: World, view: View[Any]) -> object:  # of whatever type
    match view.key:
        case UserKey(id):
            return world.user(id)
        case OnlineKey(id):
            return online(world, id)
        case SideKey(id):
            return world.unread(id)
        case ConversationKey(id):
            return world.conversation(id)
        case MessagesKey(id):
            return world.window(id, view.size)
        case ListKey(filter):
            return world.listed(filter, view.size)
        case TotalKey():
            return world.total()
        case MessageKey() | ParticipantKey() | ParticipantsKey() | ReactionsKey() | TypingKey():
            return of_a_conversation(world, view) if is_in(world, view) else None
        case key:
            raise AssertionError(f"nobody looks at {key}")


def is_in(world: World, view: View[Any]) -> bool:
    id: str = getattr(view.key, "conversation", "")
    return id in world.conversations


def of_a_conversation(world: World, view: View[Any]) -> object:
    match view.key:
        case MessageKey(id, message):
            return single(world, id, message)
        case ParticipantKey(id, user):
            found = world.members[id].get(user)
            return participant(world, found) if found else None
        case ParticipantsKey(id):
            members = sorted(world.members[id].values(), key=lambda it: (-it.joined_at, it.id))
            return window([participant(world, it) for it in members], view.size)
        case ReactionsKey(id, message, emoji):
            if world.find(id, message) is None:
                return None
            found_ = world.reactions[id, message, emoji].items()
            inorder = sorted(found_, key=lambda it: (it[1], it[0]))
            people = [ReactionSnapshot(user=world.user(u), created_at=at) for u, at in inorder]
            return window(people, view.size)
        case TypingKey(id):
            return typing(world, id)
        case key:
            raise AssertionError(f"nobody looks at {key}")


def single(world: World, id: str, message: str) -> MessageSnapshot | None:
    found = world.find(id, message)
    return world.shown(id, found) if found else None


def participant(world: World, it: Participant) -> ParticipantSnapshot:
    return participant_snapshot(it, world.user(it.id))


def online(world: World, id: str) -> UserOnlineSnapshot | None:
    user = world.user(id)
    return UserOnlineSnapshot(user=user, is_connected=id in world.online) if user else None


def typing(world: World, id: str) -> TypingSnapshot:
    writers = world.typing(id)
    since = writers.users_typing or {}
    people = [world.user(user) for user in sorted(since, key=lambda it: (since[it], it))]
    return TypingSnapshot(many=writers.many, users=tuple(it for it in people if it is not None))


def window(items: list[Any], n: int) -> Window[Any]:
    return Window(tuple(items[:n]), len(items) <= n)
