"""Content: places, files and text in one message, and trees that somebody made to do harm."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from rtflow.errors import BadRequest
from rtflow.model.content import (
    AutoLink,
    Block,
    Bold,
    CodeSpan,
    CustomEmoji,
    FileBlock,
    LocationBlock,
    Mention,
    Node,
    SendBlock,
    SendFileBlock,
    TextBlock,
)
from rtflow.server.domain import content
from rtflow.server.domain.content import checked_content
from rtflow.server.domain.files import Stored, add_file
from rtflow.wire.codec import MAX_FRAME, encode
from rtflow.wire.endpoints import EDIT_MESSAGE, SEND_MESSAGE
from tests.server.domain.world import World, refused
from tests.wire.strategies import contents

HERE = LocationBlock(52.37, 4.9)


@pytest.fixture(autouse=True)
def files(world: World) -> None:
    """Ada has uploaded a picture, Bob a text."""
    for file in (
        Stored("t1", "ada", "", "cat.png", 16, "image/png", "image", 3, 4, None, "u"),
        Stored("t2", "bob", "", "é?.txt", 5, "text/plain", None, None, None, None, "u"),
    ):
        world.do(partial(add_file, file, world.now))


def check(world: World, *blocks: SendBlock, actor: str = "ada") -> tuple[Block, ...]:
    return world.ask(lambda: checked_content(actor, blocks, 10_000))


def test_a_place_and_a_text_stay_as_they_are_in_their_order(world: World) -> None:
    blocks = HERE, TextBlock(("here",)), LocationBlock(-90, 180)
    assert check(world, *blocks) == blocks


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        (90.1, 0),
        (-90.1, 0),
        (0, 180.1),
        (0, -180.1),
        (float("nan"), 0),
        (0, float("nan")),
        (float("inf"), 0),
        (0, float("-inf")),
    ],
)
def test_a_place_must_be_on_earth(world: World, latitude: float, longitude: float) -> None:
    with refused("400 INVALID_LOCATION"):
        check(world, TextBlock(("here",)), LocationBlock(latitude, longitude))


def test_a_token_becomes_the_file_that_was_uploaded(world: World) -> None:
    (picture,) = check(world, SendFileBlock("t1"))
    assert isinstance(picture, FileBlock)
    assert (picture.file_token, picture.filename, picture.size) == ("t1", "cat.png", 16)
    assert (picture.subtype, picture.width, picture.height) == ("image", 3, 4)
    (text,) = check(world, SendFileBlock("t2"), actor="bob")
    assert encode(text).decode().count("null") == 0, "what a file has not is absent"


@pytest.mark.parametrize("token", ["t2", "t3", "", "../t1", "x" * 10_000])
def test_only_the_own_files_can_be_sent(world: World, token: str) -> None:
    with refused("400 FILE_NOT_FOUND"):
        check(world, SendFileBlock("t1"), SendFileBlock(token))


@pytest.mark.parametrize("blank", [TextBlock(()), TextBlock((" \n",)), TextBlock((Bold(("",)),))])
def test_text_may_be_blank_beside_something_else_only(world: World, blank: TextBlock) -> None:
    check(world, blank, HERE)
    check(world, SendFileBlock("t1"), blank)
    with refused("400 EMPTY_MESSAGE"):
        check(world, blank, blank)


def texts(nodes: tuple[Node, ...]) -> list[str]:
    found: list[str] = []
    for node in nodes:
        if isinstance(node, str):
            found.append(node)
        elif isinstance(node, AutoLink | CodeSpan | CustomEmoji | Mention):
            found.append(node.text)
        else:
            found += texts(node.children)
    return found


@given(contents)
def test_what_is_short_and_not_blank_is_stored_as_it_was_sent(sent: tuple[TextBlock, ...]) -> None:
    checking = checked_content("ada", sent, 10_000)
    is_blank = not any(text.strip() for block in sent for text in texts(block.children))
    with pytest.raises(BadRequest if is_blank else StopIteration) as done:
        next(checking)  # text alone asks nothing of the database
    assert is_blank or getattr(done.value, "value", None) == sent


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=20))
def test_content_of_any_other_shape_is_refused(sent: Any) -> None:  # Any: JSON of any shape
    for endpoint in (SEND_MESSAGE, EDIT_MESSAGE):
        with pytest.raises(BadRequest, match="INVALID_PARAMETERS"):
            endpoint.decode_params(Raw(encode({"content": [sent]})))


def send(world: World, raw: Raw) -> None:
    check(world, *SEND_MESSAGE.decode_params(raw).content)


def nested(kind: str, depth: int) -> Raw:
    """Return the parameters of a message with nodes so deep inside each other."""
    opened = f'{{"type":"{kind}","children":[' * depth
    text = f'{{"type":"text","children":[{opened}"x"{"]}" * depth}]}}'
    return Raw(f'{{"content":[{text}]}}'.encode())


@pytest.mark.parametrize("kind", ["bold", "bulletlist"])  # the second is read a second time
@pytest.mark.parametrize("depth", [20, 21, *range(100, 1100, 23), 20_000])
def test_no_depth_is_too_much_to_be_refused(world: World, kind: str, depth: int) -> None:
    with pytest.raises(BadRequest) as no:
        send(world, nested(kind, depth))
    assert no.value.code in ("MESSAGE_TOO_DEEP", "INVALID_PARAMETERS")


@contextmanager
def counted_lines() -> Generator[list[int]]:
    """Count the lines of the module under test that run."""
    lines = [0]

    def trace(frame: FrameType, event: str, _arg: object) -> Any:  # Any: a trace function
        if frame.f_code.co_filename != content.__file__:
            return None
        lines[0] += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)


def bushy(size: int) -> Node:
    return Bold(tuple(Bold(("x", Bold(()))) for _ in range(size)))


def test_looking_at_a_tree_costs_by_its_nodes(world: World) -> None:
    costs: list[int] = []
    for size in (250, 500, 1_000):
        with counted_lines() as lines:
            check(world, TextBlock((bushy(size),)))
        costs.append(lines[0])
    assert costs[1] - costs[0] > 250, "they were counted"
    assert costs[2] - costs[1] == pytest.approx(2 * (costs[1] - costs[0]), rel=0.01)


@pytest.mark.parametrize("node", ['""', '"x"', '{"type":"bold","children":[]}', '{"type":"bold"}'])
def test_the_widest_tree_of_a_frame_is_refused(world: World, node: str) -> None:
    many = ",".join([node] * (MAX_FRAME // (len(node) + 1)))
    with pytest.raises(BadRequest):
        send(world, Raw(f'{{"content":[{{"type":"text","children":[{many}]}}]}}'.encode()))
