"""Whatever README.md and docs/ show is tried: programs run, commands exist, links lead somewhere.

Comments in the Markdown, on the line above a block, say what cannot be seen from the block itself:

    <!-- not run: reason -->        a program (`asyncio.run(` in it) that is compiled only
    <!-- server: --secret KEY -->   more arguments for the server that this program talks to
    <!-- same server -->            it talks to the server of the program before it on this page
    <!-- until: text -->            it goes on until Ctrl-C; here until it has printed this
    <!-- prints -->                 this block is all that the program before it prints

A program finds its server at http://localhost:8080 in the text; here it gets a fresh one in memory,
at a free port. The tests of a page (blocks with `def test_`) run under pytest.
"""

import ast
import asyncio
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from msgspec import Struct

from rtflow.testing import ServerProcess

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PATIENCE = 30.0  # seconds that a program gets
LOUD = "DEVELOPMENT MODE"  # what a server in a program says on standard error
SHELL = {"cd", "curl", "export", "git", "jq", "pip", "python", "python3", "while"}

FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,})(?P<language>\w*)\s*")
COMMENT = re.compile(
    r" *<!-- (?P<word>not run|server|same server|until|prints)(?:: (?P<rest>.+))? -->\s*"
)
HEADING = re.compile(r"#+ (?P<text>.+)")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
TEST = re.compile(r"`(?P<path>tests/[\w/]+\.py)(?:::(?P<name>test_\w+))?`")


class Block(Struct, frozen=True):
    """A fenced block: where its first line is, and what the comment above it says."""

    page: str
    line: int
    language: str
    text: str
    comments: dict[str, str]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(path: Path) -> Iterator[Block]:
    page, lines = path.relative_to(ROOT).as_posix(), path.read_text().splitlines()
    comments = dict[str, str]()
    opened: tuple[int, re.Match[str]] | None = None
    for number, line in enumerate(lines, 1):
        if opened is None:
            if fence := FENCE.fullmatch(line):
                opened = number, fence
            elif comment := COMMENT.fullmatch(line):
                comments[comment["word"]] = comment["rest"] or ""
            else:
                comments = {}
        elif line.strip() == opened[1]["ticks"]:
            start, fence = opened
            text = "\n".join(line[len(fence["indent"]) :] for line in lines[start : number - 1])
            yield Block(page, start + 1, fence["language"], text + "\n", comments)
            comments, opened = {}, None
    assert opened is None, f"{page}:{opened and opened[0]}: this block has no end"


BLOCKS = [block for path in PAGES for block in blocks_of(path)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
PROGRAMS = [b for b in PYTHON if "asyncio.run(" in b.text and "not run" not in b.comments]
PYTESTS = sorted({block.page for block in PYTHON if "def test_" in block.text})
CONSOLE = [block for block in BLOCKS if block.language == "console"]


def output_of(program: Block) -> str | None:
    """Return what the page says that this program prints; None: it does not say."""
    later = BLOCKS[BLOCKS.index(program) + 1 :]
    is_said = later and later[0].page == program.page and "prints" in later[0].comments
    return later[0].text if is_said else None


def stories() -> Iterator[list[Block]]:
    """Join the programs that talk to one server, in their order."""
    story = list[Block]()
    for program in PROGRAMS:
        if "same server" in program.comments:
            assert story, f"{program}: which server?"
            assert program.page == story[0].page, f"{program}: the server of another page?"
        elif story:
            yield story
            story = []
        story.append(program)
    if story:
        yield story


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_every_block_of_python_compiles(block: Block) -> None:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT  # fragments await outside of functions
    source = "\n" * (block.line - 1) + textwrap.dedent(block.text)
    compile(source, block.page, "exec", flags)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_that_does_not_run_says_why(block: Block) -> None:
    assert block.comments.get("not run", "a reason"), f"{block}: not run, but why?"


async def run(program: Block, url: str, folder: Path) -> str:
    """Run a program as a reader would, and return what it printed. It must not complain."""
    source = folder / "program.py"
    source.write_text(program.text.replace("http://localhost:8080", url))
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "default", "-u", source),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={k: v for k, v in os.environ.items() if not k.startswith(("RTFLOW_", "PYTHON"))},
    )
    assert running.stdout is not None
    printed, problem, awaited = "", "", program.comments.get("until")
    try:
        async with asyncio.timeout(PATIENCE):
            while awaited and awaited not in printed and (line := await running.stdout.readline()):
                printed += line.decode()
            if awaited and running.returncode is None:
                running.send_signal(signal.SIGINT)
            rest, errors = (part.decode() for part in await running.communicate())
    except TimeoutError:
        running.kill()
        rest, errors = (part.decode() for part in await running.communicate())
        problem = f"did not end within {PATIENCE} s"
    printed += rest
    errors = "".join(line for line in errors.splitlines(True) if LOUD not in line)
    if running.returncode or errors or (awaited and awaited not in printed):
        problem = problem or f"ended with {running.returncode}"
    assert not problem, f"{program} {problem}:\n{printed}\n{errors}"
    return printed


