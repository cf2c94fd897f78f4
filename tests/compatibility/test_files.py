"""Files: uploaded, sent, and seen with all that was said of them."""

from typing import Any

import pytest

import rtflow
from tests.compatibility.conftest import Lunch


@pytest.mark.parametrize(
    ("filename", "told"),
    [
        ("a b.pdf", {}),
        ("pic.png", {"subtype": "image", "width": 3, "height": 4}),
        ("clip.mp4", {"subtype": "video", "width": 3, "height": 4, "duration": 1.5}),
        ("song.mp3", {"subtype": "audio", "duration": 2.5}),
        ("note.mp3", {"subtype": "voice", "duration": 3.5}),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
async def test_a_file_arrives_with_what_was_said_of_it(
    lunch: Lunch,
    filename: str,
    told: dict[str, Any],  # Any: each has a type of its own
) -> None:
    token = await lunch.alice.upload(b"sixteen bytes...", filename=filename, **told)
    sent = await lunch.hers.send((rtflow.SendFileBlock(token),))
    it = await lunch.his.message(sent.id).get()
    assert it is not None
    (file,) = it.content
    assert isinstance(file, rtflow.FileBlock)
    assert (file.file_token, file.filename, file.size) == (token, filename, 16)
    assert file.url.startswith("http")
    for name in ("subtype", "width", "height", "duration"):
        assert getattr(file, name) == told.get(name)
