"""Conversation filters: which conversations belong in a list (protocol.md 7.7), for both sides.

A filter is one simple filter, all of whose keys must hold, or `("any", (simple, ...))`. Values are
checked when decoded; `matches` then decides from plain facts, with no I/O.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from rtflow.model.entities import Conversation

__all__ = [
    "ALL",
    "AnyOf",
    "ConversationFilter",
    "CustomFilter",
    "Filter",
    "NumberFilter",
    "TextFilter",
    "alternatives",
    "as_filter",
    "matches",
]

TextFilter: TypeAlias = tuple[
    Literal["==", "!=", "oneOf", "!oneOf"], str | tuple[str | None, ...] | None
]
NumberFilter: TypeAlias = tuple[
    Literal[">", "<", ">=", "<=", "between", "!between"], float | tuple[float, float]
]
CustomFilter: TypeAlias = Literal["exists", "!exists"] | TextFilter


class ConversationFilter(
    Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """A simple filter: every key that is given must hold.

    A text filter is `("==", "x")`, `("!=", "x")`, `("oneOf", ("x", "y"))` or `("!oneOf", (...))`; a
    number filter `(">", n)`, `("<", n)`, `(">=", n)`, `("<=", n)`, `("between", (start, end))` or
    `("!between", ...)`, with `end` excluded. Times are unix milliseconds; `last_activity_at` is the
    time of the last message. Of `custom` each key takes a text filter, `"exists"` or `"!exists"`.
    """

    access: TextFilter | UnsetType = UNSET
    subject: TextFilter | UnsetType = UNSET
    custom: dict[str, CustomFilter] | UnsetType = UNSET
    is_unread: bool | UnsetType = UNSET
    has_messages: bool | UnsetType = UNSET
    last_activity_at: NumberFilter | UnsetType = UNSET
    created_at: NumberFilter | UnsetType = UNSET
    joined_at: NumberFilter | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Refuse an operand that does not fit its operator, which the types alone cannot say."""
        texts = {"access": self.access, "subject": self.subject}
        if self.custom is not UNSET:
            texts |= {f"custom.{k}": f for k, f in self.custom.items() if not isinstance(f, str)}
        for key, text in texts.items():
            if text is not UNSET and isinstance(text[1], tuple) != text[0].endswith("neOf"):
                raise ValueError(f"the operand of {text[0]!r} in {key} has the wrong shape")
        for key in ("last_activity_at", "created_at", "joined_at"):
            number: NumberFilter | UnsetType = getattr(self, key)
            if number is not UNSET and isinstance(number[1], tuple) != number[0].endswith(
                "between"
            ):
                raise ValueError(f"the operand of {number[0]!r} in {key} has the wrong shape")


AnyOf: TypeAlias = tuple[
    Literal["any"], Annotated[tuple[ConversationFilter, ...], Meta(max_length=20)]
]
Filter: TypeAlias = ConversationFilter | AnyOf


ALL = ConversationFilter()


def as_filter(value: object) -> Filter:
    """Return a filter from plain data, such as decoded JSON or a ready filter.

    Raises `ValueError` that names the place.
    """
    try:
        return msgspec.convert(msgspec.to_builtins(value), type=ConversationFilter | AnyOf)
    except msgspec.ValidationError as exc:
        raise ValueError(f"not a conversation filter: {exc}") from exc


def alternatives(given: Filter) -> tuple[ConversationFilter, ...]:
    """Return the simple filters of which one must hold."""
    return (given,) if isinstance(given, ConversationFilter) else given[1]


def matches(given: Filter, conversation: Conversation) -> bool:
    """Tell whether a conversation, as its participant sees it, belongs in the list."""
    return any(_holds(simple, conversation) for simple in alternatives(given))


def _holds(simple: ConversationFilter, it: Conversation) -> bool:
    return (
        _text(simple.access, it.access)
        and _text(simple.subject, it.subject)
        and _custom(simple.custom, it.custom)
        and simple.is_unread in (UNSET, it.is_unread)
        and simple.has_messages in (UNSET, it.last_message_at != it.joined_at)
        and _number(simple.last_activity_at, it.last_message_at)
        and _number(simple.created_at, it.created_at)
        and _number(simple.joined_at, it.joined_at)
    )


def _text(given: TextFilter | UnsetType, value: str | None) -> bool:
    if given is UNSET:
        return True
    operator, operand = given
    match operator:
        case "==":
            return value == operand
        case "!=":
            return value != operand
        case "oneOf":
            return value in _several(operand)
        case "!oneOf":
            return value not in _several(operand)


def _number(given: NumberFilter | UnsetType, value: int) -> bool:
    if given is UNSET:
        return True
    operator, operand = given
    if isinstance(operand, tuple):
        inside = operand[0] <= value < operand[1]
        return inside == (operator == "between")
    match operator:
        case ">":
            return value > operand
        case ">=":
            return value >= operand
        case "<":
            return value < operand
        case _:
            return value <= operand


def _custom(given: dict[str, CustomFilter] | UnsetType, custom: dict[str, str]) -> bool:
    if given is UNSET:
        return True
    for key, wanted in given.items():
        value = custom.get(key)
        if isinstance(wanted, str):
            holds = (value is not None) == (wanted == "exists")
        else:
            holds = _text(wanted, value)
        if not holds:
            return False
    return True


def _several(operand: str | tuple[str | None, ...] | None) -> tuple[str | None, ...]:
    return operand if isinstance(operand, tuple) else (operand,)
