"""Chat state that stays fresh: a realtime client built on Rx.

    async with rtflow.Session("http://localhost:8080", app_id="demo", user_id="alice") as session:
        lunch = session.conversation("lunch")
        print(await lunch.get())
        watching = lunch.unread.on(async_function)  # called with what is new
        async for snapshot in lunch:
            print(snapshot)

The server is `rtflow.server`, what a test-suite needs is in `rtflow.testing`.
"""

from rtflow.client.address import TALKJS
from rtflow.client.backoff import Backoff
from rtflow.client.live import Live
from rtflow.client.refs import (
    ConversationRef,
    Conversations,
    LiveWindow,
    MessageRef,
    Messages,
    ParticipantRef,
    Participants,
    ReactionsRef,
    UserRef,
)
from rtflow.client.refs.search import Search
from rtflow.client.session import Session
from rtflow.client.stats import Stats
from rtflow.client.stream import Stream
from rtflow.client.watching import Watching
from rtflow.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidFrame,
    MethodNotAllowed,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
    RequestRefused,
    RequestTimedOut,
    RtflowError,
    ServerFailed,
    SessionClosed,
    SessionExpired,
    TooManyRequests,
    Unauthorized,
)
from rtflow.model.content import (
    ActionButton,
    ActionLink,
    AutoLink,
    Block,
    Bold,
    BulletList,
    BulletPoint,
    CodeSpan,
    CustomEmoji,
    FileBlock,
    Italic,
    Link,
    LocationBlock,
    Mention,
    Node,
    SendBlock,
    SendFileBlock,
    Strikethrough,
    TextBlock,
)
from rtflow.model.filters import ConversationFilter, Filter
from rtflow.model.markup import parse as parse_markup
from rtflow.model.markup import to_markup
from rtflow.model.snapshots import (
    ConnectionState,
    ConversationSnapshot,
    MessageSnapshot,
    ParticipantSnapshot,
    ReactionSnapshot,
    ReactionSummarySnapshot,
    ReferencedMessageSnapshot,
    SearchMessageSnapshot,
    TranslatedMessage,
    TypingSnapshot,
    UserOnlineSnapshot,
    UserSnapshot,
    Window,
)

__all__ = [
    "TALKJS",
    "ActionButton",
    "ActionLink",
    "AutoLink",
    "Backoff",
    "BadRequest",
    "Block",
    "Bold",
    "BulletList",
    "BulletPoint",
    "CodeSpan",
    "Conflict",
    "ConnectionState",
    "ConversationFilter",
    "ConversationRef",
    "ConversationSnapshot",
    "Conversations",
    "CustomEmoji",
    "FileBlock",
    "Filter",
    "Forbidden",
    "InvalidFrame",
    "Italic",
    "Link",
    "Live",
    "LiveWindow",
    "LocationBlock",
    "Mention",
    "MessageRef",
    "MessageSnapshot",
    "Messages",
    "MethodNotAllowed",
    "Node",
    "NotFound",
    "OutcomeUnknown",
    "ParticipantRef",
    "ParticipantSnapshot",
    "Participants",
    "ProtocolError",
    "ReactionSnapshot",
    "ReactionSummarySnapshot",
    "ReactionsRef",
    "ReferencedMessageSnapshot",
    "RequestRefused",
    "RequestTimedOut",
    "RtflowError",
    "Search",
    "SearchMessageSnapshot",
    "SendBlock",
    "SendFileBlock",
    "ServerFailed",
    "Session",
    "SessionClosed",
    "SessionExpired",
    "Stats",
    "Stream",
    "Strikethrough",
    "TextBlock",
    "TooManyRequests",
    "TranslatedMessage",
    "TypingSnapshot",
    "Unauthorized",
    "UserOnlineSnapshot",
    "UserRef",
    "UserSnapshot",
    "Watching",
    "Window",
    "parse_markup",
    "to_markup",
]
