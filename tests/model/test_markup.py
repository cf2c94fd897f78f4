"""Markup: what a text says, and back.

`markup_cases.jsonl` has what the official client (1.12.0) sent for some hundred texts, as messages
and, with `links`, as edits; only the node types are put right (camelCase), and neighbouring texts
joined.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rtflow.model.content import (
    ActionButton,
    ActionLink,
    AutoLink,
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
from rtflow.model.markup import parse, to_markup

MOST_DEPTH = 6  # of nodes in each other; a server takes 20


class Case(msgspec.Struct, frozen=True):
    text: str
    nodes: tuple[Node, ...]
    links: bool = False


CASES = [
    msgspec.json.decode(line, type=Case)
    for line in (Path(__file__).parent / "markup_cases.jsonl").read_bytes().splitlines()
]


def test_a_text_is_read_as_the_official_client_reads_it() -> None:
    assert len(CASES) > 500
    read = [(case.text, parse(case.text, links=case.links)) for case in CASES]
    assert read == [(case.text, case.nodes) for case in CASES]


# Where we do otherwise, with what the official client makes of it in the comment.
DIFFERENT: list[tuple[str, tuple[Node, ...]]] = [
    # It replaces what stands before emphasis by a space: " b)" for this one. We lose nothing.
    ("(*b*)", ("(", Bold(("b",)), ")")),
    ("__init__", ("_", Italic(("init",)), "_")),
    (r"\*a\*", ("\\", Bold(("a\\",)))),
    ("x.com/_a_", (AutoLink("http://x.com/", "x.com/"), Italic(("a",)))),
    # It takes any word before a colon for a scheme: a link to "see:x.com".
    ("see:x.com", ("see:", AutoLink("http://x.com", "x.com"))),
    ("javascript:x.com", ("javascript:", AutoLink("http://x.com", "x.com"))),
    # And so it overlooks this one.
    ("mail:me@x.com", ("mail:", AutoLink("mailto:me@x.com", "me@x.com"))),
    # It throws a URIError.
    ("<!!mention:50%|x>", (Mention("50%", "x"),)),
]


@pytest.mark.parametrize(("text", "nodes"), DIFFERENT)
def test_no_character_is_lost_and_no_link_is_made_up(text: str, nodes: tuple[Node, ...]) -> None:
    assert parse(text) == nodes


def test_marked_links_are_read_on_demand() -> None:
    text = "<https://x.com/a|here>"
    assert parse(text) == (Link("https://x.com/a", ("here",)),)
    assert parse(text, links=False) == (
        "<",
        AutoLink("https://x.com/a", "https://x.com/a"),
        "|here>",
    )


# Both ways

SIGNS = "*_~`-+<>|!:&?=/.,@()\n\r\t 0123456789abx\u00a0\u2028é%"
FRAGMENTS = (
    *SIGNS,
    *("*a*", "_b_", "~c~", "```", "```d```", "\n- ", "* ", "x.com", "http://x.com/a_b", "a@b.com"),
    *("<!!mention:", "<!!mention:u|B>", "<!!customemoji:", "<!!customemoji:e>", "<https://x.com|"),
    *("<actionlink:", "<actionbutton:go?a=1&b=%20|", "+31 20 123 4567", "12345678"),
)
texts = st.text() | st.lists(st.sampled_from(FRAGMENTS), max_size=20).map("".join)


@given(texts)
@example("x\n \n- a\n- b\n\ny")
@example("- ")
def test_what_is_written_is_read_as_the_same_tree(text: str) -> None:
    nodes = parse(text)
    assert parse(to_markup(nodes)) == nodes


HALVES = st.sampled_from([*FRAGMENTS, "\ud800", "\udcfc", "?", "="])


@given(st.lists(HALVES, max_size=12).map("".join))
@example("<!!mention:\udc80|>")
@example("<actionlink:x?\udcfc=1|z>")
def test_text_that_is_not_valid_unicode_is_read_and_written_all_the_same(text: str) -> None:
    for links in (False, True):
        to_markup(parse(text, links=links))


@given(texts)
def test_no_text_is_lost(text: str) -> None:
    """Without its signs and spaces, which mean something, a text is all there."""

    def shown(nodes: tuple[Node, ...]) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, str):
                yield node
            elif isinstance(node, Bold | Italic | Strikethrough | BulletList | BulletPoint):
                yield from shown(node.children)
            elif isinstance(node, AutoLink):
                yield node.text

    if "```" in text or "<" in text:
        return
    kept = [it for it in text if it not in "*_~-+" and not it.isspace() and it != "\ufeff"]
    assert [it for part in shown(parse(text)) for it in part if it in kept] == kept


words = st.text("abcdé", min_size=2, max_size=5)
ids = st.text("ab %|>é\n", min_size=1, max_size=4)
leaves: st.SearchStrategy[Node] = st.one_of(
    st.builds(CodeSpan, words),
    st.builds(CustomEmoji, words),
    st.builds(Mention, ids, words),
    st.sampled_from([AutoLink("http://x.com", "x.com"), AutoLink("mailto:a@b.com", "a@b.com")]),
)
EMPHASIS: list[type[Bold | Italic | Strikethrough]] = [Bold, Italic, Strikethrough]
ACTIONS: list[type[ActionLink | ActionButton]] = [ActionLink, ActionButton]
emphasis = st.sampled_from(EMPHASIS)


@st.composite
def lines(draw: st.DrawFn) -> tuple[Node, ...]:
    """A line that markup can say: its nodes stand apart, emphasis has no tags in it."""
    nodes: list[Node] = [draw(words)]
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.integers(0, 4))
        if kind == 0:
            kinds = draw(st.permutations(EMPHASIS))
            node: Node = kinds[0]((draw(words),))
            for outer in kinds[1 : draw(st.integers(1, 3))]:
                node = outer((draw(words) + " ", node, " " + draw(words)))
        elif kind == 1:
            node = Link("https://x.com/a", (f"{draw(words)} ", draw(emphasis)((draw(words),))))
        elif kind == 2:
            action = draw(st.sampled_from(ACTIONS))
            node = action(draw(words), draw(st.dictionaries(st.text("a &=é|>"), st.text())), ("x",))
        else:
            node = draw(leaves)
        nodes[-1] = f"{nodes[-1]} "
        nodes += (node, f" {draw(words)}")
    return tuple(nodes)


@given(st.lists(lines(), min_size=1, max_size=3), lines(), lines())
def test_a_tree_that_markup_can_say_survives(
    points: list[tuple[Node, ...]], before: tuple[Node, ...], after: tuple[Node, ...]
) -> None:
    nodes = (*before, BulletList(tuple(map(BulletPoint, points))), *after)
    assert parse(to_markup(nodes)) == nodes


def test_blocks_of_text_stand_on_lines_of_their_own() -> None:
    assert to_markup((TextBlock(("a",)), TextBlock((Bold(("b",)),)))) == "a\n*b*"


@pytest.mark.parametrize(
    "block", [FileBlock(file_token="t", url="u", size=1, filename="f"), LocationBlock(1, 2)]
)
def test_what_has_no_markup_is_refused(block: FileBlock | LocationBlock) -> None:
    with pytest.raises(ValueError, match="there is no markup for a"):
        to_markup((TextBlock(("a",)), block))


def test_text_that_looks_like_markup_becomes_markup() -> None:
    assert parse(to_markup(("*a*",))) == (Bold(("a",)),)


def test_a_tree_of_any_depth_is_written() -> None:
    deep: Node = "x"
    for _ in range(10_000):
        deep = Bold((deep,))
    assert len(to_markup((deep,))) == 20_001


# Hostile texts

HOSTILE = [
    *(
        "*",
        "_",
        "~",
        "`",
        "<",
        "(",
        "[",
        "-",
        "+",
        "#",
        "/",
        ":",
        "@",
        ".",
        "|",
        "!",
        "0",
        "a",
        "\n",
    ),
    *(
        "*a",
        "*a ",
        " *a",
        "*a*",
        "*a *b_",
        "_*_",
        "*_~",
        "a*b ",
        "**a ",
        "* ",
        "- ",
        "-\n",
        "\n ",
        " \n",
    ),
    *(
        "```",
        "````a",
        "``` ",
        "<!!mention:",
        "<!!mention:u|",
        "<!!customemoji:",
        "<!!mention:u|x\n",
    ),
    *(
        "<http://",
        "<http://x|",
        "<https:|a",
        "<actionlink:",
        "<actionlink:a?b=c&|",
        "<<",
        "|>",
        "><",
    ),
    *(
        "a.",
        "a..",
        "a-",
        "a-.",
        "a_",
        "a@",
        "a.com",
        "a.com/",
        "a.com.",
        "a.b@",
        "@a",
        "a!b",
        "://",
        "a:",
    ),
    *(
        "http://",
        "http://a",
        "http://a.",
        "http://a/(",
        "a.com/((",
        "a.com/))",
        "x+",
        "a//",
        "mailto:a@",
    ),
    *(
        "1-",
        "1 ",
        "1.2.3.",
        "+1",
        "(1",
        "12345678 ",
        "1234567-1",
        "1234-5678 ",
        "255.",
        "é",
        "\u0300",
    ),
]


def seconds(text: str) -> float:
    """How long it takes to read and to write a text."""
    start = time.perf_counter()
    to_markup(parse(text))
    return time.perf_counter() - start


@pytest.mark.parametrize("shape", HOSTILE, ids=ascii)
def test_hostile_text_is_read_in_linear_time(shape: str) -> None:
    for frame in ("{}", "- *{}*"):
        for _ in range(5):  # somebody else may want the machine in between
            short = seconds(frame.format(shape * (50_000 // len(shape))))
            if seconds(frame.format(shape * (100_000 // len(shape)))) < 3 * max(short, 0.01):
                break
        else:
            pytest.fail(f"twice the text takes more than three times as long: {frame}")


@given(st.text(alphabet="ab yZéß東 \n.,;!?'\"()", min_size=1))
@example("see example.com")
@example("e.g.\nthis, com.")
@example("東.com (or.org)")
def test_a_text_without_signs_is_read_at_once_as_it_would_be_step_by_step(text: str) -> None:
    nodes = parse(text)
    behind = parse(f"~ {text}")  # a sign that means nothing: all steps are taken
    first = nodes[:1] if isinstance(nodes[0], str) else ()
    assert behind == ("~ " + "".join(map(str, first)), *nodes[len(first) :])


def depth(nodes: tuple[Node, ...]) -> int:
    inner = [getattr(node, "children", ()) for node in nodes if not isinstance(node, str)]
    return max((1 + depth(children) for children in inner), default=0)


@given(texts)
@example("- *_~x.com~_*")
@example("*_~" * 50 + "x" + "~_*" * 50)
@example("- " * 100 + "*_" * 100)
def test_no_text_nests_deeper_than_a_server_takes(text: str) -> None:
    assert depth(parse(text)) <= MOST_DEPTH


def test_the_deepest_that_a_text_can_nest() -> None:
    assert depth(parse("- *_~x.com~_*")) == MOST_DEPTH
