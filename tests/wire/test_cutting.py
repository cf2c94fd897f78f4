"""Whole text messages are cut out, however their bytes arrive; the rest is passed on whole."""

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.utils import apply_mask

from rtflow.wire.cutting import Cutter, text_frame

MOST = 70_000
SIZES = st.sampled_from([0, 1, 125, 126, 65_535, 65_536, MOST])


class Reader:
    """What comes out of a cutter, in order. Only whole messages may follow a binary frame."""

    def __init__(self, *, is_server: bool) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.cutter = Cutter(
            lambda text: self.got.append(("text", text)),
            self.pass_on,
            most=MOST,
            unmask=apply_mask if is_server else None,
        )

    def pass_on(self, frame: bytes) -> bool:
        self.got.append(("frame", frame))
        return frame[0] == 0x82


def framed(opcode: Opcode, payload: bytes, *, fin: bool = True, mask: bool = False) -> bytes:
    return Frame(opcode, payload, fin).serialize(mask=mask)


@given(
    messages=st.lists(st.tuples(st.booleans(), SIZES), max_size=6),
    pieces=st.lists(st.sampled_from([1, 2, 3, 7, 500]), max_size=40),
    is_server=st.booleans(),
)
def test_frames_come_out_whole_however_they_are_split(
    messages: list[tuple[bool, int]], pieces: list[int], is_server: bool
) -> None:
    reader, sent, expected = Reader(is_server=is_server), b"", list[tuple[str, bytes]]()
    for is_text, size in messages:
        payload = b"x" * size
        frame = framed(Opcode.TEXT if is_text else Opcode.BINARY, payload, mask=is_server)
        expected.append(("text", payload) if is_text else ("frame", frame))
        sent += frame
    for size in (*pieces, len(sent) // 2, len(sent)):
        reader.cutter.cut(sent[:size])
        sent = sent[size:]
    assert reader.got == expected


def test_a_text_frame_among_fragments_is_not_a_message() -> None:
    reader = Reader(is_server=False)
    first = framed(Opcode.TEXT, b"a", fin=False)
    reader.cutter.cut(first + framed(Opcode.TEXT, b"b") + framed(Opcode.BINARY, b"c"))
    reader.cutter.cut(framed(Opcode.TEXT, b"d"))
    assert [kind for kind, _ in reader.got] == ["frame", "frame", "frame", "text"]


def test_a_frame_that_is_too_long_or_wrongly_masked_is_passed_on_as_far_as_it_has_come() -> None:
    long = framed(Opcode.TEXT, b"x" * (MOST + 1))
    for is_server, wrong in ((False, long), (True, b"\x81\x01"), (False, b"\x81\x81keys")):
        reader = Reader(is_server=is_server)
        reader.cutter.cut(wrong[: len(wrong) // 2 * 2 - 2] if wrong is long else wrong)
        assert [kind for kind, _ in reader.got] == ["frame"]


def test_the_length_of_a_frame_is_not_guessed_before_it_is_there() -> None:
    reader = Reader(is_server=False)
    frame = framed(Opcode.TEXT, b"x" * 65_536)
    reader.cutter.cut(b"\x81\x7f\xff")  # the first byte of a length beyond all limits
    assert not reader.got
    reader = Reader(is_server=False)
    for byte in frame[:10]:
        reader.cutter.cut(bytes((byte,)))
    reader.cutter.cut(frame[10:])
    assert reader.got == [("text", b"x" * 65_536)]


def test_nothing_leaves_a_cutter_that_is_held() -> None:
    reader = Reader(is_server=False)

    def take(text: bytes) -> None:
        reader.got.append(("text", text))
        reader.cutter.is_held = text == b"b"

    reader.cutter = Cutter(take, reader.pass_on, most=MOST)
    reader.cutter.cut(b"".join(framed(Opcode.TEXT, text) for text in (b"a", b"b", b"c")))
    reader.cutter.cut(framed(Opcode.TEXT, b"d"))
    assert [text for _, text in reader.got] == [b"a", b"b"]
    reader.cutter.is_held = False
    reader.cutter.cut(b"")
    assert [text for _, text in reader.got] == [b"a", b"b", b"c", b"d"]


@given(size=SIZES, key=st.sampled_from([b"", b"keys"]))
def test_what_is_framed_is_cut_out_again(size: int, key: bytes) -> None:
    reader, payload = Reader(is_server=bool(key)), b"x" * size
    frame = text_frame(apply_mask(payload, key) if key else payload, key)
    if not key:
        assert frame == framed(Opcode.TEXT, payload)
    reader.cutter.cut(frame)
    assert reader.got == [("text", payload)]


def test_a_message_that_comes_alone_waits_while_it_is_held() -> None:
    reader = Reader(is_server=False)
    reader.cutter.is_held = True
    reader.cutter.cut(text_frame(b"x" * 200))
    assert not reader.got
    reader.cutter.is_held = False
    reader.cutter.cut(b"")
    assert reader.got == [("text", b"x" * 200)]
