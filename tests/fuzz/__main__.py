"""Fuzz the wire with atheris, which looks for new paths through our code: `python -m tests.fuzz`.

    python -m tests.fuzz                      every target, 20 seconds each
    python -m tests.fuzz --seconds 600 form   one, for ten minutes

Each target runs in a process of its own, because libFuzzer ends the one that it runs in. What
breaks one is kept in tests/fuzz/found/<target>/, where the tests feed it again: commit it with the
repair.
Without atheris (`pip install ".[fuzz]"`; it exists for CPython on Linux and macOS) nothing is done.

Not here: what is fed (targets.py).
"""

import argparse
import importlib
import re
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

FOUND = Path(__file__).parent / "found"
LONGEST = 4096  # bytes of one input
SLOWEST = 5  # seconds for one input


def main() -> int:
    """Run the targets one after the other; return how many broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="their names; all when none is given")
    parser.add_argument("--seconds", type=int, default=20, help="for each target")
    parser.add_argument("--here", type=Path, help="in this process, which then ends; in a folder")
    options = parser.parse_args()
    if find_spec("atheris") is None:
        print("fuzz: atheris is not installed, so nothing was fuzzed")
        return 0
    if options.here is not None:
        fuzz(options.targets[0], options.seconds, options.here)
    broken = [name for name in options.targets or targets() if not stands(name, options.seconds)]
    print("fuzz: broken:", *broken) if broken else print("fuzz: nothing was broken")
    return len(broken)


def stands(name: str, seconds: int) -> bool:
    """Run a target in a process of its own; say whether it stood it, and what happened."""
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "tests.fuzz", "--here", folder)
        done = subprocess.run(
            [*command, "--seconds", str(seconds), name], capture_output=True, text=True, check=False
        )
    with suppress(OSError):  # it holds what was found
        (FOUND / name).rmdir()
    inputs = re.search(r"number_of_executed_units: *(\d+)", done.stderr)
    print(f"fuzz: {name}: {inputs[1] if inputs else 'no'} inputs in {seconds} s", flush=True)
    if done.returncode:
        print("\n".join(done.stderr.splitlines()[-60:]), flush=True)
    return done.returncode == 0


def targets() -> list[str]:
    """Return the names of all targets."""
    from tests.fuzz.targets import TARGETS

    return [*TARGETS]


def fuzz(name: str, seconds: int, folder: Path) -> NoReturn:
    """Fuzz one target, and exit."""
    atheris: Any = importlib.import_module("atheris")  # Any: it is optional, and has no types
    with atheris.instrument_imports(include=["rtflow"]):
        from tests.fuzz.targets import TARGETS
    it, kept, corpus = TARGETS[name], FOUND / name, folder / "corpus"
    words = folder / "words"
    words.write_text("".join(f'"{escaped(word)}"\n' for word in it.words))
    corpus.mkdir()
    for number, word in enumerate(it.words):
        (corpus / str(number)).write_bytes(word)
    kept.mkdir(parents=True, exist_ok=True)
    arguments = [
        "fuzz",
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        f"-timeout={SLOWEST}",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
        f"-dict={words}",
        f"-artifact_prefix={kept}/",
        str(corpus),
        str(kept),
    ]
    atheris.Setup(arguments, it.feed)
    atheris.Fuzz()
    sys.exit()


def escaped(word: bytes) -> str:
    """Write a word as libFuzzer's dictionaries want it."""
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
