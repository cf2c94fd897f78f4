"""What a message may say: text that is neither blank, nor too long, nor too deep.

Not here: what blocks and nodes are (rtflow.model.content).
"""

from typing import Final

from rtflow.errors import BadRequest
from rtflow.model.content import (
    AutoLink,
    Block,
    CodeSpan,
    CustomEmoji,
    Mention,
    Node,
    TextBlock,
)
from rtflow.wire.codec import encode

__all__ = ["checked_content"]

MOST_DEPTH: Final = 20  # nodes inside nodes
BYTES_PER_CHARACTER: Final = 10  # of JSON, for text with its mark-up, links and parameters,
MARKUP_BYTES: Final = 1_000  # and so many besides


def checked_content(content: tuple[Block, ...], most_characters: int) -> str:
    """Return the content as JSON. Raises `BadRequest` for what nobody may say."""
    texts: list[str] = []
    spoken = [block for block in content if isinstance(block, TextBlock)]
    open_nodes: list[tuple[int, Node]] = [(1, node) for block in spoken for node in block.children]
    while open_nodes:  # not recursive: the depth is what is to be found out
        depth, node = open_nodes.pop()
        match node:
            case str():
                texts.append(node)
            case AutoLink() | CodeSpan() | CustomEmoji() | Mention():
                texts.append(node.text)
            case _ if depth == MOST_DEPTH:
                raise BadRequest(
                    "MESSAGE_TOO_DEEP", f"text nodes may be {MOST_DEPTH} deep inside each other"
                )
            case _:
                open_nodes += [(depth + 1, child) for child in node.children]
    length = sum(map(len, texts))
    if length > most_characters:
        raise BadRequest(
            "MESSAGE_TOO_LONG", f"a message may have {most_characters} characters, not {length}"
        )
    if len(spoken) == len(content) and not any(text.strip() for text in texts):
        raise BadRequest("EMPTY_MESSAGE", "a message needs some text that is not blank")
    encoded = encode(content)
    most_bytes = most_characters * BYTES_PER_CHARACTER + MARKUP_BYTES
    if len(encoded) > most_bytes:
        raise BadRequest(
            "MESSAGE_TOO_LONG", f"with its mark-up a message may have {most_bytes} bytes of JSON"
        )
    return encoded.decode()
