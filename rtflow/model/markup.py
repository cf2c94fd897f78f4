r"""Markup: text as people type it, with `*bold*` and the like, to a tree of nodes and back.

Not here: what nodes are (content.py), links that nobody has marked (links.py). The dialect is that
of the official client, as seen from outside: tests/model/test_markup.py has what it makes of some
hundred texts, and ours is the same.

    *bold*  _italic_  ~strikethrough~  ```code```
    - a point of a bullet list (or with * or +)
    <!!mention:ID|NAME>  <!!customemoji:NAME>
    <https://example.com|a link>  <actionlink:ACTION?KEY=VALUE|TEXT>  <actionbutton:...|...>
    https://example.com, www.example.com, me@example.com, +31 20 123 4567

`*` opens behind a space or punctuation and before a character that is neither a space nor `*`; it
closes likewise, in the same line. There is no escape: neither `\*` nor `&ast;` means anything, so a
text that looks like markup can only be sent as a tree.

It is cut in this order, each time what is left of the text: lists, code, mentions and emoji, links,
emphasis, links that nobody has marked. So nothing nests deeper than six nodes (a list, its point,
three kinds of emphasis, a link), and each step reads the text once, whatever is in it.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

from rtflow.model.content import (
    ActionButton,
    ActionLink,
    AutoLink,
    Block,
    Bold,
    BulletList,
    BulletPoint,
    CodeSpan,
    CustomEmoji,
    FileBlock,
    Italic,
    Link,
    LocationBlock,
    Mention,
    Node,
    Strikethrough,
    TextBlock,
)
from rtflow.model.frozen import FrozenDict
from rtflow.model.links import links as unmarked_links
from rtflow.model.patterns import pattern

__all__ = ["parse", "to_markup"]

Emphasis: TypeAlias = Bold | Italic | Strikethrough
Piece: TypeAlias = tuple[int, int, Node]
"""A node, and where in the text it was."""

# What JavaScript's regular expressions call a space, and what ends a line for their dot.
SPACE: Final = "\t-\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
LINE_END: Final = "\n\r\u2028\u2029"
# What emphasis may stand next to, on the outside, besides spaces.
PUNCTUATION: Final = re.escape(
    "!#$%&'()*,-./:;<>?@[\\]^_{|}~\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xab\xac\xb0\xb6\xb7\xbb\xbf"
    "\u2010\u2012\u2013\u2014\u2015\u2018\u2019\u201c\u201d\u2020\u2021\u2022\u2026\u2030\u2031"
    "\u2032\u203b\u203d\u2042\u2044\u20a9\u20aa\u20ac\u2116\u2234\u2420\u261e"
)
OUTSIDE: Final = f"[^{SPACE}{PUNCTUATION}]"  # what may not stand there
KINDS: Final[dict[str, type[Emphasis]]] = {"*": Bold, "_": Italic, "~": Strikethrough}
SIGNS: Final[dict[type[Node], str]] = {kind: sign for sign, kind in KINDS.items()}
OPENING: Final = pattern(
    f"(?<!{OUTSIDE})(?:{'|'.join(f'[{sign}](?=[^{SPACE}{sign}])' for sign in KINDS)})"
)
CLOSING: Final = {
    sign: pattern(f"[{LINE_END}]|(?<=[^{SPACE}{sign}])[{sign}](?!{OUTSIDE})") for sign in KINDS
}
CODE: Final = "```"
NOT_SPACE: Final = pattern(f"[^{SPACE}]")
TOLD_TAG: Final = pattern("<!!(mention|customemoji):")
LINK_TAG: Final = pattern("<(https?|mailto|actionlink|actionbutton):", re.IGNORECASE)
ACTIONS: Final[dict[str, type[ActionLink | ActionButton]]] = {
    "actionlink": ActionLink,
    "actionbutton": ActionButton,
}
END_OF_TAG: Final = pattern(f"[>{LINE_END}]")
END_OF_ID: Final = pattern(f"[|>{SPACE}]")
END_OF_URL: Final = pattern(f"[|{LINE_END}]")
NOT_IN_ID: Final = pattern(f"[%|>{SPACE}]")
# What needs no reading: without a sign, digit or dot in a word nothing can begin, nor be a link.
PLAIN: Final = pattern(r"""(?:[^\W\d_]|[ \n,;!?'"()]|\.(?=[ \n]|\Z))++""")
HALVES: Final = "surrogatepass"  # half a pair is no text that can be sent; that is said elsewhere


def parse(text: str, *, links: bool = True) -> tuple[Node, ...]:
    """Read a text with markup. Every text is one; what means nothing stays as it is.

    `links=False` leaves `<https://...|text>` and `<actionlink:...>` as they are: so the official
    client sends messages (but not edits), where nobody may hide what a link leads to.
    """
    if PLAIN.fullmatch(text) is not None:
        return (text,)
    nodes: list[Node] = []
    at = 0
    for start, end, points in _lists(text):
        nodes += _inline(text[at:start], links)
        nodes.append(BulletList(tuple(BulletPoint(tuple(_inline(it, links))) for it in points)))
        at = end
    nodes += _inline(text[at:], links)
    return tuple(nodes)


# Lists


def _lists(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """Find the bullet lists: where they begin and end, with one newline each, and their points."""
    start = end = 0
    points: list[str] = []
    for line, content, after in _lines(text):
        if content is not None:
            start, end = start if points else max(line - 1, 0), after
            points.append(content)
        elif points:
            yield start, end, points
            points = []
    if points:
        yield start, end, points


def _lines(text: str) -> Iterator[tuple[int, str | None, int]]:
    """Read the lines that are not blank, each with the blank ones before it.

    Gives where they begin, what they say as a point of a list, if they are one, and where the next
    line begins. The spaces around a bullet may well be newlines.
    """
    line = 0
    while (bullet := NOT_SPACE.search(text, line)) is not None:
        at = bullet.start()
        content, end = None, _line_end(text, at)
        if bullet[0] in "-*+":
            said = NOT_SPACE.search(text, at + 1)
            if said is not None and said.start() > at + 1:
                end = _line_end(text, said.start())
                content = text[said.start() : end]
            elif said is None and (stop := len(text.rstrip("\n"))) > at + 2:
                content, end = text[stop - 1 : stop], stop  # the last space is what it says
        after = min(end + 1, len(text))
        yield line, content, after
        line = after


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


# Inside a line. Each step finds its nodes and gives what is around them to the next one.


def _inline(text: str, links: bool) -> Iterator[Node]:
    def emphasis(rest: str) -> Iterator[Node]:
        return _emphasised(rest, tuple(KINDS), _linked)

    def tags(rest: str) -> Iterator[Node]:
        return _around(rest, _link_tags(rest), emphasis) if links else emphasis(rest)

    def told(rest: str) -> Iterator[Node]:
        return _around(rest, _told_tags(rest), tags)

    return _around(text, _code(text), told)


def _around(
    text: str, pieces: Iterable[Piece], rest: Callable[[str], Iterator[Node]]
) -> Iterator[Node]:
    at = 0
    for start, end, node in pieces:
        yield from rest(text[at:start])
        yield node
        at = end
    yield from rest(text[at:])


def _plain(text: str) -> Iterator[Node]:
    if text:
        yield text


def _linked(text: str) -> Iterator[Node]:
    found = unmarked_links(text)
    return _around(text, ((at, end, AutoLink(url, text[at:end])) for at, end, url in found), _plain)


def _code(text: str) -> Iterator[Piece]:
    at = 0
    while (start := text.find(CODE, at)) >= 0 and (end := text.find(CODE, start + 4)) >= 0:
        at = end + 3
        code = text[start + 3 : end]
        yield start, at, CodeSpan("".join(map(_said, _around(code, _told_tags(code), _plain))))


def _said(node: Node) -> str:
    assert isinstance(node, str | Mention | CustomEmoji), "code has no other nodes in it"
    return node if isinstance(node, str) else "@" * isinstance(node, Mention) + node.text


class Ahead:
    """Where a pattern is found next. Asked about places in their order, it reads a text once."""

    def __init__(self, wanted: re.Pattern[str], text: str) -> None:
        self._pattern, self._text, self._found = wanted, text, -1

    def of(self, at: int) -> int:
        """Return the first place from `at` on, or the length of the text."""
        if self._found < at:
            found = self._pattern.search(self._text, at)
            self._found = len(self._text) if found is None else found.start()
        return self._found


def _told_tags(text: str) -> Iterator[Piece]:
    ends, ids = Ahead(END_OF_TAG, text), Ahead(END_OF_ID, text)
    at = 0
    while (tag := TOLD_TAG.search(text, at)) is not None:
        at = tag.end()
        end = ends.of(at)
        if text[end : end + 1] != ">":
            continue
        if tag[1] == "customemoji":
            node: Mention | CustomEmoji = CustomEmoji(text[at:end])
        elif text[(bar := ids.of(at)) : bar + 1] == "|":
            node = Mention(_id(text[at:bar]), text[bar + 1 : end])
        else:
            continue
        at = end + 1
        yield tag.start(), at, node


def _id(quoted: str) -> str:
    try:
        return unquote_to_bytes(quoted).decode()
    except UnicodeError:  # not UTF-8, or half a surrogate pair
        return quoted


def _link_tags(text: str) -> Iterator[Piece]:
    ends, urls = Ahead(END_OF_TAG, text), Ahead(END_OF_URL, text)
    at = 0
    while (tag := LINK_TAG.search(text, at)) is not None:
        at = tag.end()
        bar = urls.of(at)
        end = ends.of(bar)
        if text[bar : bar + 1] != "|" or text[end : end + 1] != ">":
            continue
        children = tuple(_emphasised(text[bar + 1 : end], tuple(KINDS), _plain))
        action = ACTIONS.get(tag[1].lower())
        if action is None:
            node: Link | ActionLink | ActionButton = Link(text[tag.start() + 1 : bar], children)
        elif at < bar:
            name, _, query = text[at:bar].partition("?")
            params = FrozenDict(parse_qsl(query, keep_blank_values=True))
            node = action(name, params, children)
        else:
            continue
        at = end + 1
        yield tag.start(), at, node


def _emphasised(
    text: str, signs: tuple[str, ...], rest: Callable[[str], Iterator[Node]]
) -> Iterator[Node]:
    """Find emphasis by these signs, each of them in itself only by the others.

    (Nothing is lost by that: what could close inside has closed the outer one.)
    """
    return _around(text, _emphasis(text, signs, rest), rest)


def _emphasis(
    text: str, signs: tuple[str, ...], rest: Callable[[str], Iterator[Node]]
) -> Iterator[Piece]:
    ahead = {sign: Ahead(CLOSING[sign], text) for sign in signs}
    at = end = 0
    while (opening := OPENING.search(text, at)) is not None:
        start, sign = opening.start(), opening[0]
        at = start + 1
        stands_free = start in (0, end + 1) or start > end or text[start - 1] == "\n"
        if sign in ahead and stands_free and (close := _closing(text, start, sign, ahead[sign])):
            inner = _emphasised(
                text[start + 1 : close], tuple(it for it in signs if it != sign), rest
            )
            at = end = close + 1
            yield start, end, KINDS[sign](tuple(inner))


def _closing(text: str, start: int, sign: str, ahead: Ahead) -> int:
    """Find where emphasis ends that starts here; 0: nowhere.

    At the first sign that can close, but for one behind a single character: that is the last
    choice (`*a* *b*` is all bold, `*ab* *cd*` is not).
    """
    close = ahead.of(start + 2)
    if close == start + 2 and text[close : close + 1] == sign:
        close = ahead.of(start + 3)
        if text[close : close + 1] != sign:
            return start + 2
    return close if text[close : close + 1] == sign else 0


# And back


def to_markup(content: Iterable[Node | Block]) -> str:
    """Write nodes, or the blocks of a message, as text with markup; blocks on lines of their own.

    `content` is either. `parse` reads it as the same tree, if markup can say it: text that looks
    like markup becomes markup (there is no escape), emphasis needs an edge around it, lists stand
    at the start of a line and not within each other, code holds no three back-quotes. Neighbouring
    texts become one.
    Raises `ValueError` for a file or a location, of which there is no markup.
    """
    written: list[str] = []
    open_nodes: list[Node | Block | _Mark] = []
    open_nodes += reversed([*content])
    is_line_over = False
    while open_nodes:  # not recursive: what others have sent may be deep
        node = open_nodes.pop()
        match node:
            case FileBlock() | LocationBlock():
                raise ValueError(f"there is no markup for a {node.__struct_config__.tag}")
            case TextBlock():
                is_line_over = is_line_over or bool(written)
                open_nodes += node.children[::-1]
            case BulletList():
                open_nodes += node.children[::-1]
            case BulletPoint():
                is_line_over = bool(written)
                open_nodes += (_Mark.END_OF_LINE, *node.children[::-1], "- ")
            case Bold() | Italic() | Strikethrough():
                sign = SIGNS[type(node)]
                open_nodes += (sign, *node.children[::-1], sign)
            case Link():
                open_nodes += (">", *node.children[::-1], f"<{node.url}|")
            case ActionLink() | ActionButton():
                open_nodes += (">", *node.children[::-1], f"<{_action(node)}|")
            case _Mark.END_OF_LINE:
                is_line_over = True
            case _:
                if text := node if isinstance(node, str) else _leaf(node):
                    written += ("\n", text) if is_line_over else (text,)
                    is_line_over = False
    return "".join(written)


class _Mark(Enum):
    END_OF_LINE = "what follows stands on another line"


def _action(node: ActionLink | ActionButton) -> str:
    kind = "actionlink" if isinstance(node, ActionLink) else "actionbutton"
    params = f"?{urlencode(node.params, errors=HALVES)}" if node.params else ""
    return f"{kind}:{node.action}{params}"


def _leaf(node: AutoLink | CodeSpan | CustomEmoji | Mention) -> str:
    match node:
        case AutoLink():
            return node.text
        case CodeSpan():
            return f"{CODE}{node.text}{CODE}"
        case CustomEmoji():
            return f"<!!customemoji:{node.text}>"
        case Mention():
            id = NOT_IN_ID.sub(lambda it: quote(it[0], errors=HALVES), node.id)
            return f"<!!mention:{id}|{node.text}>"
