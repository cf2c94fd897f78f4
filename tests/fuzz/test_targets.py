"""Whatever an attacker sends is read or refused: words in any order, any bytes, and what was once
found to break something.

The fuzzer itself, which looks for new paths through the code, is `python -m tests.fuzz`.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

FOUND = Path(__file__).parent / "found"


def language(words: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    pieces = st.sampled_from(words) | st.binary(max_size=8) | st.text(max_size=4).map(encoded)
    return st.binary(max_size=200) | st.lists(pieces, max_size=30).map(b"".join)


def encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_is_read_or_refused(name: str) -> None:
    @settings(max_examples=300)
    @given(language(TARGETS[name].words))
    def feed(data: bytes) -> None:
        TARGETS[name].feed(data)

    feed()


@pytest.mark.parametrize(
    "path", sorted(FOUND.glob("*/*")), ids=lambda it: f"{it.parent.name}-{it.name}"
)
def test_what_was_found_once_does_no_harm_any_more(path: Path) -> None:
    TARGETS[path.parent.name].feed(path.read_bytes())
