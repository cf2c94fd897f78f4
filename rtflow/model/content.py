"""What a message says: blocks, and the tree of text nodes inside a text block (protocol.md 7.5).

Not here: markup (markup.py). Invariant: everything is frozen; children are tuples.
"""

from typing import Final, TypeAlias, cast

from msgspec import UNSET, Struct, UnsetType

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


class Tagged(Struct, frozen=True, tag_field="type", rename="camel"):
    """Base of all blocks and nodes. Unknown fields are ignored: a newer peer may send some."""


class Bold(Tagged, frozen=True, tag="bold"):
    """Bold text."""

    children: tuple["Node", ...]


class Italic(Tagged, frozen=True, tag="italic"):
    """Italic text."""

    children: tuple["Node", ...]


class Strikethrough(Tagged, frozen=True, tag="strikethrough"):
    """Text that is struck through."""

    children: tuple["Node", ...]


class BulletList(Tagged, frozen=True, tag="bulletList"):
    """A list of bullet points."""

    children: tuple["Node", ...]


class BulletPoint(Tagged, frozen=True, tag="bulletPoint"):
    """One point of a bullet list."""

    children: tuple["Node", ...]


class Link(Tagged, frozen=True, tag="link"):
    """A text that leads to a URL."""

    url: str
    children: tuple["Node", ...]


class ActionLink(Tagged, frozen=True, tag="actionLink"):
    """A link that asks the application to do something."""

    action: str
    params: dict[str, str]
    children: tuple["Node", ...]


class ActionButton(Tagged, frozen=True, tag="actionButton"):
    """A button that asks the application to do something."""

    action: str
    params: dict[str, str]
    children: tuple["Node", ...]


class AutoLink(Tagged, frozen=True, tag="autoLink"):
    """A URL, mail address or phone number found in plain text."""

    url: str
    text: str


class CodeSpan(Tagged, frozen=True, tag="codeSpan"):
    """Text as it is, in a fixed-width face."""

    text: str


class CustomEmoji(Tagged, frozen=True, tag="customEmoji"):
    """An emoji of the application, by its name."""

    text: str


class Mention(Tagged, frozen=True, tag="mention"):
    """A user who is spoken to: `id` the user's, `text` the name shown."""

    id: str
    text: str


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


class TextBlock(Tagged, frozen=True, tag="text"):
    """A run of text."""

    children: tuple[Node, ...]


class FileBlock(Tagged, frozen=True, kw_only=True, tag="file"):
    """A file. `size` is bytes, `width` and `height` pixels, `duration` seconds."""

    file_token: str
    url: str
    size: int
    filename: str
    subtype: str | UnsetType = UNSET
    width: int | UnsetType = UNSET
    height: int | UnsetType = UNSET
    duration: float | UnsetType = UNSET


class LocationBlock(Tagged, frozen=True, tag="location"):
    """A place on earth, in degrees."""

    latitude: float
    longitude: float


Block: TypeAlias = TextBlock | FileBlock | LocationBlock


class SendFileBlock(Tagged, frozen=True, tag="file"):
    """A file to send, by the token that its upload gave. The server makes a `FileBlock` of it."""

    file_token: str


SendBlock: TypeAlias = TextBlock | SendFileBlock | LocationBlock


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
            if duration is UNSET:
                return VOICE
            minutes, seconds = divmod(int(duration), 60)
            return f"{VOICE} ({minutes}:{seconds:02})"
        case FileBlock():
            return f"{SIGNS.get(block.subtype, OTHER_FILE)} {block.filename}"
        case LocationBlock():
            return PLACE


VOICE: Final = "\N{STUDIO MICROPHONE}\N{VARIATION SELECTOR-16}"
SIGNS: Final[dict[str | UnsetType, str]] = {
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
