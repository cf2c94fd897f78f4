"""So many at once: for each user, and for all together."""

import pytest

from rtflow.errors import ServerFailed, TooManyRequests
from rtflow.server.http.turns import Turns


def test_a_turn_is_free_again_however_it_ends() -> None:
    turns = Turns("searches", per_user=1, in_all=2)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.taken("ada"):
            raise ZeroDivisionError


def test_each_user_has_so_many() -> None:
    turns = Turns("searches", per_user=2, in_all=9)
    with turns.taken("ada"), turns.taken("ada"), turns.taken("bob"):
        with pytest.raises(TooManyRequests, match="2 searches"), turns.taken("ada"):
            pass
        with turns.taken("bob"):
            pass


def test_all_together_have_so_many() -> None:
    turns = Turns("searches", per_user=2, in_all=2)
    with (
        turns.taken("ada"),
        turns.taken("bob"),
        pytest.raises(ServerFailed, match="503 TOO_BUSY"),
        turns.taken("cy"),
    ):
        pass
