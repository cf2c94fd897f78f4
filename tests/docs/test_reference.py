"""The reference says what the code says, all of it, and each thing once.

The generator is docs/generator. The last tests show each rule a culprit.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct, structs

from docs.generator.codes import CODES, meanings, raised_in
from docs.generator.keywords import takers
from docs.generator.markdown import linked, prose, table
from docs.generator.names import (
    DOORS,
    Public,
    constructor,
    function_of,
    members,
    of_door,
    parameters,
    said_of,
    unpacked,
)
from docs.generator.pages import PAGES, REGION, rendered
from docs.generator.source import TOLD_BY, docs_of_fields
from docs.generator.wire import BODIES, DIFFS, EVENTS, requests_of
from rtflow.model import entities
from rtflow.server import Settings
from rtflow.wire.endpoints import ALL

PUBLIC = [it for door in DOORS for it in of_door(door)]
CLASSES = [it for it in PUBLIC if inspect.isclass(it.value) and it.value is not Settings]
FUNCTIONS = [it for it in PUBLIC if inspect.isroutine(it.value)]
ENTITIES = [kind for kind in map(vars(entities).get, entities.__all__) if isinstance(kind, type)]
REGIONS = [region["what"] for page in PAGES for region in REGION.finditer(page.read_text())]
TEXT = "\n".join(page.read_text() for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_what_the_generator_writes(page: Path) -> None:
    lines, wanted = page.read_text().splitlines(), rendered(page).splitlines()
    assert [*unified_diff(lines, wanted, n=0, lineterm="")] == [], "make docs writes it"


@pytest.mark.parametrize("it", PUBLIC, ids=lambda it: f"{it.door}.{it.name}")
def test_every_public_name_has_one_section(it: Public) -> None:
    told = f"## {it.name}\n\n`from {it.door} import {it.name}`;"
    assert TEXT.count(told) == 1


# Nothing is passed over in silence


def undescribed(name: str, function: Callable[..., Any], told: str) -> Iterator[str]:
    """Find the parameters that a docstring does not name."""
    for parameter in parameters(function).values():
        is_named = re.search(rf"`[^`]*\b{parameter.name}\b[^`]*`", told)
        if not is_named and unpacked(parameter) is None:
            yield f"{name}: what is `{parameter.name}`?"


def untold(name: str, kind: type[object]) -> Iterator[str]:
    """Find what a class does not say of itself."""
    if not said_of(kind):
        yield f"{name}: what is it?"
    told = docs_of_fields(kind)
    fields = kind.__struct_fields__ if issubclass(kind, Struct) else attributes_of(kind)
    public = {member for member, _ in members(kind)}
    for field in fields:
        if field not in told and field not in public:
            yield f"{name}: what is its {field}?"
    if (make := constructor(kind)) is not None:
        yield from undescribed(name, make, said_of(kind))
    for member, value in members(kind):
        function = function_of(value)
        if not said_of(function):
            yield f"{name}.{member}: what does it do?"
        if not isinstance(value, property):
            yield from undescribed(f"{name}.{member}", function, said_of(function))
            if inspect.iscoroutinefunction(function) and not failures_of(function):
                yield f"{name}.{member}: what does it raise?"


def attributes_of(kind: type[object]) -> list[str]:
    """Return the public attributes that `__init__` sets."""
    if "__init__" not in vars(kind):
        return []
    tree = ast.parse(textwrap.dedent(inspect.getsource(vars(kind)["__init__"])))
    return [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and ast.unparse(node.value) == "self"
        and not node.attr.startswith("_")
        and not hasattr(BaseException, node.attr)
    ]


def failures_of(function: Callable[..., Any]) -> str | None:
    """Return what a coroutine function says of its failures; one of the client's must."""
    is_of_client = function.__module__.startswith("rtflow.client")
    found = re.search(r"Raises |raises |Idempotent|never fails", said_of(function))
    return found[0] if found else None if is_of_client else "not asked"


@pytest.mark.parametrize("it", CLASSES, ids=lambda it: f"{it.door}.{it.name}")
def test_a_class_tells_all_of_itself(it: Public) -> None:
    assert [*untold(it.name, it.value)] == []


@pytest.mark.parametrize("it", FUNCTIONS, ids=lambda it: f"{it.door}.{it.name}")
def test_a_function_tells_all_of_itself(it: Public) -> None:
    assert it.doc
    assert [*undescribed(it.name, it.value, it.doc)] == []


