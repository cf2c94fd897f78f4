"""Conversation filters: which conversations belong in a list (protocol.md 7.7), for both sides.

A filter is one simple filter, all of whose keys must hold, or `("any", (simple, ...))`. Values are
checked when decoded; `matches` then decides from plain facts, with no I/O.
"""

from typing import Annotated, Any, Literal, TypeAlias, cast

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
    `("!between", ...)`, with `end` excluded. Times are unix milliseconds.
    """

    access: TextFilter | UnsetType = UNSET
    """What I may do there: `Read` or `ReadWrite`."""

    subject: TextFilter | UnsetType = UNSET
    """What it is about; `None` is one without a subject."""

    custom: dict[str, CustomFilter] | UnsetType = UNSET
    """By key: a text filter for its value, or `"exists"`, or `"!exists"`."""

    is_unread: bool | UnsetType = UNSET
    """Whether there is something that I have not read."""

    has_messages: bool | UnsetType = UNSET
    """Whether something was ever said."""

    last_activity_at: NumberFilter | UnsetType = UNSET
    """When the last message was sent, or I joined while there is none (unix ms)."""

    created_at: NumberFilter | UnsetType = UNSET
    """When it was created (unix ms)."""

    joined_at: NumberFilter | UnsetType = UNSET
    """When I joined (unix ms)."""

    def __post_init__(self) -> None:
        """Refuse what the types alone cannot: an operand that does not fit its operator.

        Types are checked when a filter is decoded; one that is made in Python may hold anything.
        """
        for key in ("access", "subject"):
            _check(key, getattr(self, key), "oneOf", "!oneOf")
        for key in ("last_activity_at", "created_at", "joined_at"):
            _check(key, getattr(self, key), "between", "!between")
        if self.custom is not UNSET:
            if not isinstance(cast("object", self.custom), dict):
                raise TypeError(f"custom must be a dict, not {self.custom!r}")
            for key, wanted in self.custom.items():
                if wanted not in ("exists", "!exists"):
                    _check(f"custom.{key}", wanted, "oneOf", "!oneOf")


def _check(key: str, given: object, *plural: str) -> None:
    if given is UNSET:
        return
    if not isinstance(given, tuple) or len(pair := cast("tuple[object, ...]", given)) != 2:
        raise TypeError(f"{key} must be a pair of operator and operand, not {given!r}")
    operator, operand = pair
    if isinstance(operand, tuple) != (operator in plural):
        raise ValueError(f"the operand of {operator!r} in {key} has the wrong shape")


AnyOf: TypeAlias = tuple[
    Literal["any"], Annotated[tuple[ConversationFilter, ...], Meta(max_length=20)]
]
Filter: TypeAlias = ConversationFilter | AnyOf


ALL = ConversationFilter()


_ON_THE_WIRE = {
    field.name: field.encode_name for field in msgspec.structs.fields(ConversationFilter)
}


def as_filter(value: object) -> Filter:
    """Return a filter from plain data, such as decoded JSON, or from a ready filter.

    Keys may have the names of the wire or of Python (`isUnread`, `is_unread`). Raises `TypeError`
    or `ValueError` that names the place.
    """
    try:
        plain = msgspec.json.decode(msgspec.json.encode(value))
        match plain:
            case dict():
                plain = _renamed(plain)
            case ["any", [*several]]:
                plain = ["any", [_renamed(each) for each in several]]
            case _:
                pass
        return msgspec.convert(plain, type=ConversationFilter | AnyOf)
    except (msgspec.ValidationError, UnicodeEncodeError) as exc:
        raise ValueError(f"not a conversation filter: {exc}") from exc
    except TypeError as exc:
        raise TypeError(f"not a conversation filter: {value!r}") from exc


def _renamed(simple: Any) -> Any:  # Any: decoded JSON, checked by the caller
    if not isinstance(simple, dict):
        return simple
    keys = cast("dict[str, Any]", simple)
    return {_ON_THE_WIRE.get(key, key): value for key, value in keys.items()}


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
