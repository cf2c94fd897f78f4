"""What travels: requests with their data and answers, events, entities.

From the table of requests (rtflow.wire.endpoints), the union of events (rtflow.model.events) and
the structs that both are made of.
"""

import re
from collections.abc import Iterable, Iterator
from typing import get_args

from msgspec import Struct, structs

from docs.generator.annotations import Type, as_json, bounds, is_optional
from docs.generator.markdown import code, prose, table
from docs.generator.names import said_of
from docs.generator.source import docs_of_fields
from rtflow.model.entities import Conversation
from rtflow.model.events import Event
from rtflow.model.params import Empty
from rtflow.wire.endpoints import ALL, AnyEndpoint, Done, Repeat

__all__ = [
    "BODIES",
    "DIFFS",
    "EVENTS",
    "body_sections",
    "event_list",
    "event_sections",
    "keys",
    "requests",
    "requests_of",
]


OF_THE_WIRE = {"rtflow.model.params", "rtflow.model.events", "rtflow.wire.endpoints"}
EVENTS: tuple[type[Struct], ...] = get_args(Event)


def _structs_in(*annotations: Type) -> Iterator[type[Struct]]:
    """Find the structs that types are made of, and those inside them; entities have a page."""
    for it in annotations:
        if isinstance(it, type) and issubclass(it, Struct) and it.__module__ in OF_THE_WIRE:
            yield it
            yield from _structs_in(*(field.type for field in structs.fields(it)))
        yield from _structs_in(*get_args(it))


DIFFS = tuple(dict.fromkeys(it for it in _structs_in(*EVENTS) if it not in EVENTS))
BODIES = tuple(
    dict.fromkeys(
        it
        for it in _structs_in(*(it.params for it in ALL), *(it.result for it in ALL))
        if it not in (Empty, Done)
    )
)


# Requests


def requests_of(resources: Iterable[str]) -> list[AnyEndpoint]:
    """Return the requests about these: whose path has one of them as its last fixed part."""
    wanted = {*resources}
    return [it for it in ALL if [part for part in it.template if part is not None][-1] in wanted]


def requests(resources: Iterable[str]) -> str:
    """List the requests about some resources. To watch, and to watch no more, are one line."""
    rows = list[tuple[str, str, str, str]]()
    found = requests_of(resources)
    paths = {it.name for it in found}
    for it in found:
        if (both := it.name.removeprefix("UN")) != it.name and both in paths:
            continue
        what = code(it.name)
        if f"UN{it.name}" in paths:
            what = f"`SUBSCRIBE` and `UNSUBSCRIBE` {code(it.name.removeprefix('SUBSCRIBE '))}"
        rows.append((what, _shape(it.params), _answer(it.result), REPEATING[it.repeat]))
    return table(("request", "data", "answer", "repeating it"), rows)


REPEATING = {
    Repeat.SAFE: "is safe",
    Repeat.WITH_KEY: "is safe with `idempotencyKey` or `until`",
    Repeat.DROPPED: "is useless: it means nothing later",
    Repeat.NEVER: "may do it twice",
}


def _answer(result: Type) -> str:
    if result is Done:
        return code("{}")
    return _shape(result) if result in BODIES else as_json(result)


def _shape(kind: type[Struct]) -> str:
    """Write the keys of a struct as an object."""
    return code("{" + ", ".join(_key(kind, field) for field in structs.fields(kind)) + "}")


def body_sections() -> str:
    """Tell the keys of the data and of the answers that are no entities."""
    return "\n\n".join(
        f"## {kind.__name__}\n\n{prose(said_of(kind))} {_carried_by(kind)}\n\n{keys(kind)}"
        for kind in BODIES
    )


def _carried_by(kind: type[Struct]) -> str:
    asked = ", ".join(code(it.name) for it in ALL if kind in _structs_in(it.params))
    answered = ", ".join(code(it.name) for it in ALL if kind in _structs_in(it.result))
    return f"Data of {asked}." if asked else f"Answer to {answered}."


# Events


def event_list() -> str:
    """List the events."""
    return table(
        ("type", "keys", "meaning"),
        [
            (
                code(_tag(kind)),
                ", ".join(_key_of_event(kind, field) for field in structs.fields(kind)),
                " ".join(said_of(kind).split()),
            )
            for kind in EVENTS
        ],
    )


def _key_of_event(kind: type[Struct], field: structs.FieldInfo) -> str:
    diff = [it for it in _structs_in(field.type) if it in DIFFS]
    shape = f": {_shape(diff[0]).strip('`')}" if diff else ""
    return code(f"{_key(kind, field)}{shape}")


def event_sections() -> str:
    """Tell each event, key by key, and then the diffs that they carry."""
    told = (
        f"## {title}\n\n{prose(said_of(kind))}\n\n{keys(kind)}".rstrip()
        for kind, title in (
            *((kind, _tag(kind)) for kind in EVENTS),
            *((kind, kind.__name__) for kind in DIFFS),
        )
    )
    return "\n\n".join(told)


def _tag(kind: type[Struct]) -> str:
    return str(kind.__struct_config__.tag)


# Keys


def keys(kind: type[Struct]) -> str:
    """Lay out the keys of a struct as it travels; empty: it has none."""
    told = docs_of_fields(kind)
    rows = [
        (
            code(_key(kind, field)),
            as_json(field.type),
            ", ".join(filter(None, (bounds(field.type), _default(field)))),
            _as_on_the_wire(told.get(field.name, "")),
        )
        for field in structs.fields(kind)
    ]
    return table(("key", "type", "bounds", ""), rows) if rows else ""


def _key(kind: type[Struct], field: structs.FieldInfo) -> str:
    """Write a key, with a question mark when it may be absent."""
    is_left_out = kind.__struct_config__.omit_defaults and not field.required
    return field.encode_name + "?" * (is_left_out or is_optional(field.type))


def _as_on_the_wire(told: str) -> str:
    """Write the names of fields as keys."""
    return re.sub(r"`(\w+)`", lambda span: code(KEYS.get(span[1], span[1])), told)


WITH_KEYS: tuple[type[Struct], ...] = (*EVENTS, *DIFFS, *BODIES, Conversation)
KEYS = {field.name: field.encode_name for kind in WITH_KEYS for field in structs.fields(kind)}


def _default(field: structs.FieldInfo) -> str:
    """Say which number an absent key stands for."""
    is_number = isinstance(field.default, int) and not isinstance(field.default, bool)
    return f"{field.default} when absent" if is_number else ""
