"""The rules of the house that import-linter cannot say (its contracts are in pyproject.toml).

A rule is a function from a parsed module to the places that break it. The last tests show each rule
a culprit, because a rule that never finds anything looks just like a tidy house.
"""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TypeAlias

import pytest

Faults: TypeAlias = Iterator[tuple[int, str]]
Rule: TypeAlias = Callable[[ast.Module], Faults]

ROOT = Path(__file__).parent.parent
LIBRARY = ("rtflow",)
EVERYTHING = ("rtflow", "tests", "benchmarks", "examples", "docs")

MOST_LINES = 600
MOST_METHODS = 20
VAGUE_NAMES = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}

# Where a dependency may be imported. msgspec is the vocabulary itself, so it has no single door.
ONE_DOOR = {
    "cyclopts": ["rtflow/cli/*"],
    "emoji": ["rtflow/server/domain/emojis.py"],
    "httpx2": ["rtflow/client/http.py"],
    "jwt": ["rtflow/server/auth.py"],
    "msgspec": ["rtflow/*"],
    "prometheus_client": ["rtflow/server/metrics.py"],
    "pydantic": ["rtflow/server/settings.py", "rtflow/cli/serve.py"],
    "pydantic_settings": ["rtflow/server/settings.py"],
    "pytest": ["rtflow/testing/*"],
    "pytest_asyncio": ["rtflow/testing/*"],
    "python_multipart": ["rtflow/server/http/form.py"],
    "reactivex": [
        "rtflow/client/live.py",
        "rtflow/client/stream.py",
        "rtflow/cli/demo/dashboard.py",
        "rtflow/testing/*",
    ],
    "rich": ["rtflow/cli/*"],
    "sqlite3": ["rtflow/server/store/sqlite*"],
    "starlette": ["rtflow/server/*"],
    "uvicorn": ["rtflow/server/gateway/uvicorn*"],
    "uvloop": ["rtflow/server/gateway/uvicorn*", "rtflow/cli/*"],
    "websockets": ["rtflow/client/websocket.py", "rtflow/server/gateway/uvicorn*"],
}

# Tasks outside a TaskGroup: the module, and why nothing else would do.
LOOSE_TASKS: dict[str, str] = {
    "rtflow/client/session.py": "lives as long as its `async with`, and must not cancel its body",
    "rtflow/client/watching.py": "lives from `on` to its end; the session's own waits for it",
    "rtflow/server/gateway/uvicorn/lifespan.py": "lives from the application's start to its end",
}

# What `import rtflow` loads; everything else that has a door, and these rooms, wait for their use.
CORE = {"msgspec", "reactivex", "websockets"}
HEAVY = (ONE_DOOR.keys() - CORE) | {"rtflow.cli", "rtflow.server", "rtflow.testing"}


def modules(folders: tuple[str, ...]) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def broken(rule: Rule, folders: tuple[str, ...], but: frozenset[str] = frozenset()) -> list[str]:
    """Say where in `folders` a rule is broken, one `path:line: what` each."""
    return [
        f"{place(path)}:{line}: {what}"
        for path in modules(folders)
        if place(path) not in but
        for line, what in rule(ast.parse(path.read_bytes(), path))
    ]


# The rules


def a_module_has_a_docstring(module: ast.Module) -> Faults:
    if not (ast.get_docstring(module) or "").strip():
        yield 1, "no docstring: what is this room for?"


def a_class_is_small(module: ast.Module) -> Faults:
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            methods = {  # a set: a setter and an overload are not one more thing to know
                member.name
                for member in node.body
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
                and not member.name.startswith("_")
            }
            if len(methods) > MOST_METHODS:
                yield node.lineno, f"{node.name} has {len(methods)} public methods"


def nobody_sleeps(module: ast.Module) -> Faults:
    for node, name in mentions(module):
        if name == "sleep":
            yield node.lineno, "sleep: wait for the fact itself"


def tasks_live_in_a_group(module: ast.Module) -> Faults:
    """`create_task` may be named only on what this module shows to be a TaskGroup, and never loose.

    A name shows that when every place that binds it does: `async with TaskGroup() as tasks`, an
    annotation, or an assignment from a TaskGroup. mypy sees to it that annotations tell the truth.
    """
    groups = task_groups(module)
    for node, name in mentions(module):
        of_a_group = isinstance(node, ast.Attribute) and ast.unparse(node.value) in groups
        if name == "ensure_future" or (name == "create_task" and not of_a_group):
            yield node.lineno, f"{name} outside a TaskGroup"
    for call in ast.walk(module):
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"Task", "asyncio.Task"}:
            yield call.lineno, "a Task made by hand, outside a TaskGroup"


