"""What every command has in common: help, wrong usage, the environment, missing extras."""

import os

import pytest

from rtflow.cli.app import run
from tests.cli.program import PYTHON, rtflow, started

COMMANDS = ["serve", "demo", "token", "get", "observe", "send", "doctor", "backup"]
NOWHERE = "http://127.0.0.1:1"

WRONG = [
    (["dance"], "dance"),
    (["serve", "--colour", "red"], "--colour"),
    (["serve", "--port", "http"], "http"),
    (["serve", "--port", "65536"], "port: "),
    (["demo", "--seconds", "0"], "above 0"),
    (["demo", "--seconds", "nan"], "above 0"),
    (["demo", "--port", "-1"], "port: "),
    (["token", "--user", "alice"], "--secret"),
    (["token", "--user", "alice", "--secret", "s", "--expires", "0"], "--expires is 0"),
    (["token", "--user", "", "--secret", "s"], "--user"),
    (["get", "conversation", "lunch"], "--user"),
    (["get", "conversations", "lunch", "--user", "alice"], "conversations"),
    (["get", "user", "--user", "alice"], "ID"),
    (["get", "user", "", "--user", "alice"], "1 to 255"),
    (["get", "user", "bob", "--user", "alice", "--server", "localhost:8080"], "http://localhost"),
    (["get", "user", "bob", "--user", "", "--server", NOWHERE], "1 to 255"),
    (["observe", "conversation", "--user", "alice"], "observe conversation ID"),
    (["observe", "conversations", "lunch", "--user", "alice"], "observe conversation lunch"),
    (["send", "lunch", "--user", "alice"], "TEXT"),
    (["doctor", "--database", "postgresql://localhost"], "database"),
    (["backup"], "FILE"),
    (["backup", "copy.db", "--database", ""], "database"),
]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the environment of the tests out of those that run in this process."""
    for name in [name for name in os.environ if name.startswith("RTFLOW_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(("arguments", "named"), WRONG, ids=lambda x: str(x))
def test_wrong_usage_is_status_2_and_one_line_that_names_it(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("rtflow: ")
    assert said.err.count("\n") == 1
    assert named in said.err


WRONG_SETTINGS = [
    ({"RTFLOW_PORT": "http"}, "http"),
    ({"RTFLOW_MAX_SUBSCRIPTIONS": "0"}, "max_subscriptions"),
    ({"RTFLOW_HOST": "0.0.0.0"}, "secret"),
    ({"RTFLOW_SECRET": ""}, "secret"),
    ({"RTFLOW_CONFIG": "/nowhere.toml"}, "/nowhere.toml"),
    ({"RTFLOW_DATABASE": "postgresql://localhost"}, "database"),
]


@pytest.mark.parametrize(("variables", "named"), WRONG_SETTINGS, ids=lambda x: str(x))
def test_settings_that_cannot_be_are_wrong_usage(
    variables: dict[str, str],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run(["serve"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert named in said.err


async def test_the_status_is_that_of_the_process() -> None:
    ended = await rtflow("dance")
    assert (ended.status, ended.stdout) == (2, "")
    assert "dance" in ended.complaint


async def test_without_a_command_it_shows_what_there_is() -> None:
    ended = await rtflow()
    assert (ended.status, ended.stderr) == (0, "")
    assert all(command in ended.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_options_and_their_variables(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "--help"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "RTFLOW_" in said.out


async def test_version_is_that_of_the_package() -> None:
    ended = await rtflow("--version")
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.stdout.startswith("rtflow 0.")


def test_options_come_from_the_environment_too_and_arguments_win(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RTFLOW_USER", "alice")
    monkeypatch.setenv("RTFLOW_SERVER", "nowhere")
    assert run(["get", "user", "bob"]) == 2
    assert "'nowhere'" in capsys.readouterr().err
    assert run(["get", "user", "bob", "--server", "elsewhere"]) == 2
    assert "'elsewhere'" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["cyclopts", "rich", "jwt"])
async def test_a_missing_extra_is_one_line_that_says_how_to_get_it(missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; import rtflow.cli; rtflow.cli.main()"
    arguments = ["token", "--user", "alice", "--secret", "s"]
    async with started(*arguments, command=[*PYTHON, "-c", program]) as process:
        ended = await process.ended()
    assert (ended.status, ended.stdout) == (1, "")
    assert (
        ended.complaint == f'rtflow: {missing} is not installed: pip install "rtflow[server,cli]"'
    )
