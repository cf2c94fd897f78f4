"""The table of the official client's names is whole, and nothing in it is made up."""

import ast
import os
from collections import Counter
from pathlib import Path

import pytest

from docs.generator.compatibility import FILE, Row, found, rows
from docs.generator.source import ROOT
from tests.docs.official import names_in

ROWS = [*rows()]
PACKAGE = "@talkjs/core/dist/talkSession.d.ts"
INSTALLED = Path(os.environ.get("NODE_MODULES", ROOT / "tests/interop/node_modules")) / PACKAGE


def test_no_cell_is_empty_and_no_name_is_there_twice() -> None:
    assert [row.theirs for row in ROWS if not (row.ours and row.test)] == []
    assert [name for name, times in Counter(row.theirs for row in ROWS).items() if times > 1] == []


def test_each_of_our_names_exists() -> None:
    assert sorted({row.ours for row in ROWS if not found(row.ours)}) == []


def test_each_test_exists() -> None:
    assert sorted({row.test for row in ROWS if not is_there(row.test)}) == []


def is_there(test: str) -> bool:
    file, _, name = test.partition("::")
    path = ROOT / file
    return path.is_file() and name in {
        node.name
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.skipif(not INSTALLED.is_file(), reason="`make interop` installs the official client")
def test_the_names_are_those_that_the_official_client_declares() -> None:
    assert [row.theirs for row in ROWS] != []
    assert {row.theirs for row in ROWS} == {*names_in(INSTALLED.read_text())}


@pytest.mark.parametrize(
    ("path", "leads_somewhere"),
    [
        ("rtflow.Session", True),
        ("rtflow.Session.user", True),
        ("rtflow.Session.token", True),
        ("rtflow.UserSnapshot.photo_url", True),
        ("rtflow.UserRef.set.photo_url", True),
        ("rtflow.RequestRefused.code", True),
        ("rtflow.model.content.Block", True),
        ("reactivex.abc.DisposableBase.dispose", True),
        ("rtflow.UserRef.set.photoUrl", False),
        ("rtflow.UserRef.fly", False),
        ("rtflow.UserSnapshot.photo_url.width", False),
        ("nowhere.Session", False),
    ],
)
def test_a_path_is_followed_to_where_it_leads(path: str, leads_somewhere: bool) -> None:
    assert found(path) is leads_somewhere


def test_declarations_are_read_for_names_alone() -> None:
    declarations = """\
/** declare interface Not { here: string } */
export declare interface One {
    /** commented: out */
    readonly first: string;
    second?(of: string): void;
    second?(options: {
        deeper: string;
    }): void;
}

export declare type Two = One | null;

export declare type Three = {
    only: () => void;
};

export declare function four(five: One): void;

export { }
"""
    assert [*names_in(declarations)] == [
        *("One", "One.first", "One.second"),
        *("Two", "Three", "Three.only", "four"),
    ]


def test_a_member_is_where_its_declaration_is_unless_it_says_otherwise(tmp_path: Path) -> None:
    file = tmp_path / FILE.name
    file.write_text("""\
[users.User]
ours = "rtflow.User"
test = "t"
note = "n"
photoUrl = "photo_url"
type = "."
get = { ours = "rtflow.Live.get", test = "u", note = "awaited" }
""")
    assert [*rows(file)] == [
        Row("users", "User", "rtflow.User", "t", "n"),
        Row("users", "User.photoUrl", "rtflow.User.photo_url", "t"),
        Row("users", "User.type", "rtflow.User", "t"),
        Row("users", "User.get", "rtflow.Live.get", "u", "awaited"),
    ]
