"""What a message says: blocks, and the tree of text nodes inside a text block (protocol.md 7.5).

Not here: markup (markup.py). Invariant: everything is frozen; children are tuples.
"""

from typing import Final, TypeAlias, cast

from msgspec import Struct

__all__ = [
    "ActionButton",
    "ActionLink",
    "AutoLink",
    "Block",
    "Bold",
    "BulletList",
    "BulletPoint",
    "CodeSpan",
    "CustomEmoji",
    "FileBlock",
    "Italic",
    "Link",
    "LocationBlock",
    "Mention",
    "Node",
    "SendBlock",
    "SendFileBlock",
    "Strikethrough",
    "TextBlock",
    "camel_cased",
    "plaintext",
]


class Tagged(Struct, frozen=True, tag_field="type", rename="camel", gc=False):
    """Base of all blocks and nodes. Unknown fields are ignored: a newer peer may send some."""


class Bold(Tagged, frozen=True, tag="bold"):
    """Bold text."""

    children: tuple["Node", ...]
    """What is in it."""


class Italic(Tagged, frozen=True, tag="italic"):
    """Italic text."""

    children: tuple["Node", ...]
    """What is in it."""


class Strikethrough(Tagged, frozen=True, tag="strikethrough"):
    """Text that is struck through."""

    children: tuple["Node", ...]
    """What is in it."""


class BulletList(Tagged, frozen=True, tag="bulletList"):
    """A list of bullet points."""

    children: tuple["Node", ...]
    """What is in it."""


class BulletPoint(Tagged, frozen=True, tag="bulletPoint"):
    """One point of a bullet list."""

    children: tuple["Node", ...]
    """What is in it."""


class Link(Tagged, frozen=True, tag="link"):
    """A text that leads to a URL."""

    url: str
    """Where it leads."""

    children: tuple["Node", ...]
    """What is in it."""


class ActionLink(Tagged, frozen=True, tag="actionLink"):
    """A link that asks the application to do something."""

    action: str
    """What to do: a name that the application knows."""

    params: dict[str, str]
    """What the application is told besides."""

    children: tuple["Node", ...]
    """What is in it."""


class ActionButton(Tagged, frozen=True, tag="actionButton"):
    """A button that asks the application to do something."""

    action: str
    """What to do: a name that the application knows."""

    params: dict[str, str]
    """What the application is told besides."""

    children: tuple["Node", ...]
    """What is in it."""


class AutoLink(Tagged, frozen=True, tag="autoLink"):
    """A URL, mail address or phone number found in plain text."""

    url: str
    """Where it leads."""

    text: str
    """What was found."""


class CodeSpan(Tagged, frozen=True, tag="codeSpan"):
    """Text as it is, in a fixed-width face."""

    text: str
    """The text."""


class CustomEmoji(Tagged, frozen=True, tag="customEmoji"):
    """An emoji of the application."""

    text: str
    """Its name."""


class Mention(Tagged, frozen=True, tag="mention"):
    """A user who is spoken to."""

    id: str
    """The user's id."""

    text: str
    """The name that is shown."""


Node: TypeAlias = (
    str
    | Bold
    | Italic
    | Strikethrough
    | BulletList
    | BulletPoint
    | Link
    | ActionLink
    | ActionButton
    | AutoLink
    | CodeSpan
    | CustomEmoji
    | Mention
)
"""A `str`, or text with a meaning, which may hold other nodes."""


class TextBlock(Tagged, frozen=True, tag="text"):
    """A run of text."""

    children: tuple[Node, ...]
    """Strings and nodes, one after the other."""


class FileBlock(Tagged, frozen=True, kw_only=True, tag="file", omit_defaults=True):
    """A file."""

    file_token: str
    """Names the file, to send it once more."""

    url: str
    """Where it can be fetched."""

    size: int
    """Its size in bytes."""

    filename: str
    """Its name."""

    subtype: str | None = None
    """What is in it: `image`, `video`, `audio` or `voice`; None: something else."""

    width: int | None = None
    """Of an image or a video, in pixels, if known."""

    height: int | None = None
    """Of an image or a video, in pixels, if known."""

    duration: float | None = None
    """Of a video, a sound or a voice, in seconds, if known."""