def mentions(module: ast.Module) -> Iterator[tuple[ast.expr | ast.alias, str]]:
    """Find every place where code, not text, names something: called, passed on or imported."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute):
            yield node, node.attr
        elif isinstance(node, ast.Name):
            yield node, node.id
        elif isinstance(node, ast.ImportFrom):
            yield from ((alias, alias.name) for alias in node.names)


def task_groups(module: ast.Module) -> set[str]:
    """Name what is bound to a TaskGroup wherever it is bound (`tasks`, `self._tasks`)."""
    bindings = list(bound(module))
    groups = set[str]()
    while True:  # `self._tasks = tasks` needs a second look once `tasks` is known
        is_group = [(name, shows_a_group(value, groups)) for name, value in bindings]
        others = {name for name, shown in is_group if not shown}
        found = {name for name, shown in is_group if shown} - others
        if found == groups:
            return groups
        groups = found


def shows_a_group(value: ast.expr | None, groups: set[str]) -> bool:
    match value:
        case ast.Name() | ast.Attribute():  # another group, or an annotation
            return ast.unparse(value) in {"TaskGroup", "asyncio.TaskGroup", *groups}
        case ast.Call(func=function, args=[]):
            return ast.unparse(function) in {"TaskGroup", "asyncio.TaskGroup"}
        case ast.Await(value=ast.Call(func=ast.Attribute(attr="enter_async_context"), args=[arg])):
            return shows_a_group(arg, groups)
        case ast.BinOp(op=ast.BitOr(), left=left, right=ast.Constant(value=None)):
            return shows_a_group(left, groups)  # TaskGroup | None
        case _:
            return False


def bound(module: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    """Pair each name that the module binds with the expression that tells what it is, if any."""
    told = dict[ast.AST, ast.expr]()
    fields = list[ast.expr]()
    for node in ast.walk(module):
        match node:
            case ast.Assign(targets=targets, value=value):
                told |= dict.fromkeys(targets, value)
            case ast.AnnAssign(target=target, annotation=value):
                told[target] = value
            case ast.NamedExpr(target=target, value=value):
                told[target] = value
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                told[target] = value
            case ast.ClassDef(body=body):
                fields += [field.target for field in body if isinstance(field, ast.AnnAssign)]
            case _:
                pass
    for node in ast.walk(module):
        match node:
            case ast.Name(ctx=ast.Store()) | ast.Attribute(ctx=ast.Store()):
                of = "self." if node in fields else ""
                yield of + ast.unparse(node), told.get(node)
            case ast.arg(arg=name, annotation=annotation):
                yield name, annotation
            case _:
                pass


def imported(module: ast.Module) -> Faults:
    """List the packages that a module imports, wherever in it."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.partition(".")[0]


def wrong_doors(path: str, module: ast.Module) -> Faults:
    ours = {"rtflow", *sys.stdlib_module_names} - ONE_DOOR.keys()
    for line, package in imported(module):
        if package not in ours:
            doors = ONE_DOOR.get(package)
            if doors is None:
                yield line, f"{package} has no door: name it in ONE_DOOR"
            elif not any(fnmatch(path, door) for door in doors):
                yield line, f"{package} is imported only in {', '.join(doors)}"


def too_vague(path: str) -> bool:
    """Say whether a file or folder is named after nothing in particular, or hides behind `_`."""
    parts = path.removesuffix(".py").split("/")
    hidden = any(part.startswith("_") and not part.startswith("__") for part in parts)
    return hidden or not VAGUE_NAMES.isdisjoint(word for part in parts for word in part.split("_"))


# The house


def test_every_module_says_what_it_is_for() -> None:
    assert broken(a_module_has_a_docstring, ("rtflow", "benchmarks", "examples", "docs")) == []


def test_no_module_is_too_long() -> None:
    lengths = {place(path): path.read_bytes().count(b"\n") for path in modules(EVERYTHING)}
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_no_file_has_a_vague_name() -> None:
    assert [name for name in map(place, modules(EVERYTHING)) if too_vague(name)] == []


def test_no_class_has_too_many_methods() -> None:
    assert broken(a_class_is_small, LIBRARY) == []


def test_every_task_lives_in_a_task_group() -> None:
    assert broken(tasks_live_in_a_group, LIBRARY, but=frozenset(LOOSE_TASKS)) == []


