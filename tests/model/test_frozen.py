"""Snapshots are frozen all the way down, and still behave like the values they are."""

import copy
import json
import pickle
from collections.abc import Callable

import msgspec
import pytest

from rtflow.model.frozen import FrozenDict, merged

CHANGES: dict[str, Callable[[dict[str, str]], object]] = {
    "set": lambda d: d.__setitem__("a", "2"),
    "delete": lambda d: d.__delitem__("a"),
    "update": lambda d: d.update(b="1"),
    "pop": lambda d: d.pop("a"),
    "popitem": lambda d: d.popitem(),
    "clear": lambda d: d.clear(),
    "setdefault": lambda d: d.setdefault("b", "1"),
    "or": lambda d: d.__ior__({"b": "1"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_frozen_dict_cannot_be_changed(change: str) -> None:
    frozen = FrozenDict({"a": "1"})
    with pytest.raises(TypeError, match="cannot be changed"):
        CHANGES[change](frozen)
    assert frozen == {"a": "1"}


def test_a_frozen_dict_is_a_value() -> None:
    frozen = FrozenDict({"a": "1", "b": "2"})
    assert hash(frozen) == hash(FrozenDict({"b": "2", "a": "1"}))
    assert pickle.loads(pickle.dumps(frozen)) == frozen
    assert isinstance(pickle.loads(pickle.dumps(frozen)), FrozenDict)
    assert copy.copy(frozen) is frozen
    assert copy.deepcopy(frozen) == frozen
    assert repr(frozen) == "{'a': '1', 'b': '2'}"
    assert json.loads(json.dumps(frozen)) == msgspec.json.decode(msgspec.json.encode(frozen))


def test_custom_merges_key_by_key() -> None:
    assert merged({"a": "1", "b": "2"}, {"a": None, "c": "3"}) == {"b": "2", "c": "3"}
    assert merged({"a": "1"}, {}) == {"a": "1"}
    assert merged({"a": "1"}, None) == {}
