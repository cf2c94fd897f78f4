"""Markdown that reads well on a forge: tables, links, and docstrings as paragraphs."""

import re
from collections.abc import Callable, Iterable, Sequence
from textwrap import fill

__all__ = ["anchor", "code", "linked", "prose", "table"]

WIDTH = 120


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table; a column that is empty in every row is left out."""
    lines = [*rows]
    shown = [i for i in range(len(head)) if any(row[i] for row in lines)]
    return "\n".join(
        f"| {' | '.join(_cell(row[i]) for i in shown)} |".replace("|  |", "| |")
        for row in (head, ["---"] * len(head), *lines)
    )


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def code(text: str) -> str:
    """Set in a fixed-width face."""
    return f"`{text}`"


def anchor(heading: str) -> str:
    """Name a heading as GitHub does."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def linked(line: str, link: Callable[[str], str | None]) -> str:
    """Make links of the names in code that `link` has an address for, also those inside a type."""

    def replace(span: re.Match[str]) -> str:
        if not _TYPE.fullmatch(span["code"]):
            return span[0]
        pieces, plain = list[str](), ""
        for i, part in enumerate(_NAME.split(span["code"])):  # plain, name, plain, ..., plain
            address = link(part) if i % 2 else None
            if address is None:
                plain += part
                continue
            pieces += (code(plain) if plain else "", f"[{code(part)}]({address})")
            plain = ""
        return "".join((*pieces, code(plain) if plain else ""))

    return _SPAN.sub(replace, line)


_SPAN = re.compile(r"(?<![\[`])`(?P<code>[^`]+)`(?!\])")
_NAME = re.compile(r"([A-Z]\w*(?:\.\w+)*)")
_TYPE = re.compile(rf"{_NAME.pattern}|[\w.]+\[.+|.+ \\?\| .+")


def prose(docstring: str) -> str:
    """Return a docstring as paragraphs. What it raises is told in one of its own.

    Indented lines stay as they are: they are code, in Markdown, too.
    """
    return "\n\n".join(
        block if block.startswith("    ") else "\n\n".join(map(_filled, _RAISES.split(block)))
        for block in docstring.split("\n\n")
        if block
    )


_RAISES = re.compile(r"(?<=[.)])\s+(?=Raises )")


def _filled(paragraph: str) -> str:
    return fill(" ".join(paragraph.split()), WIDTH, break_long_words=False, break_on_hyphens=False)
