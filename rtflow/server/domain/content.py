"""What a message may say: text that is neither blank, nor too long, nor too deep; places on earth;
files that its sender has uploaded.

Whatever a client sends is looked at once, node by node and without recursion, so a hostile tree
costs what its bytes cost.

Not here: what blocks and nodes are (rtflow.model.content), uploads (files.py).
"""

from collections.abc import Sequence
from typing import Final

from rtflow.errors import BadRequest
from rtflow.model.content import (
    AutoLink,
    Block,
    CodeSpan,
    CustomEmoji,
    LocationBlock,
    Mention,
    Node,
    SendBlock,
    SendFileBlock,
    TextBlock,
)
from rtflow.server.domain.files import file_block
from rtflow.server.store.interface import Steps
from rtflow.wire.codec import encode

__all__ = ["checked_content"]

MOST_DEPTH: Final = 20  # nodes inside nodes
BYTES_PER_CHARACTER: Final = 10  # of JSON, for text with its mark-up, links and parameters,
MARKUP_BYTES: Final = 1_000  # and so many besides


def checked_content(
    actor: str, content: Sequence[SendBlock], most_characters: int
) -> Steps[tuple[Block, ...]]:
    """Return the blocks as they are stored. Refuses what nobody, or not the actor, may say."""
    texts = [block for block in content if isinstance(block, TextBlock)]
    _check_text(texts, most_characters, may_be_blank=len(texts) < len(content))
    blocks: list[Block] = []
    for block in content:
        match block:
            case TextBlock():
                blocks.append(block)
            case LocationBlock():
                _check_place(block)
                blocks.append(block)
            case SendFileBlock():
                blocks.append((yield from file_block(actor, block.file_token)))
    return tuple(blocks)


def _check_text(blocks: Sequence[TextBlock], most_characters: int, *, may_be_blank: bool) -> None:
    texts: list[str] = []
    open_nodes: list[tuple[int, Node]] = [(1, node) for block in blocks for node in block.children]
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
    if not may_be_blank and not any(text.strip() for text in texts):
        raise BadRequest("EMPTY_MESSAGE", "a message needs some text that is not blank")
    most_bytes = most_characters * BYTES_PER_CHARACTER + MARKUP_BYTES
    if len(encode(blocks)) > most_bytes:
        raise BadRequest(
            "MESSAGE_TOO_LONG", f"with its mark-up a message may have {most_bytes} bytes of JSON"
        )


def _check_place(place: LocationBlock) -> None:
    if not (-90 <= place.latitude <= 90 and -180 <= place.longitude <= 180):
        raise BadRequest(
            "INVALID_LOCATION",
            "a latitude is -90 to 90 degrees and a longitude -180 to 180,"
            f" not {place.latitude} and {place.longitude}",
        )
