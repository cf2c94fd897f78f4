"""Torture in its bounded form; the long one is `python -m tests.torture.kills MINUTES`."""

from tests.torture.kills import run
from tests.torture.ledger import Ledger


async def test_what_was_answered_survives_kills_at_random_instants() -> None:
    figures = await run(0.4, kills=4)
    assert figures.broken == (), figures
    assert figures.kills >= 2, figures
    assert figures.answered > 0, figures
    assert figures.checks == 9 * figures.kills


def test_a_ledger_finds_what_is_lost_what_is_too_much_and_what_is_old() -> None:
    ledger = Ledger()
    ledger.ask(("message", "asked for"), "a")
    ledger.settle(("message", "settled"), "b")
    ledger.settle(("message", "edited"), "c")
    ledger.ask(("message", "edited"), "d")
    ledger.ask(("message", "told"), "e")
    ledger.tell(("message", "told"))
    assert list(ledger.compare({("message", "ghost"): "x"})) == [
        "message edited is None, and may only be one of ['c', 'd']",
        "message ghost is 'x', and may only be one of [None]",
        "message settled is None, and may only be one of ['b']",
        "message told is None, and may only be one of ['e', 'e']",
    ]
    assert list(ledger.compare({("message", "asked for"): "a", ("message", "ghost"): "x"})) == []
