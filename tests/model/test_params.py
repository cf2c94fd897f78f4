"""Wrong keyword arguments and ids are refused at the call, by name."""

from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from rtflow.model.arguments import checked
from rtflow.model.ids import checked_id
from rtflow.model.params import (
    CreateUser,
    EditMessage,
    ParticipantParams,
    Renew,
    SetUser,
    ValidateFile,
)


@pytest.mark.parametrize(
    ("fields", "error", "hint"),
    [
        ({}, TypeError, "missing the keyword argument 'name'"),
        ({"name": 7}, TypeError, "`str`, got `int` - at `name`"),
        ({"name": ""}, ValueError, "length >= 1"),
        ({"name": "x" * 1_001}, ValueError, "length <= 1000"),
        ({"name": "x", "nmae": "y"}, TypeError, "'nmae'; it knows name"),
        ({"name": "x", "custom": {"a": 1}}, TypeError, "custom"),
        ({"name": "x", "photo_url": 7}, TypeError, "`str | None`, got `int` - at `photo_url`"),
        ({"name": "x", "photo_url": b"https://x"}, TypeError, "got `bytes` - at `photo_url`"),
        ({"name": "x", "locale": UUID(int=1)}, TypeError, "got `uuid` - at `locale`"),
        ({"name": "x", "custom": {1: "a"}}, TypeError, "got `int` - at `key` in `custom`"),
        ({"name": "x", "custom": ["a"]}, TypeError, "`dict | None`, got `list`"),
        ({"name": "x", "email": object()}, TypeError, "object cannot be sent"),
        ({"name": "\ud800"}, ValueError, "surrogates"),
    ],
)
def test_wrong_arguments_are_refused_by_name(
    fields: dict[str, Any], error: type[Exception], hint: str
) -> None:
    with pytest.raises(error) as caught:
        checked(CreateUser, "user.create_if_not_exists()", **fields)
    assert "user.create_if_not_exists()" in str(caught.value)
    assert hint in str(caught.value)


def test_a_word_that_is_none_of_the_known_ones_is_a_value_error_that_lists_them() -> None:
    with pytest.raises(ValueError, match="'Admin' - at `access`; it takes 'Read', 'ReadWrite'"):
        checked(ParticipantParams, "participant.set", access="Admin")
    with pytest.raises(ValueError, match="`notify`; it takes True, False, 'MentionsOnly'"):
        checked(ParticipantParams, "participant.set", notify="Mentions")
    with pytest.raises(TypeError, match=r"`content\[0\].type`"):
        checked(EditMessage, "message.edit", content=[{"type": "sticker"}])


def test_a_number_out_of_bounds_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="`int` >= 0 - at `filesize`"):
        checked(ValidateFile, "upload", filename="x", filesize=-1)


def test_any_mapping_may_be_given_for_a_dict() -> None:
    given = MappingProxyType({"a": "b"})
    assert checked(SetUser, "user.set", custom=given) == SetUser(custom={"a": "b"})


def test_absent_and_none_are_different() -> None:
    assert checked(SetUser, "set") == SetUser()
    assert checked(SetUser, "set", locale=None) == SetUser(locale=None) != SetUser()


@pytest.mark.parametrize("wrong", [None, 7, b"x", ["x"]])
def test_an_id_that_is_no_string_is_a_type_error(wrong: object) -> None:
    with pytest.raises(TypeError, match="a user id must be a str"):
        checked_id(wrong, "a user id")


@pytest.mark.parametrize("wrong", ["", "x" * 256, "\ud800"])
def test_an_id_that_is_empty_or_too_long_or_broken_is_a_value_error(wrong: str) -> None:
    with pytest.raises(ValueError, match="a user id"):
        checked_id(wrong, "a user id")


@pytest.mark.parametrize("fine", ["x", "x" * 255, "a/b c%?#é", "\u0000", "🎉"])
def test_an_id_may_hold_any_character(fine: str) -> None:
    assert checked_id(fine, "a user id") == fine


def test_a_token_is_never_printed() -> None:
    assert "secret" not in repr(Renew(token="secret"))
