"""Messages as trees, and as plain text."""

import pytest

from rtflow.model.content import (
    AutoLink,
    Bold,
    BulletList,
    BulletPoint,
    CodeSpan,
    FileBlock,
    Link,
    LocationBlock,
    TextBlock,
    camel_cased,
    plaintext,
)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ((), ""),
        ((TextBlock(("hello ", Bold(("you",)))),), "hello you"),
        ((TextBlock((Link("http://x", ("a ", CodeSpan("b"))),)),), "a b"),
        ((TextBlock((AutoLink("http://x", "x"),)),), "x"),
        ((TextBlock((BulletList((BulletPoint(("a",)), BulletPoint(("b",)))),)),), "- a\n- b"),
        ((TextBlock(("one",)), TextBlock(("two",))), "one\ntwo"),
        ((FileBlock(file_token="t", url="u", size=1, filename="a.txt"),), "a.txt"),
        ((LocationBlock(1.5, -2),), "1.5, -2"),
    ],
)
def test_plaintext_is_what_a_reader_would_say(content: tuple[TextBlock, ...], text: str) -> None:
    assert plaintext(content) == text


def test_only_types_of_nodes_are_renamed() -> None:
    sent = {"content": [{"type": "text", "children": [{"type": "bulletlist", "children": ["a"]}]}]}
    got = {"content": [{"type": "text", "children": [{"type": "bulletList", "children": ["a"]}]}]}
    assert camel_cased(sent) == got
    custom: dict[str, object] = {"custom": {"type": "autolink"}, "content": []}
    assert camel_cased(custom) == custom