@pytest.mark.timeout(150)
@pytest.mark.parametrize("story", [*stories()], ids=lambda story: str(story[0]))
async def test_every_program_runs_and_prints_what_the_page_says(
    story: list[Block], tmp_path: Path
) -> None:
    options = shlex.split(story[0].comments.get("server", ""))
    async with ServerProcess(":memory:", options=options) as server:
        for program in story:
            printed = await run(program, server.url, tmp_path)
            expected = output_of(program)
            assert expected is None or printed == expected, f"{program} printed something else"


@pytest.mark.parametrize("block", [b for b in BLOCKS if "prints" in b.comments], ids=str)
def test_what_a_program_prints_follows_the_program(block: Block) -> None:
    assert BLOCKS[BLOCKS.index(block) - 1] in PROGRAMS


@pytest.mark.timeout(90)
@pytest.mark.parametrize("page", PYTESTS)
def test_the_tests_of_a_page_pass(page: str, tmp_path: Path) -> None:
    blocks = [b for b in PYTHON if b.page == page]
    tests = [b for b in blocks if "def test_" in b.text]
    switches = [b.text for b in blocks if "pytest_plugins" in b.text]
    (tmp_path / "conftest.py").write_text("".join(switches))
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = strict\n")
    for block in tests:
        (tmp_path / f"test_{block.line}.py").write_text(block.text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=80,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(tests)} passed" in done.stdout


def commands(block: Block) -> Iterator[list[str]]:
    """Split a block into commands: lines after a `$ ` if there is one, else all; `|` and `&&` part.

    A line that ends in a backslash goes on in the next.
    """
    lines = block.text.replace("\\\n", " ").splitlines()
    if any(line.startswith("$ ") for line in lines):
        lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    for line in lines:
        words = list[str]()
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        for word in [*lexer, ";"]:
            if set(word) <= set("|&;"):
                if words:
                    yield words
                words = []
            elif words or not re.fullmatch(r"\w+=.*", word):  # not NAME=value in front
                words.append(word)


@cache
def help_of(command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "rtflow", command, "--help"],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
    )
    assert done.returncode == 0, f"rtflow {command} --help: {done.stderr}"
    return done.stdout


def wrong_with(program: str, *arguments: str) -> str | None:
    """Say what is wrong with a command. Only ours are looked at closely."""
    if program == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        unknown = {word for word in arguments if "=" not in word} - set(targets)
    elif program == "rtflow":
        options = {word.partition("=")[0] for word in arguments if word.startswith("--")}
        unknown = options - set(re.findall(r"--[a-z-]+", help_of(arguments[0])))
    else:
        unknown = {program} - SHELL
    return f"{program} knows no {', '.join(unknown)}" if unknown else None


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_every_command_exists_with_its_options(block: Block) -> None:
    assert list(filter(None, (wrong_with(*words) for words in commands(block)))) == []


def anchors_of(path: Path) -> set[str]:
    """Name the headings of a page as GitHub does."""
    headings = filter(None, map(HEADING.fullmatch, path.read_text().splitlines()))
    texts = (re.sub(r"[^\w\- ]", "", heading["text"].lower()) for heading in headings)
    return {text.replace(" ", "-") for text in texts}


LINKS = [
    (path.relative_to(ROOT).as_posix(), link["target"])
    for path in PAGES
    for link in LINK.finditer(path.read_text())
    if "://" not in link["target"]
]


def leads_nowhere(page: str, target: str) -> bool:
    place, _, anchor = target.partition("#")
    found = (ROOT / page).parent / place if place else ROOT / page
    return not found.exists() or bool(anchor and anchor not in anchors_of(found))


def test_every_link_leads_somewhere() -> None:
    assert [link for link in LINKS if leads_nowhere(*link)] == []


def test_every_page_is_in_the_index() -> None:
    linked = {target.partition("#")[0] for page, target in LINKS if page == "docs/README.md"}
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages - {"README.md"} <= linked


NAMED_TESTS = [
    (path.relative_to(ROOT).as_posix(), test["path"], test["name"])
    for path in PAGES
    for test in TEST.finditer(path.read_text())
]


def is_missing(path: str, name: str | None) -> bool:
    source = ROOT / path
    return not source.exists() or bool(name and f"def {name}(" not in source.read_text())


def test_every_test_that_is_named_exists() -> None:
    assert [(page, path, name) for page, path, name in NAMED_TESTS if is_missing(path, name)] == []
