"""Conversation filters: which conversations belong in a list (protocol.md 7.7), for both sides.

A filter is one simple filter, all of whose keys must hold, or `("any", (simple, ...))`. Values are
checked when decoded; `matches` then decides from plain facts, with no I/O. What is not there
differs from everything: of a custom key that is absent `!=` and `!oneOf` hold.

Filters of messages are not here because no request takes one.
"""

import math
from typing import Annotated, Any, Final, Literal, TypeAlias, cast

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
    "normalised",
]

MOST_OPERANDS: Final = 1_000  # of oneOf
MOST_KEYS: Final = 100  # of custom data
MOST_ALTERNATIVES: Final = 20

Operands = Annotated[tuple[str | None, ...], Meta(max_length=MOST_OPERANDS)]
TextFilter: TypeAlias = tuple[Literal["==", "!=", "oneOf", "!oneOf"], str | Operands | None]
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
    repr_omit_defaults=True,
    forbid_unknown_fields=True,
):
    """A simple filter: every key that is given must hold.

    A text filter is `("==", "x")`, `("!=", "x")`, `("oneOf", ("x", "y"))` or `("!oneOf", (...))`; a
    number filter `(">", n)`, `("<", n)`, `(">=", n)`, `("<=", n)`, `("between", (start, end))` or
    `("!between", ...)`, with `end` excluded. Times are unix milliseconds.
    """

    access: TextFilter | UnsetType = UNSET
    """What I may do there: `Read` or `ReadWrite`."""

    created_at: NumberFilter | UnsetType = UNSET
    """When it was created (unix ms)."""

    custom: Annotated[dict[str, CustomFilter], Meta(max_length=MOST_KEYS)] | UnsetType = UNSET
    """By key: a text filter for its value, or `"exists"`, or `"!exists"`."""

    has_messages: bool | UnsetType = UNSET
    """Whether something was ever said."""

    is_unread: bool | UnsetType = UNSET
    """Whether there is something that I have not read."""

    joined_at: NumberFilter | UnsetType = UNSET
    """When I joined (unix ms)."""

    last_activity_at: NumberFilter | UnsetType = UNSET
    """When the last message was sent, or I joined while there is none (unix ms)."""

    subject: TextFilter | UnsetType = UNSET
    """What it is about; `None` is one without a subject."""

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
        wanted = "a tuple" if operator in plural else "one value"
        raise ValueError(f"the operand of {operator!r} in {key} must be {wanted}, not {operand!r}")
    for it in cast("tuple[object, ...]", operand) if isinstance(operand, tuple) else (operand,):
        if isinstance(it, float) and not math.isfinite(it):
            raise ValueError(f"the operand of {operator!r} in {key} must be finite, not {operand}")


AnyOf: TypeAlias = tuple[
    Literal["any"],
    Annotated[tuple[ConversationFilter, ...], Meta(max_length=MOST_ALTERNATIVES)],
]
Filter: TypeAlias = ConversationFilter | AnyOf


ALL: Final = ConversationFilter()
NOTHING: Final[AnyOf] = ("any", ())

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
    except RecursionError as exc:
        raise ValueError("not a conversation filter: it is nested too deep") from exc
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


def normalised(given: Filter) -> Filter:
    """Return the filter of the same meaning that stands for all of that meaning.

    It is what the official client sends: `>=` and `<=` are written as `>` and `<`, a list of one as
    `==`, lists are sorted, what always holds is left out, and what never can is `("any", ())`.
    """
    simple = [normal for it in alternatives(given) if (normal := _normal(it)) is not None]
    if ALL in simple:
        return ALL
    by_text = {msgspec.json.encode(it): it for it in simple}
    if len(by_text) == 1:
        return simple[0]
    return ("any", tuple(by_text[text] for text in sorted(by_text)))


def _normal(simple: ConversationFilter) -> ConversationFilter | None:
    """Return its normal form; None: nothing can match."""
    custom: dict[str, CustomFilter] = {}
    for key, given in sorted(({} if simple.custom is UNSET else simple.custom).items()):
        wanted = _normal_custom(given)
        if wanted is None:
            return None
        if wanted is not UNSET:
            custom[key] = wanted
    found = {
        "access": _normal_access(simple.access),
        "created_at": _normal_number(simple.created_at),
        "custom": custom or UNSET,
        "joined_at": _normal_number(simple.joined_at),
        "last_activity_at": _normal_number(simple.last_activity_at),
        "subject": _normal_text(simple.subject),
    }
    return None if None in found.values() else msgspec.structs.replace(simple, **found)


def _normal_custom(given: CustomFilter) -> CustomFilter | UnsetType | None:
    return given if isinstance(given, str) else _normal_text(given)


# Each of the following returns UNSET for what always holds, and None for what never does.


def _normal_text(given: TextFilter | UnsetType) -> TextFilter | UnsetType | None:
    if given is UNSET or not isinstance(given[1], tuple):
        return given
    operator, operands = given[0], sorted(set(given[1]), key=_in_order)
    if not operands:
        return None if operator == "oneOf" else UNSET
    if len(operands) == 1:
        return ("==" if operator == "oneOf" else "!=", operands[0])
    return operator, tuple(operands)


def _in_order(operand: str | None) -> tuple[bytes, bool]:
    """As JavaScript sorts: by units of UTF-16, null as if it were its name."""
    return ("null" if operand is None else operand).encode("utf-16-be"), operand is None


def _normal_access(given: TextFilter | UnsetType) -> TextFilter | UnsetType | None:
    allowed = [access for access in ("Read", "ReadWrite") if _text(given, access)]
    if len(allowed) == 1:
        return "==", allowed[0]
    return UNSET if allowed else None


def _normal_number(given: NumberFilter | UnsetType) -> NumberFilter | UnsetType | None:
    if given is UNSET:
        return UNSET
    operator, operand = given
    if isinstance(operand, tuple):
        start, end = map(_shortest, operand)
        if start >= end:
            return None if operator == "between" else UNSET
        return operator, (start, end)
    if operator == ">=":  # times are whole numbers
        return ">", math.ceil(operand) - 1
    if operator == "<=":
        return "<", math.floor(operand) + 1
    return operator, _shortest(operand)


def _shortest(number: float) -> float:
    """Return the number, as an int where it is one: so it is written without a fraction."""
    return int(number) if number == int(number) else number


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
