"""Which conversations a filter lets through."""

import pytest

from rtflow.model.entities import Conversation
from rtflow.model.filters import ConversationFilter, as_filter, matches


def conversation(**changes: object) -> Conversation:
    fields: dict[str, object] = {
        "id": "c",
        "subject": "Lunch",
        "custom": {"team": "red"},
        "created_at": 100,
        "joined_at": 150,
        "last_message_at": 200,
        "unread_message_count": 0,
        "is_unread": False,
        "read_until": 200,
        "everyone_read_until": 200,
        "access": "ReadWrite",
        "notify": True,
    }
    return Conversation(**{**fields, **changes})  # type: ignore[arg-type]  # built from a dict


CASES: list[tuple[object, bool]] = [
    ({}, True),
    ({"access": ["==", "ReadWrite"]}, True),
    ({"access": ["!=", "ReadWrite"]}, False),
    ({"subject": ["oneOf", ["Lunch", None]]}, True),
    ({"subject": ["!oneOf", ["Lunch", None]]}, False),
    ({"custom": {"team": "exists"}}, True),
    ({"custom": {"team": "!exists"}}, False),
    ({"custom": {"gone": "exists"}}, False),
    ({"custom": {"gone": "!exists", "team": ["==", "red"]}}, True),
    ({"custom": {"gone": ["!=", "x"]}}, True),
    ({"isUnread": True}, False),
    ({"isUnread": False}, True),
    ({"hasMessages": True}, True),
    ({"lastActivityAt": [">", 199]}, True),
    ({"lastActivityAt": [">", 200]}, False),
    ({"lastActivityAt": [">=", 200]}, True),
    ({"createdAt": ["<", 101]}, True),
    ({"createdAt": ["<=", 99]}, False),
    ({"joinedAt": ["between", [150, 151]]}, True),
    ({"joinedAt": ["between", [100, 150]]}, False),
    ({"joinedAt": ["!between", [100, 150]]}, True),
    ({"isUnread": False, "hasMessages": False}, False),
    (["any", []], False),
    (["any", [{"isUnread": True}, {"hasMessages": True}]], True),
]


@pytest.mark.parametrize(("given", "holds"), CASES)
def test_a_filter_lets_through_what_it_says(given: object, holds: bool) -> None:
    assert matches(as_filter(given), conversation()) is holds


def test_a_conversation_without_messages_has_none() -> None:
    assert not matches(as_filter({"hasMessages": True}), conversation(last_message_at=150))


WRONG: list[tuple[object, str]] = [
    ({"subjekt": ["==", "x"]}, "subjekt"),
    ({"access": ["oneOf", "x"]}, "wrong shape"),
    ({"access": ["==", ["x"]]}, "wrong shape"),
    ({"custom": {"a": ["oneOf", "x"]}}, "custom.a"),
    ({"createdAt": ["between", 3]}, "wrong shape"),
    ({"createdAt": [">", [1, 2]]}, "wrong shape"),
    ({"createdAt": ["~", 1]}, "$.createdAt[0]"),
    ({"isUnread": 1}, "$.isUnread"),
    (["all", []], "$[0]"),
    (7, "int"),
    (["any", [{}] * 21], "length <= 20"),
]


@pytest.mark.parametrize(("wrong", "hint"), WRONG)
def test_a_wrong_filter_is_refused_with_the_place(wrong: object, hint: str) -> None:
    with pytest.raises(ValueError, match="not a conversation filter") as caught:
        as_filter(wrong)
    assert hint in str(caught.value)


def test_a_filter_is_normal_form_of_itself() -> None:
    given = as_filter({"isUnread": True, "custom": {"a": ["==", "1"]}})
    assert as_filter(given) == given


def test_keys_may_have_the_names_of_python() -> None:
    assert as_filter({"is_unread": True}) == as_filter({"isUnread": True})
    assert as_filter(("any", ({"joined_at": (">", 3)},))) == as_filter(
        ["any", [{"joinedAt": [">", 3]}]]
    )


MADE_WRONG: list[tuple[dict[str, object], str]] = [
    ({"subject": "x"}, "subject must be a pair"),
    ({"subject": ()}, "subject must be a pair"),
    ({"created_at": 3}, "created_at must be a pair"),
    ({"custom": 3}, "custom must be a dict"),
    ({"custom": {"a": "x"}}, "custom.a must be a pair"),
]


@pytest.mark.parametrize(("fields", "hint"), MADE_WRONG)
def test_a_filter_that_is_made_wrongly_says_so_at_once(
    fields: dict[str, object], hint: str
) -> None:
    with pytest.raises(TypeError, match=hint):
        ConversationFilter(**fields)  # type: ignore[arg-type]  # that is what is tested


def test_what_is_no_filter_at_all_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="not a conversation filter: <object"):
        as_filter(object())


def test_text_that_is_not_unicode_is_refused_at_the_call() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        as_filter({"subject": ["==", "\ud800"]})