@pytest.mark.parametrize("kind", [*EVENTS, *DIFFS, *BODIES, *ENTITIES])
def test_every_key_that_travels_is_told(kind: type[Struct]) -> None:
    told = docs_of_fields(kind)
    assert said_of(kind)
    assert [field.name for field in structs.fields(kind) if not told.get(field.name)] == []


@pytest.mark.parametrize("keywords", takers(), ids=lambda it: it.__name__)
def test_every_keyword_argument_is_told_and_goes_somewhere(keywords: Any) -> None:
    told = docs_of_fields(keywords)
    assert keywords.__doc__
    assert [name for name in keywords.__annotations__ if not told.get(name)] == []
    for target in TOLD_BY.get(keywords, ())[:1]:
        known = {field.name for field in structs.fields(target)}
        assert keywords.__annotations__.keys() <= known


def test_nobody_is_told_by_who_has_nothing_to_tell() -> None:
    idle = [
        (kind.__name__, teller.__name__)
        for kind, tellers in TOLD_BY.items()
        for teller in tellers
        if docs_of_fields(teller).keys().isdisjoint(kind.__annotations__)
    ]
    assert idle == []


def test_every_request_is_listed_once() -> None:
    asked = [what.removeprefix("requests ") for what in REGIONS if what.startswith("requests ")]
    listed = [it.name for words in asked for it in requests_of(words.split())]
    assert sorted(listed) == sorted(it.name for it in ALL)


def test_every_entity_has_its_keys_listed() -> None:
    listed = {what.rpartition(":")[2] for what in REGIONS if what.startswith("keys ")}
    assert listed == {kind.__name__ for kind in ENTITIES}


def test_every_code_is_explained_and_every_explanation_is_of_a_code() -> None:
    assert meanings().keys() == {raised.code for raised in CODES}
    assert [name for name, it in meanings().items() if not it.means] == []
    of_unknown_status = {raised.code for raised in CODES if raised.status == 0}
    assert of_unknown_status == {name for name, it in meanings().items() if it.status}


# The rules find what they are there for


class Silent:
    def __init__(self, of: str) -> None:
        """Say nothing of what it is given."""
        self.of = of

    def answer(self, question: str) -> str:
        return question


def test_a_class_that_says_nothing_of_itself_is_found() -> None:
    assert [*untold("Silent", Silent)] == [
        "Silent: what is it?",
        "Silent: what is its of?",
        "Silent: what is `of`?",
    ]  # only the members of our own classes are looked at
    assert [*undescribed("answer", Silent.answer, "Answer `questions`.")] == [
        "answer: what is `question`?"
    ]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('raise BadRequest("A_B", "why")', [(400, "A_B")]),
        ('raise errors.NotFound("A_B")', [(404, "A_B")]),
        ('return ServerFailed("A_B", status=503)', [(503, "A_B")]),
        ('return BadRequest("A_B", status=status)', [(0, "A_B")]),
        ('raise ValueError("A_B")', []),
        ("raise refusal(status, code, reasons)", []),
    ],
)
def test_a_code_is_found_where_it_is_raised(source: str, found: list[tuple[int, str]]) -> None:
    raised = raised_in(ast.parse(source), "a.py")
    assert [(it.status, it.code) for it in raised] == found


def test_a_code_that_is_made_at_run_time_cannot_be_explained() -> None:
    with pytest.raises(ValueError, match=r"a\.py:1"):
        list(raised_in(ast.parse("raise BadRequest(code)"), "a.py"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a `Live` of `int`", "a [`Live`](#live) of `int`"),
        ("`Live[int]`", "[`Live`](#live)`[int]`"),
        (r"`Live \| None`", r"[`Live`](#live)` \| None`"),
        ("`tuple[Live, ...]`", "`tuple[`[`Live`](#live)`, ...]`"),
        ("[`Live`](there) and `await Live.get()`", "[`Live`](there) and `await Live.get()`"),
    ],
)
def test_a_name_in_code_becomes_a_link(text: str, expected: str) -> None:
    assert linked(text, {"Live": "#live"}.get) == expected


def test_what_is_raised_is_a_paragraph_of_its_own_and_code_stays_as_it_is() -> None:
    told = "Do it.\n\n    do(it)\n\nWith care. Raises `TypeError`\nfor nonsense."
    expected = "Do it.\n\n    do(it)\n\nWith care.\n\nRaises `TypeError` for nonsense."
    assert prose(told) == expected


def test_a_table_has_no_empty_columns_and_keeps_its_bars() -> None:
    assert table(("a", "b", ""), [("x | y", "", "z\nz")]) == (
        "| a | |\n| --- | --- |\n| x \\| y | z z |"
    )
