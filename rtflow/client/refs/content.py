"""Content: what may be given to `send` and `edit`, as the blocks that travel.

Not here: what blocks are (rtflow.model.content), what a text means (rtflow.model.markup), what the
server allows.
"""

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

from rtflow.model.content import FileBlock, LocationBlock, SendBlock, SendFileBlock, TextBlock
from rtflow.model.markup import parse

__all__ = ["Content", "blocks_of"]

Content: TypeAlias = str | SendBlock | Sequence[SendBlock]
"""A text with markup, one block, or several. A file goes as the `SendFileBlock` of its token."""

BLOCKS: Final = (TextBlock, SendFileBlock, LocationBlock)


def blocks_of(given: Content, call: str, *, links: bool) -> tuple[SendBlock, ...]:
    """Return the blocks of a message. `links`: as for `rtflow.parse_markup`.

    Raises `TypeError` for what is no content, and `ValueError` for an empty one; both name `call`.
    """
    blocks: tuple[SendBlock, ...]
    match given:
        case str():
            nodes = parse(given, links=links)
            blocks = (TextBlock(nodes),) if nodes else ()
        case TextBlock() | SendFileBlock() | LocationBlock():
            blocks = (given,)
        case [*several]:
            blocks = tuple(several)
        case _:
            kind = type(given).__name__
            raise TypeError(f"{call}: a message is a str, a block or a list of blocks, not {kind}")
    if not blocks:
        raise ValueError(f"{call}: a message is not empty")
    for block in blocks:
        _check(block, call)
    return blocks


def _check(block: object, call: str) -> None:
    if isinstance(block, LocationBlock):
        _check_place(block, call)
    if isinstance(block, BLOCKS):
        return
    hint = (
        "; it was sent already: send SendFileBlock(block.file_token)"
        if isinstance(block, FileBlock)
        else ""
    )
    raise TypeError(
        f"{call}: a block is a TextBlock, SendFileBlock or LocationBlock, "
        f"not {type(block).__name__}{hint}"
    )


def _check_place(place: LocationBlock, call: str) -> None:
    """JSON has no "not a number", and no infinity."""
    for degrees in (place.latitude, place.longitude):
        if isinstance(degrees, float) and not math.isfinite(degrees):
            raise ValueError(f"{call}: a place has finite degrees, not {place!r}")
