"""Arguments: the keyword arguments of a call, checked and made into parameters.

Not here: what there is to set (params.py). Whatever is wrong is refused at the call, in the words
of Python: `photo_url` and `list`, where the wire says `photoUrl` and `array`.
"""

import datetime
import decimal
import re
import uuid
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, Literal, TypeVar, cast, get_args, get_origin

import msgspec

from rtflow.model.params import Params

__all__ = ["checked"]

P = TypeVar("P", bound=Params)


# JSON has no such values: it would turn them into texts that nobody meant.
NO_JSON: Final = (
    bytes,
    bytearray,
    memoryview,
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
)
PATH: Final = re.compile(r"`\$\.?([^`]*)`")
IN_PYTHON: Final = {"array": "list", "null": "None", "object": "dict"}


@cache
def _fields(kind: type[Params]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(kind)}


def checked(
    kind: type[P], call: str, **fields: Any
) -> P:  # Any: whatever the user passed is checked here
    """Build parameters from keyword arguments.

    Raises `TypeError` for an unknown name or a wrong type and `ValueError` for a value out of
    bounds, both naming `call` and the place.
    """
    known = _fields(kind)
    for name in fields:
        if name not in known:
            raise TypeError(
                f"{call} got an unexpected keyword argument {name!r}; it knows {', '.join(known)}"
            )
    for name, field in known.items():
        if field.required and name not in fields:
            raise TypeError(f"{call} is missing the keyword argument {name!r}")
    wire = {known[name].encode_name: value for name, value in fields.items()}
    try:
        plain = msgspec.to_builtins(wire, builtin_types=NO_JSON, enc_hook=_plain)
        params = msgspec.convert(plain, type=kind)
        msgspec.json.encode(params)  # finds what is not valid unicode
    except RecursionError as exc:
        raise ValueError(f"{call}: nested too deep") from exc
    except UnicodeEncodeError as exc:
        raise ValueError(f"{call}: a text is not valid unicode: {exc}") from exc
    except (msgspec.ValidationError, TypeError) as exc:
        raise _refused(call, str(exc), known) from exc
    return params


def _plain(value: object) -> object:
    """Any mapping may be given for a dict."""
    if isinstance(value, Mapping):
        return {**cast("Mapping[object, object]", value)}
    raise TypeError(f"{type(value).__name__} cannot be sent: {value!r}")


def _refused(
    call: str, why: str, known: dict[str, msgspec.structs.FieldInfo]
) -> TypeError | ValueError:
    """Say why in the words of Python: of `welcome_messages`, not of `$.welcomeMessages`."""
    place = PATH.search(why)
    why = PATH.sub(lambda it: f"`{_snake(it[1])}`", why)
    why = re.sub(r"`[a-z |]+`", lambda it: re.sub(r"\w+", _in_python, it[0]), why)
    if "Invalid enum value" in why and place is not None:
        field = known.get(_snake(place[1]))
        choices = ", ".join(map(repr, _literals(field.type))) if field else ""
        return ValueError(f"{call}: {why}" + (f"; it takes {choices}" if choices else ""))
    is_bound = " of length " in why or "` >= " in why or "` <= " in why
    return (ValueError if is_bound else TypeError)(f"{call}: {why}")


def _snake(path: str) -> str:
    return re.sub(r"[A-Z]", lambda it: f"_{it[0].lower()}", path)


def _in_python(word: re.Match[str]) -> str:
    return IN_PYTHON.get(word[0], word[0])


def _literals(annotation: Any) -> Iterator[object]:  # Any: an annotation may be anything
    """Yield the values that an annotation lists, and the two of `bool`."""
    if annotation is bool:
        yield from (True, False)
    elif get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for part in get_args(annotation):
            yield from _literals(part)