class LocationBlock(Tagged, frozen=True, tag="location"):
    """A place on earth."""

    latitude: float
    """Degrees north of the equator."""

    longitude: float
    """Degrees east of Greenwich."""


Block: TypeAlias = TextBlock | FileBlock | LocationBlock
"""A part of what a message says: a `TextBlock`, a `FileBlock` or a `LocationBlock`."""


class SendFileBlock(Tagged, frozen=True, tag="file"):
    """A file to send. The server makes a `FileBlock` of it."""

    file_token: str
    """The token that its upload gave."""


SendBlock: TypeAlias = TextBlock | SendFileBlock | LocationBlock
"""What can be sent: a `TextBlock`, a `SendFileBlock` or a `LocationBlock`."""


def plaintext(content: tuple[Block, ...]) -> str:
    r"""Return the text of a message without its markup, as the official client does.

    Blocks are two newlines apart. A mention is `@NAME`; each point of a list is `- TEXT` on a line
    of its own. A file is a sign of its kind and its name, a voice message `\N{STUDIO MICROPHONE}`
    and how long it is, a location `\N{ROUND PUSHPIN}`.
    """
    return "\n\n".join(map(_block_text, content))


def _block_text(block: Block) -> str:
    match block:
        case TextBlock():
            return _text(block.children)
        case FileBlock(subtype="voice", duration=duration):
            if duration is None:
                return VOICE
            minutes, seconds = divmod(int(duration), 60)
            return f"{VOICE} ({minutes}:{seconds:02})"
        case FileBlock():
            return f"{SIGNS.get(block.subtype, OTHER_FILE)} {block.filename}"
        case LocationBlock():
            return PLACE


VOICE: Final = "\N{STUDIO MICROPHONE}\N{VARIATION SELECTOR-16}"
SIGNS: Final[dict[str | None, str]] = {
    "image": "\N{CAMERA}",
    "video": "\N{MOVIE CAMERA}",
    "audio": "\N{HEADPHONE}",
}
OTHER_FILE: Final = "\N{PAPERCLIP}"
PLACE: Final = "\N{ROUND PUSHPIN}"


def _text(children: tuple[Node, ...]) -> str:
    parts: list[str] = []
    open_nodes: list[Node] = [*reversed(children)]
    while open_nodes:  # not recursive: what others have sent may be deep
        node = open_nodes.pop()
        match node:
            case str():
                parts.append(node)
            case BulletList():
                parts.append("\n")
                open_nodes += reversed(node.children)
            case BulletPoint():
                parts.append("- ")
                open_nodes += ("\n", *reversed(node.children))
            case Mention():
                parts.append(f"@{node.text}")
            case AutoLink() | CodeSpan() | CustomEmoji():
                parts.append(node.text)
            case _:
                open_nodes += reversed(node.children)
    return "".join(parts)


_CAMEL = {
    "autolink": "autoLink",
    "bulletlist": "bulletList",
    "bulletpoint": "bulletPoint",
    "codespan": "codeSpan",
    "customemoji": "customEmoji",
    "actionlink": "actionLink",
    "actionbutton": "actionButton",
}


def camel_cased(tree: object) -> object:
    """Return decoded JSON with the lower-case node types of the official client's parser put right.

    Its reader knows only the camelCase ones, so a server must accept both and send one
    (protocol.md 7.5).
    """
    match tree:
        case list():
            return [camel_cased(item) for item in cast("list[object]", tree)]
        case dict():
            items = cast("dict[str, object]", tree).items()
            return {
                key: _CAMEL.get(value, value)
                if key == "type" and isinstance(value, str)
                else camel_cased(value)
                if key in ("children", "content")
                else value
                for key, value in items
            }
        case _:
            return tree
