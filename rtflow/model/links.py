"""Links in plain text: URLs, mail addresses and phone numbers that nobody has marked as such.

Not here: the rest of markup (markup.py), top-level domains (domains.py). A link is what the
official client takes for one, as seen from outside.

A text is read once, from left to right, in chunks: all that a mail address can have before its `@`.
A chunk is a mail address, or begins with a URL, or has no link in it. So hostile text costs no more
than any other.
"""

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from rtflow.model.domains import is_top_level
from rtflow.model.patterns import pattern

__all__ = ["Found", "links"]

Found: TypeAlias = tuple[int, int, str]
"""Where a link begins and ends, and what it leads to."""

# Letters and digits of all scripts, their marks, and emoji: what names of hosts are made of.
WORD: Final = (
    r"(?:[^\W_]|[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0903"
    r"\u093a-\u094f\u0e31-\u0e4e\u2122\u2300-\u23ff\u2600-\u27bf\u3099\u309a\ufe0f"
    r"\U0001f000-\U0001faff])"
)
LABEL: Final = rf"{WORD}(?:_|{WORD}|-++(?=_|{WORD}))*+"
HOST: Final = pattern(rf"{LABEL}(?:\.{LABEL})*+")
CHUNK: Final = pattern(rf"{WORD}(?:{WORD}|[-!#$%&'*+/=?^_`{{|}}~.])*+")
NOT_BEFORE_AT: Final = pattern(r"[-!#$%&'*+/=?^_`{|}~.]\.|\.(?:[-!#$%&'*+/=?^_`{|}~]|\Z)")
PORT: Final = pattern(r":\d+", re.ASCII)
PATH: Final = pattern(rf"[/?#](?:{WORD}|[-+&@#/%=~_()|'$*\[\]{{}}\u2713?!:,.;^])*+")
HYPHENS: Final = pattern(r"-++")
HTTP: Final = pattern(r"https?\Z", re.IGNORECASE)
SCHEME: Final = pattern(r"[A-Za-z][A-Za-z0-9+.-]*+\Z")
BYTE: Final = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
IPV4: Final = pattern(rf"{BYTE}(?:\.{BYTE}){{3}}", re.ASCII)
PHONE: Final = pattern(  # 7 to 13 digits, the last two of them side by side
    r"(?:^|[^0-9A-Za-z_:/-])([+(]?[0-9](?:[ ()+._-]?[0-9]){5,11}[0-9])(?![0-9A-Za-z_:/-])",
    re.MULTILINE,
)
TWO_YEARS: Final = pattern(r"\d{4}-\d{4}")
NOT_DIALLED: Final = pattern(r"[^0-9+]")
AT_NO_END: Final = "?!:,.;^"
OPENED_BY: Final = {")": "(", "]": "[", "}": "{"}
DANGEROUS: Final = ("javascript", "vbscript")


def links(text: str) -> Iterator[Found]:
    """Find the links in a text, from left to right."""
    gap = 0
    for found in _addresses(text):
        yield from _phones(text, gap, found[0])
        yield found
        gap = found[1]
    yield from _phones(text, gap, len(text))


def _addresses(text: str) -> Iterator[Found]:
    at = 0
    while (chunk := CHUNK.search(text, at)) is not None:
        start, at = chunk.span()
        found = (
            _with_scheme(text, start, at)
            if text.startswith("://", at)
            else _without_scheme(text, start, at)
        )
        if found is not None:
            yield found
            at = found[1]


def _with_scheme(text: str, start: int, end: int) -> Found | None:
    """Read `scheme://...`, whose scheme is the last part of the chunk."""
    chunk = text[start:end]
    scheme = HTTP.search(chunk, max(len(chunk) - 5, 0)) or SCHEME.search(chunk)
    if scheme is None or scheme[0].lower() in DANGEROUS:
        return None
    begin, at = start + scheme.start(), end + 3
    if text.startswith("/", at):  # no host, as in file:///etc
        stop = _end_of_path(text, at)
    elif (host := HOST.match(text, at)) is None:
        return None
    elif (hyphens := HYPHENS.match(text, host.end())) is not None:
        stop = hyphens.end()
    else:
        stop = _end_of_url(text, host.end())
    if text[begin - 1 : begin] == "<" and "|" in text[at:stop]:  # looks like <https://...|text>
        stop = text.index("|", at)
    return begin, stop, text[begin:stop]


def _without_scheme(text: str, start: int, end: int) -> Found | None:
    before = text[max(start - 3, 0) : start]
    if before.endswith(("@", "#")) or (before.endswith("/") and not before.endswith("//")):
        return None
    if text.startswith("@", end):
        found = _mail(text, start, end)
        if found is not None:
            return found
    host = HOST.match(text, start)
    if host is None or not _is_known(text, host):
        return None
    stop = _end_of_url(text, host.end())
    if before.endswith("//") and before != "///":
        return start - 2, stop, text[start - 2 : stop]
    return start, stop, f"http://{text[start:stop]}"


def _mail(text: str, start: int, end: int) -> Found | None:
    host = HOST.match(text, end + 1)
    if host is None or not _is_known(text, host) or IPV4.fullmatch(host[0]) is not None:
        return None
    if NOT_BEFORE_AT.search(text[start:end]) is not None:
        return None
    url = f"mailto:{text[start : host.end()]}"
    protocol = text[max(start - 7, 0) : start].lower() == "mailto:"
    return start - 7 if protocol else start, host.end(), url


def _is_known(text: str, host: re.Match[str]) -> bool:
    """Tell whether this can be the whole name of a host on the internet."""
    name = host[0]
    rest, dot, last = name.rpartition(".")
    if not dot or not rest or text.startswith("-", host.end()):
        return False
    return is_top_level(last) or IPV4.fullmatch(name) is not None


def _end_of_url(text: str, at: int) -> int:
    """Tell where the URL ends whose host ends here."""
    port = PORT.match(text, at)
    return _end_of_path(text, at if port is None else port.end())


def _end_of_path(text: str, at: int) -> int:
    path = PATH.match(text, at)
    if path is None:
        return at
    found = path[0]
    surplus = {close: found.count(close) - found.count(OPENED_BY[close]) for close in OPENED_BY}
    end = len(found)
    while end:
        last = found[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last not in AT_NO_END:
            break
        end -= 1
    return at + end


def _phones(text: str, start: int, stop: int) -> Iterator[Found]:
    part = text[start:stop]
    at = 0
    while (phone := PHONE.search(part, at)) is not None:
        begin, at = phone.span(1)
        if TWO_YEARS.fullmatch(phone[1]) is None:
            yield start + begin, start + at, f"tel:{NOT_DIALLED.sub('', phone[1])}"
        if at < len(part) and part[at] != "\n":
            at += 1  # what stands behind one number does not stand before the next