def test_no_exception_to_the_task_groups_is_out_of_date() -> None:
    needed = {fault.partition(":")[0] for fault in broken(tasks_live_in_a_group, LIBRARY)}
    assert LOOSE_TASKS.keys() <= needed


def test_no_test_sleeps() -> None:
    assert broken(nobody_sleeps, ("tests",)) == []


def test_every_outside_dependency_has_one_door() -> None:
    assert [
        f"{place(path)}:{line}: {what}"
        for path in modules(LIBRARY)
        for line, what in wrong_doors(place(path), ast.parse(path.read_bytes(), path))
    ] == []


def test_importing_rtflow_loads_nothing_that_a_client_does_not_need() -> None:
    program = "import sys; old = set(sys.modules); import rtflow; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    loaded = set(done.stdout.decode().split())
    assert "rtflow" in loaded
    assert HEAVY & loaded == set()


# The rules find what they are there for

METHODS = "\n".join(f"    def method_{number}(self) -> None: ..." for number in range(21))
CULPRITS: list[tuple[Rule, str]] = [
    (a_module_has_a_docstring, "import os"),
    (a_class_is_small, f"class God:\n{METHODS}"),
    (nobody_sleeps, "import asyncio\nnap = asyncio.sleep"),
    (nobody_sleeps, "from time import sleep as nap"),
    (tasks_live_in_a_group, "asyncio.create_task(work())"),
    (tasks_live_in_a_group, "from asyncio import create_task as go"),
    (tasks_live_in_a_group, "spawn = asyncio.get_running_loop().create_task"),
    (tasks_live_in_a_group, "asyncio.ensure_future(work())"),
    (tasks_live_in_a_group, "asyncio.Task(work())"),
    (tasks_live_in_a_group, "def start(tasks: Any): tasks.create_task(work())"),
    (tasks_live_in_a_group, "tasks = TaskGroup()\ntasks = loop\ntasks.create_task(work())"),
    (tasks_live_in_a_group, "tasks = TaskGroup()\nfor tasks, _ in x: tasks.create_task(work())"),
]
INNOCENTS: list[tuple[Rule, str]] = [
    (a_class_is_small, f"class Fine:\n{METHODS.replace('method_20', '_hidden')}"),
    (nobody_sleeps, '"""No sleep here."""'),
    (
        tasks_live_in_a_group,
        "async def f():\n  async with asyncio.TaskGroup() as tasks:\n    tasks.create_task(work())",
    ),
    (
        tasks_live_in_a_group,
        "class A:\n  def __init__(self, tasks: asyncio.TaskGroup):\n    self._tasks = tasks\n"
        "  def go(self): self._tasks.create_task(work())",
    ),
    (
        tasks_live_in_a_group,
        "class A:\n  tasks: TaskGroup | None\n  def go(self): self.tasks.create_task(work())",
    ),
    (
        tasks_live_in_a_group,
        "async def f():\n  tasks = await stack.enter_async_context(TaskGroup())\n"
        "  start = tasks.create_task",
    ),
]


@pytest.mark.parametrize(("rule", "source"), CULPRITS)
def test_a_rule_finds_the_culprit(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source)))


@pytest.mark.parametrize(("rule", "source"), INNOCENTS)
def test_a_rule_lets_the_innocent_go(rule: Rule, source: str) -> None:
    assert list(rule(ast.parse(source))) == []


@pytest.mark.parametrize(
    ("path", "source", "faults"),
    [
        ("rtflow/client/websocket.py", "from websockets.asyncio.client import connect", 0),
        ("rtflow/client/link.py", "from websockets.asyncio.client import connect", 1),
        ("rtflow/server/store/sqlite/driver.py", "import sqlite3", 0),
        ("rtflow/server/app.py", "def f(): import sqlite3", 1),
        ("rtflow/client/link.py", "import asyncio, requests", 1),
        ("rtflow/client/link.py", "from . import requests", 0),
    ],
)
def test_the_doors_are_kept(path: str, source: str, faults: int) -> None:
    assert len(list(wrong_doors(path, ast.parse(source)))) == faults


@pytest.mark.parametrize("path", ["rtflow/utils.py", "rtflow/link_manager.py", "rtflow/misc/a.py"])
def test_a_vague_name_is_found(path: str) -> None:
    assert too_vague(path)


def test_a_name_that_means_something_is_fine() -> None:
    assert not too_vague("rtflow/client/__init__.py")
