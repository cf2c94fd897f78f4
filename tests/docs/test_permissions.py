"""The page about permissions says what the server decides."""

import re
from collections.abc import Callable

import pytest

from docs.generator.source import ROOT
from rtflow.errors import RequestRefused
from rtflow.server.domain.permissions import (
    Standing,
    may_add_participant,
    may_delete_message,
    may_edit_conversation,
    may_edit_message,
    may_edit_participant,
    may_react,
    may_remove_participant,
    may_see_conversation,
    may_send_message,
)

Rule = Callable[[Standing], RequestRefused | None]

PAGE = (ROOT / "docs/reference/permissions.md").read_text()
TABLE = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in re.findall(r"^\|.+\|$", PAGE, re.MULTILINE)
][2:]
COLUMNS = (Standing.STRANGER, Standing.READER, Standing.WRITER)

RULES: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("read, watch", (may_see_conversation,)),
    ("set its subject", (lambda who: may_edit_conversation(who, changes=True),)),
    ("let somebody in", (lambda who: may_add_participant(who, himself=False),)),
    (
        "set the access of anybody",
        (
            lambda who: may_edit_participant(who, himself=False, access=True, notify=False),
            lambda who: may_edit_participant(who, himself=True, access=True, notify=False),
        ),
    ),
    (
        "set whether somebody else",
        (lambda who: may_edit_participant(who, himself=False, access=False, notify=True),),
    ),
    (
        "set whether I am",
        (lambda who: may_edit_participant(who, himself=True, access=False, notify=True),),
    ),
    ("put somebody out", (lambda who: may_remove_participant(who, himself=False),)),
    ("leave", (lambda who: may_remove_participant(who, himself=True),)),
    ("send a message", (may_send_message,)),
    (
        "edit or delete a message of mine",
        (
            lambda who: may_edit_message(who, own=True),
            lambda who: may_delete_message(who, own=True),
        ),
    ),
    (
        "edit or delete a message of somebody else",
        (
            lambda who: may_edit_message(who, own=False),
            lambda who: may_delete_message(who, own=False),
        ),
    ),
    ("add or take back a reaction of mine", (lambda who: may_react(who, himself=True),)),
    ("add or take back a reaction of somebody", (lambda who: may_react(who, himself=False),)),
)


def test_each_row_has_its_rules() -> None:
    assert len(TABLE) == len(RULES)
    assert [row[0] for row, (what, _) in zip(TABLE, RULES, strict=True) if what not in row[0]] == []


@pytest.mark.parametrize("number", range(len(RULES)), ids=[what for what, _ in RULES])
def test_a_row_says_what_is_decided(number: int) -> None:
    for rule in RULES[number][1]:
        decided = map(rule, COLUMNS)
        assert TABLE[number][1:] == [f"`{type(it).__name__}`" if it else "yes" for it in decided]
