"""Random but valid values of the model, for the property tests of the wire."""

from hypothesis import strategies as st
from msgspec import UNSET

from rtflow.model import content, entities, events, params

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
times = st.integers(0, 2**41)
custom = st.dictionaries(ids, text, max_size=3)
custom_diff = st.dictionaries(ids, text | st.none(), max_size=3) | st.none() | st.just(UNSET)
maybe = text | st.none()
changed = maybe | st.just(UNSET)


def _nested(children: st.SearchStrategy[content.Node]) -> st.SearchStrategy[content.Node]:
    several = st.lists(children, max_size=3).map(tuple)
    return st.one_of(
        st.builds(content.Bold, several),
        st.builds(content.Italic, several),
        st.builds(content.BulletList, several),
        st.builds(content.Link, text, several),
        st.builds(content.ActionButton, ids, custom, several),
    )


leaves = st.one_of(
    text,
    st.builds(content.AutoLink, text, text),
    st.builds(content.CodeSpan, text),
    st.builds(content.Mention, ids, text),
)
nodes: st.SearchStrategy[content.Node] = st.recursive(leaves, _nested, max_leaves=6)
blocks = st.builds(content.TextBlock, st.lists(nodes, max_size=3).map(tuple))
contents = st.lists(blocks, min_size=1, max_size=2).map(tuple)

users = st.builds(
    entities.User,
    id=ids,
    name=text,
    role=ids,
    custom=custom,
    locale=maybe,
    photo_url=maybe,
    welcome_message=maybe,
)
messages = st.builds(
    entities.Message,
    id=ids,
    sender_id=maybe,
    custom=custom,
    created_at=times,
    edited_at=times | st.none(),
    content=contents,
)
conversations = st.builds(
    entities.Conversation,
    id=ids,
    subject=maybe,
    photo_url=maybe,
    welcome_messages=st.lists(text, max_size=2).map(tuple),
    custom=custom,
    created_at=times,
    joined_at=times,
    last_message_at=times,
    unread_message_count=st.integers(0, 99),
    is_unread=st.booleans(),
    read_until=times,
    everyone_read_until=times,
    access=st.sampled_from(["Read", "ReadWrite"]),
    notify=st.sampled_from([True, False, "MentionsOnly"]),
    last_message=messages | st.none() | st.just(UNSET),
)
conversation_diffs = st.builds(
    events.ConversationDiff, subject=changed, photo_url=changed, custom=custom_diff
)
side_diffs = st.builds(
    events.SideDiff,
    last_message_at=times | st.just(UNSET),
    unread_message_count=st.integers(0, 99) | st.just(UNSET),
    is_unread=st.booleans() | st.just(UNSET),
    read_until=times | st.just(UNSET),
)
user_diffs = st.builds(events.UserDiff, name=text | st.just(UNSET), custom=custom_diff)
known_events: st.SearchStrategy[events.Event] = st.one_of(
    st.builds(events.UserCreated, user_id=ids, state=users),
    st.builds(events.UserEdited, user_id=ids, diff=user_diffs),
    st.builds(events.SideCreated, conversation_id=ids, state=conversations),
    st.builds(events.SideEdited, conversation_id=ids, diff=side_diffs),
    st.builds(events.SideDeleted, conversation_id=ids),
    st.builds(events.ConversationEdited, conversation_id=ids, diff=conversation_diffs),
    st.builds(events.MessageCreated, conversation_id=ids, message_id=ids, state=messages),
    st.builds(events.MessageDeleted, conversation_id=ids, message_id=ids),
    st.builds(events.ParticipantDeleted, conversation_id=ids, user_id=ids),
)
create_users = st.builds(
    params.CreateUser,
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    custom=custom_diff,
    locale=ids | st.none() | st.just(UNSET),
    photo_url=changed,
)
