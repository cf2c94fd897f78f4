"""What a file is, told by its first bytes and not by who sent it.

Only what a browser can show without running anything of it has a type here. All else, documents
with scripts and drawings (SVG) among it, is bytes to be saved.
"""

from mimetypes import types_map
from typing import Final, Literal, TypeAlias

__all__ = ["BYTES", "HEAD", "Subtype", "can_be", "media_type_of"]

Subtype: TypeAlias = Literal["image", "video", "audio", "voice"]

BYTES: Final = "application/octet-stream"
HEAD: Final = 64  # bytes that tell

AT_START: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
)
IN_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
BRANDS: Final = {
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"mif1", b"msf1"), "image/heic"),
    **dict.fromkeys((b"M4A ", b"M4B "), "audio/mp4"),
    **dict.fromkeys((b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42"), "video/mp4"),
    **dict.fromkeys((b"avc1", b"dash", b"M4V ", b"mmp4", b"3gp4", b"3gp5"), "video/mp4"),
    b"qt  ": "video/quicktime",
}


def media_type_of(head: bytes) -> str:
    """Return the type of a file that begins so: one that is safe to show, or just bytes."""
    for magic, media_type in AT_START:
        if head.startswith(magic):
            return media_type
    if head.startswith(b"RIFF"):
        return IN_RIFF.get(head[8:12], BYTES)
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12], BYTES)
    return BYTES


def can_be(subtype: Subtype, declared: str, filename: str, media_type: str) -> bool:
    """Tell whether a file may be meant so: by its declared type, its name, or what it is.

    A voice message may come from a recorder that knows only films.
    """
    dot_ending = f".{filename.rpartition('.')[2].lower()}"
    kinds = {it.partition("/")[0] for it in (declared, types_map.get(dot_ending, ""), media_type)}
    meant = {"audio", "video"} if subtype == "voice" else {subtype}
    return not kinds.isdisjoint(meant)
