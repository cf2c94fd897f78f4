"""Patterns are compiled when they are first used, and are like any other then."""

import re

import pytest

from rtflow.model.patterns import pattern


def test_a_pattern_finds_what_a_compiled_one_finds() -> None:
    vowel = pattern("[AEIOU]", re.IGNORECASE)
    for _ in range(2):
        found = vowel.search("syntax error")
        assert found is not None
        assert found.span() == (4, 5)
    assert vowel.sub("-", "syntax error") == "synt-x -rr-r"
    assert vowel.flags == re.compile("[AEIOU]", re.IGNORECASE).flags


def test_a_pattern_is_not_compiled_before_its_first_use() -> None:
    wrong = pattern("(")
    with pytest.raises(re.error):
        wrong.search("")
