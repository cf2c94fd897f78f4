"""Names of files, made harmless. A name is for people; nothing is ever found or stored by it.

Yet people save files under the names that they are offered, so what would lead a program, a shell
or an eye astray is taken out: paths, control characters, marks that turn text around, names that
Windows keeps to itself.
"""

import re
from typing import Final
from unicodedata import category, normalize

__all__ = ["MAX_NAME", "harmless", "has_ending"]

MAX_NAME: Final = 255  # characters
NAMELESS: Final = "file"
FORBIDDEN: Final = re.compile(r'[<>:"|?*]')  # on Windows
RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)", re.IGNORECASE)
UNSEEN: Final = {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}
JOINERS: Final = "\u200c\u200d"  # of the format characters, what words and emoji need


def harmless(name: str) -> str:
    """Return a name that is one part of a path, of 1 to 255 characters that can all be seen."""
    last = re.split(r"[/\\]", name)[-1]
    seen = normalize("NFC", "".join(character for character in last if _is_seen(character)))
    tidy = " ".join(FORBIDDEN.sub("_", seen).split()).strip(". ")
    if RESERVED.match(tidy):
        tidy = f"_{tidy}"
    return tidy[:MAX_NAME].rstrip(". ") or NAMELESS


def has_ending(name: str, endings: frozenset[str]) -> bool:
    """Tell whether a name ends with one of these, such as "png"."""
    return name.rpartition(".")[2].lower() in endings if "." in name else False


def _is_seen(character: str) -> bool:
    kind = category(character)
    return character in JOINERS or (kind not in UNSEEN and kind != "Cf")
