"""A form is read the same however it is cut, and one that cannot be read is refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtflow.errors import BadRequest
from rtflow.server.http.form import Form

TYPE = "multipart/form-data; boundary=B"


def part(disposition: str, body: bytes, *headers: str) -> bytes:
    lines = [f"Content-Disposition: form-data; {disposition}", *headers, "", ""]
    return b"--B\r\n" + "\r\n".join(lines).encode() + body + b"\r\n"


FILE = part('name="file"; filename="pic.png"', b"bytes", "Content-Type: image/png; q=1")
FIELD = part('name="subtype"', b"image")


def read(*pieces: bytes, content_type: str = TYPE) -> tuple[Form, bytes]:
    form = Form(content_type)
    data = b"".join(form.feed(piece) for piece in pieces)
    form.finish()
    return form, data


def test_a_form_is_a_file_and_some_fields() -> None:
    form, data = read(FILE + FIELD + b"--B--\r\n")
    assert (form.filename, form.media_type, data) == ("pic.png", "image/png", b"bytes")
    assert form.fields == {"subtype": "image"}


@given(
    body=st.binary(max_size=200) | st.text("\r\n-B", max_size=40).map(str.encode), data=st.data()
)
def test_it_does_not_matter_how_it_is_cut(body: bytes, data: st.DataObject) -> None:
    if b"\r\n--B" in b"\r\n" + body:
        return  # that would be its end
    whole = FIELD + part('name="file"; filename="a"', body) + b"--B--\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    form, received = read(*pieces)
    assert received == body
    assert form.fields == {"subtype": "image"}


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('name="file"; filename="été.txt"', "été.txt"),
        ('name="file"; filename="a%22b%0D%0A.txt"', 'a"b\r\n.txt'),
        ('name="file"; filename="../../x"', "../../x"),
        ('name="file"; filename=""', ""),
        ("name=file; filename=plain", "plain"),
        ('name="file"; filename="a;b.txt"', "a;b.txt"),
    ],
)
def test_the_name_is_what_the_form_says(disposition: str, name: str) -> None:
    form, _ = read(part(disposition, b"x") + b"--B--")
    assert form.filename == name


BAD = {
    "no file": FIELD + b"--B--",
    "a file that is only text": part('name="file"', b"x") + b"--B--",
    "two files": FILE + FILE + b"--B--",
    "no end": FILE,
    "half a boundary": FILE + b"--",
    "nothing": b"",
    "another boundary": FILE.replace(b"--B", b"--C") + b"--C--",
    "no form at all": b"{}",
    "a long value": part('name="subtype"', b"x" * 1001) + FILE + b"--B--",
    "many parts": FIELD * 20 + FILE + b"--B--",
    "many headers": part('name="file"; filename="a"', b"", *["X: y"] * 20) + b"--B--",
    "a long header": part('name="file"; filename="' + "x" * 9000 + '"', b"") + b"--B--",
    "a header that is none": b"--B\r\nno header\r\n\r\nx\r\n--B--",
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="INVALID_FORM"):
        read(body)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "B" * 5000,
        "x" * 500,
    ],
)
def test_another_kind_of_body_is_refused(content_type: str) -> None:
    with pytest.raises(BadRequest, match="INVALID_FORM"):
        read(FILE, content_type=content_type)


@given(st.binary(max_size=300) | st.text('-B\r\n: ;="namefile', max_size=300).map(str.encode))
def test_no_body_is_an_error_of_ours(body: bytes) -> None:
    with suppress(BadRequest):
        read(body, FILE, b"--B--")
