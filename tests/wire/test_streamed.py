"""Pages that are read as they come, in whatever pieces."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtflow.errors import InvalidFrame
from rtflow.wire.streamed import FoundConversation, FoundMessage, StreamedPage


def read(pieces: list[bytes]) -> tuple[list[str], str | None]:
    page = StreamedPage(FoundConversation)
    found = [it for piece in pieces for it in page.feed(piece)]
    found += page.end()
    return [it.id for it in found], page.cursor


ids = st.text(max_size=5)
cursors = st.none() | st.text()
spaces = st.sampled_from(["", " ", "\n", "\r\n", "\n\n "])


@st.composite
def pages(draw: st.DrawFn) -> tuple[list[str], str | None, bytes]:
    """Ids, a cursor, and a page that has them."""
    named, cursor = draw(st.lists(ids, max_size=5)), draw(cursors)

    def line(value: object) -> str:
        return msgspec.json.encode(value).decode() + draw(spaces)

    items = [("," if at else "") + line({"id": id}) for at, id in enumerate(named)]
    rest = f',"cursor":{line(cursor)}' if cursor is not None or draw(st.booleans()) else ""
    first = draw(st.sampled_from(['{"data":[', "", "anything", '{"data":[{"id":"no"}', "\ufffd"]))
    text = "\n".join((first or " x", *items, f"]{rest}}}")) + draw(spaces)
    return named, cursor, text.encode()


@given(pages(), st.data())
def test_a_page_is_the_same_in_whatever_pieces_it_comes(
    page: tuple[list[str], str | None, bytes], data: st.DataObject
) -> None:
    named, cursor, body = page
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=20)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert read(pieces) == (named, cursor)


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_document_on_one_line_is_read_as_well(end: str) -> None:
    body = '{"data":[{"id":"a"},{"id":"b"}],"cursor":"c"}' + end
    assert read([body.encode()]) == (["a", "b"], "c")


def test_an_item_is_there_as_soon_as_its_line_is() -> None:
    page = StreamedPage(FoundConversation)
    assert page.feed(b'{"data":[\n{"id":"a"}') == []
    assert [it.id for it in page.feed(b"\n")] == ["a"]


def test_a_message_tells_where_it_is() -> None:
    page = StreamedPage(FoundMessage)
    line = b'{"id":"m","conversationId":"c","senderId":null,"createdAt":1,"content":[]}\n'
    (found,) = page.feed(b'{"data":[\n' + line)
    assert (found.conversation_id, found.id, found.content) == ("c", "m", ())


WRONG = [
    (b'{"data":[\n{"id":"a"}\n', "broke off"),
    (b"", "broke off"),
    (b'{"data":[', "truncated"),
    (b'{"data":[\n{"id":', "truncated"),
    (b'{"data":[\n{"id":1}\n]}', "`str`, got `int`"),
    (b'{"data":[\n]}\n{"id":"a"}\n', "trailing"),
    (b'{"data":[\n{"id":"a"}\n,,{"id":"b"}\n]}', "malformed"),
    (b'{"data":[\n\xff\n]}', "malformed"),
    (b'{"data":[\n],"cursor":7}', "`str | null`, got `int`"),
    (b"<html>", "malformed"),
]


@pytest.mark.parametrize(("body", "hint"), WRONG)
def test_a_page_that_is_none_is_refused(body: bytes, hint: str) -> None:
    with pytest.raises(InvalidFrame) as caught:
        read([body])
    assert hint in str(caught.value)


def test_a_line_has_a_limit() -> None:
    page = StreamedPage(FoundConversation)
    for _ in range(16):
        assert page.feed(b"x" * 1024 * 1024) == []
    with pytest.raises(InvalidFrame, match="at most 16777216 bytes"):
        page.feed(b"x")
