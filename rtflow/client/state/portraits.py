"""Portraits: raw entities to the snapshots that users see, and diffs to changed entities.

Not here: which entities are known (state.py). Everything in a snapshot is frozen, all the way down.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from msgspec import UNSET, Struct, structs

from rtflow.model.content import (
    ActionButton,
    ActionLink,
    AutoLink,
    Block,
    CodeSpan,
    CustomEmoji,
    Mention,
    Node,
    TextBlock,
    plaintext,
)
from rtflow.model.entities import (
    Conversation,
    Message,
    Participant,
    ReactionDiff,
    ReactionSummary,
    User,
)
from rtflow.model.frozen import EMPTY, FrozenDict, merged
from rtflow.model.snapshots import (
    ConversationSnapshot,
    MessageSnapshot,
    ParticipantSnapshot,
    ReactionSummarySnapshot,
    ReferencedMessageSnapshot,
    UserSnapshot,
)

__all__ = [
    "conversation_snapshot",
    "frozen_content",
    "message_snapshot",
    "participant_snapshot",
    "patched",
    "referenced_snapshot",
    "user_snapshot",
]

E = TypeVar("E", bound=Struct)
NO_REACTION: Final = ReactionSummary(created_at=0, count=0, current_user_reacted=False)


def patched(entity: E, diff: Struct) -> E:
    """Apply a diff: maps in it merge. Returns the entity itself if nothing differs."""
    changes: dict[str, object] = {}
    for field in diff.__struct_fields__:
        value = getattr(diff, field)
        if value is UNSET:
            continue
        old = getattr(entity, field)
        if field == "custom":
            value = merged(old, value)
        elif field == "reactions":
            value = _reacted(old, value)
        if value != old:
            changes[field] = value
    return structs.replace(entity, **changes) if changes else entity


def user_snapshot(user: User) -> UserSnapshot:
    """What users see of a user."""
    return UserSnapshot(
        id=user.id,
        name=user.name,
        custom=_frozen(user.custom),
        locale=user.locale,
        photo_url=user.photo_url,
        role=user.role,
        welcome_message=user.welcome_message,
    )


def message_snapshot(
    message: Message,
    sender: UserSnapshot | None,
    referenced: ReferencedMessageSnapshot | None = None,
) -> MessageSnapshot:
    """What users see of a message."""
    return MessageSnapshot(
        id=message.id,
        type=message.type,
        sender=sender,
        content=frozen_content(message.content),
        plaintext=plaintext(message.content),
        custom=_frozen(message.custom),
        created_at=message.created_at,
        edited_at=message.edited_at,
        origin=message.origin,
        referenced_message=referenced,
        reactions=_reactions(message),
    )


def referenced_snapshot(message: Message, sender: UserSnapshot | None) -> ReferencedMessageSnapshot:
    """What users see of a message where another one replies to it."""
    return ReferencedMessageSnapshot(
        id=message.id,
        type=message.type,
        sender=sender,
        content=frozen_content(message.content),
        plaintext=plaintext(message.content),
        custom=_frozen(message.custom),
        created_at=message.created_at,
        edited_at=message.edited_at,
        origin=message.origin,
        referenced_message_id=message.referenced_message_id,
        reactions=_reactions(message),
    )


def _reacted(
    known: Mapping[str, ReactionSummary], diff: Mapping[str, ReactionDiff | None]
) -> dict[str, ReactionSummary]:
    """Merge what changed, emoji by emoji. What is new and does not come whole is left out."""
    found = dict(known)
    for emoji, change in diff.items():
        if change is None or change.count == 0:
            found.pop(emoji, None)
        elif emoji in found:
            found[emoji] = patched(found[emoji], change)
        elif UNSET not in (change.created_at, change.count, change.current_user_reacted):
            found[emoji] = structs.replace(NO_REACTION, **structs.asdict(change))
    return found


def _reactions(message: Message) -> tuple[ReactionSummarySnapshot, ...]:
    order = sorted(message.reactions.items(), key=lambda item: (item[1].created_at, item[0]))
    return tuple(
        ReactionSummarySnapshot(
            emoji=emoji, count=it.count, current_user_reacted=it.current_user_reacted
        )
        for emoji, it in order
    )


def conversation_snapshot(it: Conversation, last: MessageSnapshot | None) -> ConversationSnapshot:
    """What users see of a conversation."""
    return ConversationSnapshot(
        id=it.id,
        subject=it.subject,
        photo_url=it.photo_url,
        welcome_messages=it.welcome_messages,
        custom=_frozen(it.custom),
        created_at=it.created_at,
        joined_at=it.joined_at,
        last_message_at=it.created_at if last is None else it.last_message_at,
        last_message=last,
        unread_message_count=it.unread_message_count,
        is_unread=it.is_unread,
        read_until=it.read_until,
        everyone_read_until=it.everyone_read_until,
        access=it.access,
        notify=it.notify,
    )


def participant_snapshot(it: Participant, user: UserSnapshot | None) -> ParticipantSnapshot:
    """What users see of a membership."""
    return ParticipantSnapshot(
        user=user, access=it.access, notify=it.notify, joined_at=it.joined_at
    )


def _frozen(custom: dict[str, str]) -> FrozenDict[str, str]:
    return FrozenDict(custom) if custom else EMPTY


def frozen_content(content: tuple[Block, ...]) -> tuple[Block, ...]:
    """Return the content of a message so that nothing in it can be changed."""
    return tuple(map(_frozen_block, content))


def _frozen_block(block: Block) -> Block:
    if isinstance(block, TextBlock) and not all(isinstance(child, str) for child in block.children):
        try:
            return structs.replace(block, children=tuple(map(_frozen_node, block.children)))
        except RecursionError:  # nobody means it; one message must not cost the session
            return TextBlock((plaintext((block,)),))
    return block


def _frozen_node(node: Node) -> Node:
    match node:
        case str() | AutoLink() | CodeSpan() | CustomEmoji() | Mention():
            return node
        case ActionLink() | ActionButton():
            children = tuple(map(_frozen_node, node.children))
            return structs.replace(node, params=FrozenDict(node.params), children=children)
        case _:
            return structs.replace(node, children=tuple(map(_frozen_node, node.children)))
