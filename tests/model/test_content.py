"""Messages as trees, and as plain text."""

import msgspec
import pytest

from rtflow.model.content import (
    AutoLink,
    Bold,
    BulletList,
    BulletPoint,
    CodeSpan,
    CustomEmoji,
    FileBlock,
    Link,
    LocationBlock,
    Mention,
    Node,
    TextBlock,
    camel_cased,
    plaintext,
)


def a_file(**fields: object) -> FileBlock:
    made = {"file_token": "t", "url": "u", "size": 1, "filename": "a.txt", **fields}
    return FileBlock(**made)  # type: ignore[arg-type]  # built from a dict


A_LIST = BulletList((BulletPoint(("a",)), BulletPoint((Bold(("b",)),))))


@pytest.mark.parametrize(  # what the official client (1.12.0) shows
    ("content", "text"),
    [
        ((), ""),
        ((TextBlock(()),), ""),
        ((TextBlock(("hello ", Bold(("you",)))),), "hello you"),
        ((TextBlock((Link("http://x", ("a ", CodeSpan("b"))),)),), "a b"),
        ((TextBlock((AutoLink("http://x", "x"), CustomEmoji("e"))),), "xe"),
        ((TextBlock((Mention("u", "Bob"), " and ", Mention("v", "@Al"))),), "@Bob and @@Al"),
        ((TextBlock((A_LIST,)),), "\n- a\n- b\n"),
        ((TextBlock(("x", A_LIST, "y")),), "x\n- a\n- b\ny"),
        ((TextBlock((BulletPoint(("a",)),)),), "- a\n"),
        ((TextBlock(("one",)), TextBlock(()), TextBlock(("two",))), "one\n\n\n\ntwo"),
        ((a_file(),), "📎 a.txt"),
        ((a_file(subtype="image"), TextBlock(("see",))), "📷 a.txt\n\nsee"),
        ((a_file(subtype="video"),), "🎥 a.txt"),
        ((a_file(subtype="audio", duration=65),), "🎧 a.txt"),
        ((a_file(subtype="something new"),), "📎 a.txt"),
        ((a_file(subtype="voice"),), "🎙️"),
        ((a_file(subtype="voice", duration=59.9),), "🎙️ (0:59)"),
        ((a_file(subtype="voice", duration=3661),), "🎙️ (61:01)"),
        ((LocationBlock(1.5, -2),), "📍"),
    ],
)
def test_plaintext_is_what_the_official_client_shows(
    content: tuple[TextBlock, ...], text: str
) -> None:
    assert plaintext(content) == text


def test_what_is_not_known_of_a_file_is_none_and_does_not_travel() -> None:
    file = a_file()
    assert (file.subtype, file.width, file.height, file.duration) == (None, None, None, None)
    text = msgspec.json.encode(file)
    assert b"null" not in text
    assert msgspec.json.decode(text, type=FileBlock) == file
    told = text.replace(b"}", b',"width":null,"subtype":null}')  # others may write it so
    assert msgspec.json.decode(told, type=FileBlock) == file


def test_a_tree_of_any_depth_has_a_plaintext() -> None:
    deep: Node = "x"
    for _ in range(10_000):
        deep = Bold((deep,))
    assert plaintext((TextBlock((deep,)),)) == "x"


def test_only_types_of_nodes_are_renamed() -> None:
    sent = {"content": [{"type": "text", "children": [{"type": "bulletlist", "children": ["a"]}]}]}
    got = {"content": [{"type": "text", "children": [{"type": "bulletList", "children": ["a"]}]}]}
    assert camel_cased(sent) == got
    custom: dict[str, object] = {"custom": {"type": "autolink"}, "content": []}
    assert camel_cased(custom) == custom
