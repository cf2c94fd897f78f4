"""Who may connect now, with the time in the test's hand."""

import pytest

from rtflow.server.gateway.admission import Admission, network_of
from rtflow.server.gateway.limits import Limits
from rtflow.server.rates import Rate


class Door(Admission):
    """An admission whose clock the test sets."""

    def __init__(self, **limits: object) -> None:
        self.now = 1.0
        super().__init__(Limits(**limits), lambda: self.now)  # type: ignore[arg-type]  # any of them

    def codes(self, *addresses: str) -> list[str]:
        found = [self.refusal(address) for address in addresses]
        return ["" if refusal is None else refusal.error.code for refusal in found]


def test_without_limits_everybody_may() -> None:
    assert Door().codes(*["192.0.2.1"] * 1000) == [""] * 1000


def test_so_many_per_second_and_each_of_the_others_is_told_when() -> None:
    door = Door(new_connections=Rate(100, 100))
    told = [door.refusal(f"192.0.2.{number % 256}") for number in range(1000)]
    assert told[:100] == [None] * 100
    waits = [refusal.retry_after for refusal in told if refusal is not None]
    assert all(refusal.error.status == 503 for refusal in told if refusal is not None)
    assert max(waits) <= 10
    assert max(waits.count(second) for second in range(1, 11)) <= 101
    assert len(waits) == 900


def test_those_who_come_when_they_were_told_are_all_let_in_at_the_rate() -> None:
    door, admitted = Door(new_connections=Rate(100, 100)), list[float]()
    due = [(1.0, number) for number in range(1000)]
    while due:
        due.sort()
        door.now, number = due.pop(0)
        refusal = door.refusal(f"192.0.2.{number % 256}")
        if refusal is None:
            admitted.append(door.now)
        else:
            due.append((door.now + refusal.retry_after + (number % 25) / 100, number))
    assert len(admitted) == 1000
    assert max(admitted) < 20, "the rate alone takes 9 s"
    for begin in admitted:
        assert sum(begin <= at < begin + 1 for at in admitted) <= 201


def test_one_address_does_not_take_the_turns_of_all_others() -> None:
    door = Door(new_connections=Rate(10, 10), new_connections_per_address=Rate(2, 2))
    assert door.codes(*["192.0.2.1"] * 1000) == ["", ""] + ["TOO_MANY_NEW_CONNECTIONS"] * 998
    assert door.codes(*(f"192.0.2.{number}" for number in range(2, 10))) == [""] * 8
    assert door.codes("192.0.2.99") == ["TOO_BUSY"]


def test_an_address_has_so_many_at_a_time() -> None:
    door = Door(connections_per_address=2)
    door.enter("192.0.2.1")
    door.enter("192.0.2.1")
    assert door.codes("192.0.2.1", "192.0.2.2") == ["TOO_MANY_CONNECTIONS_OF_ADDRESS", ""]
    door.leave("192.0.2.1")
    assert door.codes("192.0.2.1") == [""]
    door.leave("192.0.2.1")
    assert not door._connections  # pyright: ignore[reportPrivateUsage]  nothing is remembered


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.1", None),
        ("127.9.9.9", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("", None),
        ("testclient", None),
    ],
)
def test_an_address_stands_for_a_household(address: str, network: str | None) -> None:
    assert network_of(address) == network
