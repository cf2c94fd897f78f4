"""Which conversations a filter lets through."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtflow.client.state.keys import ListKey
from rtflow.model.entities import Conversation
from rtflow.model.filters import ConversationFilter, Filter, as_filter, matches, normalised


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
    ({"access": ["oneOf", "x"]}, "'oneOf' in access must be a tuple, not 'x'"),
    ({"access": ["==", ["x"]]}, "'==' in access must be one value, not ('x',)"),
    ({"custom": {"a": ["oneOf", "x"]}}, "custom.a"),
    ({"createdAt": ["between", 3]}, "must be a tuple, not 3"),
    ({"createdAt": [">", [1, 2]]}, "must be one value, not (1.0, 2.0)"),
    ({"createdAt": ["~", 1]}, "$.createdAt[0]"),
    ({"isUnread": 1}, "$.isUnread"),
    (["all", []], "$[0]"),
    (7, "int"),
    (["any", [{}] * 21], "length <= 20"),
    (["any", [["any", []]]], "$[1][0]"),
    ({"subject": ["oneOf", ["x"] * 1001]}, "length <= 1000"),
    ({"custom": {str(n): "exists" for n in range(101)}}, "length <= 100"),
    ({"createdAt": [">", float("inf")]}, "null"),
    ({"access": None}, "null"),
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


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"subject": ("oneOf", ["x"])}, r"'oneOf' in subject must be a tuple, not \['x'\]"),
        ({"created_at": (">", float("nan"))}, "'>' in created_at must be finite, not nan"),
        ({"joined_at": ("between", (0, float("inf")))}, r"must be finite, not \(0, inf\)"),
    ],
)
def test_an_operand_that_does_not_fit_is_told(fields: dict[str, object], hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        ConversationFilter(**fields)  # type: ignore[arg-type]  # that is what is tested


def test_a_filter_shows_what_it_filters_by_and_nothing_else() -> None:
    assert repr(ConversationFilter(is_unread=True)) == "ConversationFilter(is_unread=True)"


def test_what_is_no_filter_at_all_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="not a conversation filter: <object"):
        as_filter(object())


def test_a_filter_that_is_nested_too_deep_is_refused() -> None:
    deep: object = {}
    for _ in range(100_000):
        deep = ["any", [deep]]
    with pytest.raises(ValueError, match="nested too deep"):
        as_filter(deep)
    while isinstance(deep, list):  # or its end would be too deep as well
        deep = deep[1][0]


def test_text_that_is_not_unicode_is_refused_at_the_call() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        as_filter({"subject": ["==", "\ud800"]})


# The normal form

NORMAL: list[tuple[object, object]] = [  # what the official client (1.12.0) sends
    ({}, {}),
    ({"createdAt": [">=", 5]}, {"createdAt": [">", 4]}),
    ({"createdAt": ["<=", 5]}, {"createdAt": ["<", 6]}),
    ({"createdAt": [">", 5]}, {"createdAt": [">", 5]}),
    ({"createdAt": ["between", [1, 5]]}, {"createdAt": ["between", [1, 5]]}),
    ({"createdAt": ["between", [5, 5]]}, ["any", []]),
    ({"createdAt": ["!between", [5, 1]]}, {}),
    ({"subject": ["oneOf", ["x"]]}, {"subject": ["==", "x"]}),
    ({"subject": ["!oneOf", ["x"]]}, {"subject": ["!=", "x"]}),
    ({"subject": ["oneOf", []]}, ["any", []]),
    ({"subject": ["!oneOf", []]}, {}),
    (
        {"subject": ["oneOf", ["a", "B", "é", "a", "Z", None]]},
        {"subject": ["oneOf", ["B", "Z", "a", None, "é"]]},
    ),
    ({"subject": ["==", None]}, {"subject": ["==", None]}),
    ({"access": ["oneOf", ["ReadWrite", "Read"]]}, {}),
    ({"access": ["!oneOf", ["Read", "ReadWrite"]]}, ["any", []]),
    ({"access": ["!=", "Read"]}, {"access": ["==", "ReadWrite"]}),
    ({"access": ["==", "foo"]}, ["any", []]),
    ({"access": ["!=", "foo"]}, {}),
    ({"custom": {}}, {}),
    (
        {"custom": {"b": "exists", "a": ["oneOf", ["y", "x"]]}},
        {"custom": {"a": ["oneOf", ["x", "y", "x"]], "b": "exists"}},
    ),
    ({"custom": {"a": ["oneOf", []]}}, ["any", []]),
    ({"custom": {"a": ["!oneOf", []]}}, {}),
    (["any", []], ["any", []]),
    (["any", [{"isUnread": True}]], {"isUnread": True}),
    (["any", [{"isUnread": True}, {"isUnread": True}]], {"isUnread": True}),
    (["any", [{"isUnread": True}, {}]], {}),
    (
        ["any", [{"isUnread": True}, {"isUnread": False}]],
        ["any", [{"isUnread": False}, {"isUnread": True}]],
    ),
    (["any", [{"subject": ["oneOf", []]}]], ["any", []]),
    (["any", [{"createdAt": [">=", 3]}, {"access": ["oneOf", ["Read", "ReadWrite"]]}]], {}),
]


@pytest.mark.parametrize(("given", "normal"), NORMAL)
def test_filters_that_mean_the_same_have_one_form(given: object, normal: object) -> None:
    assert normalised(as_filter(given)) == normalised(as_filter(normal))


def test_the_normal_form_travels_as_the_official_client_writes_it() -> None:
    given = {
        "subject": ["oneOf", ["b", "a", None]],
        "lastActivityAt": [">=", 2],
        "custom": {"z": "exists", "a": ["!oneOf", ["x"]]},
        "isUnread": True,
        "createdAt": ["between", [1, 5]],
        "access": ["!=", "ReadWrite"],
    }
    assert msgspec.json.encode(normalised(as_filter(given))).decode() == (
        '{"access":["==","Read"],"createdAt":["between",[1,5]],"custom":{"a":["!=","x"],'
        '"z":"exists"},"isUnread":true,"lastActivityAt":[">",1],"subject":["oneOf",["a","b",null]]}'
    )
    several = ["any", [{"subject": ["==", "b"]}, {"isUnread": True}, {"subject": ["==", "a"]}]]
    assert msgspec.json.encode(normalised(as_filter(several))).decode() == (
        '["any",[{"isUnread":true},{"subject":["==","a"]},{"subject":["==","b"]}]]'
    )


texts = st.sampled_from(["a", "b", "null", "Read", "ReadWrite"]) | st.none()
text_filters = st.one_of(
    st.tuples(st.sampled_from(["==", "!="]), texts),
    st.tuples(st.sampled_from(["oneOf", "!oneOf"]), st.lists(texts, max_size=3).map(tuple)),
)
numbers = st.integers(0, 5) | st.sampled_from([0.5, 2.0, 2.5])
number_filters = st.one_of(
    st.tuples(st.sampled_from([">", "<", ">=", "<="]), numbers),
    st.tuples(st.sampled_from(["between", "!between"]), st.tuples(numbers, numbers)),
)
custom_filters = st.dictionaries(
    st.sampled_from(["k", "l"]), text_filters | st.sampled_from(["exists", "!exists"])
)
simple_filters = st.fixed_dictionaries(
    {},
    optional={
        "access": text_filters,
        "subject": text_filters,
        "custom": custom_filters,
        "is_unread": st.booleans(),
        "has_messages": st.booleans(),
        "created_at": number_filters,
        "joined_at": number_filters,
        "last_activity_at": number_filters,
    },
)
filters = (simple_filters | st.lists(simple_filters, max_size=3).map(lambda it: ("any", it))).map(
    as_filter
)
conversations = st.builds(
    conversation,
    access=st.sampled_from(["Read", "ReadWrite"]),
    subject=st.sampled_from(["a", "b", "null", None]),
    custom=st.dictionaries(st.sampled_from(["k", "l"]), st.sampled_from(["a", "null"])),
    is_unread=st.booleans(),
    created_at=st.integers(0, 5),
    joined_at=st.integers(0, 5),
    last_message_at=st.integers(0, 5),
)


@given(filters, conversations)
def test_the_normal_form_means_the_same(given: Filter, it: Conversation) -> None:
    normal = normalised(given)
    assert matches(normal, it) == matches(given, it)
    assert normalised(normal) == normal
    assert as_filter(normal) == normal


@given(filters, filters)
def test_filters_of_one_form_share_one_list(one: Filter, other: Filter) -> None:
    is_same = normalised(one) == normalised(other)
    assert (ListKey.of(one) == ListKey.of(other)) == is_same
    assert not is_same or hash(ListKey.of(one)) == hash(ListKey.of(other))
