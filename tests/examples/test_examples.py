"""Every example runs as it is, against a real server, and shows what it promises."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from rtflow import Session
from rtflow.testing import ServerProcess
from tests.cli.program import PYTHON, Program, rtflow, started

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with ServerProcess(":memory:") as server:
        yield server.url


def example(name: str, url: str, *arguments: str) -> AbstractAsyncContextManager[Program]:
    program = [*PYTHON, str(EXAMPLES / name), *arguments]
    return started(command=program, env={"RTFLOW_SERVER": url})


async def send(url: str, conversation: str, text: str) -> None:
    ended = await rtflow("send", conversation, text, "--user", "alice", "--server", url)
    assert ended.status == 0, ended


async def until(program: Program, text: str) -> None:
    while text not in await program.line():
        pass


async def test_read_once_shows_one_conversation(url: str) -> None:
    async with example("read_once.py", url) as program:
        ended = await program.ended()
    assert ended.stdout == "alice sees no conversation 'lunch'\n"

    await send(url, "lunch", "Hungry?")
    async with example("read_once.py", url, "lunch") as program:
        ended = await program.ended()
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.stdout == (
        "lunch\n  unread: 0 (in all conversations: 0)\n  last:   alice: Hungry?\n"
    )


async def test_rx_pipelines_combines_throttles_and_alerts(url: str) -> None:
    async with example("rx_pipelines.py", url) as program:
        ended = await program.ended()
    assert (ended.status, ended.stderr) == (0, "")
    totals = [int(count) for count in re.findall(r"^total: +(\d+)$", ended.stdout, re.MULTILINE)]
    assert totals[0] == 0
    assert max(totals) == 12
    assert totals[-1] == 0
    throttled = re.findall(r"^throttled: (\d+)$", ended.stdout, re.MULTILINE)
    assert 0 < len(throttled) < len(totals)
    assert ended.stdout.count("alert:     over 3 unread for 1 s") == 1


async def test_typed_dashboard_follows_what_happens(url: str) -> None:
    async with example("typed_dashboard.py", url, "lunch") as program:
        await until(program, "last words: (not there yet)")
        await send(url, "lunch", "Hungry?")
        await until(program, "last words: Hungry?")
        ended = await program.interrupted()
    assert ended.stderr == ""
    assert "link: live" in ended.stdout
    assert "unread everywhere: 0" in ended.stdout


async def test_bot_answers_who_speaks_to_it_also_what_was_said_while_it_was_away(url: str) -> None:
    async with example("bot.py", url, "lunch", "alice") as program:
        await until(program, "listening")
        await send(url, "lunch", "what is a bot, really?")
        await send(url, "lunch", "bot, *where* is it?")
        await until(program, "lunch: answered alice: where is it?")
        ended = await program.interrupted()
    assert (ended.status, ended.stderr) == (0, "")

    await send(url, "lunch", "bot, are you there?")
    async with example("bot.py", url) as program:
        await until(program, "lunch: answered alice: are you there?")
        ended = await program.interrupted()
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.stdout.count("answered") == 1

    said = await exported(url, "lunch")
    assert [line["text"] for line in said] == [
        "alice asked: are you there?",
        "bot, are you there?",
        "alice asked: where is it?",
        "bot, where is it?",
        "what is a bot, really?",
    ]
    assert [line["sender"] for line in said] == ["Bot", "alice", "Bot", "alice", "alice"]
    assert said[2]["replies_to"] == said[3]["id"]
    assert said[3]["reactions"] == {"👀": 1}


async def exported(url: str, *arguments: str) -> list[dict[str, object]]:
    async with example("export_conversation.py", url, *arguments) as program:
        ended = await program.ended()
    assert (ended.status, ended.stderr) == (0, "")
    return [json.loads(line) for line in ended.stdout.splitlines()]


async def test_export_conversation_prints_page_after_page_or_what_is_found(url: str) -> None:
    async with Session(url, app_id="demo", user_id="alice") as alice:
        await alice.current_user.create_if_not_exists(name="Alice")
        lunch = alice.conversation("lunch")
        await lunch.create_if_not_exists()
        for number in range(201):  # two pages and one more
            await lunch.send(f"pizza {number}")
        await alice.conversation("work").create_if_not_exists()
        await alice.conversation("work").send("No pizza 7 here")

    texts = [line["text"] for line in await exported(url, "lunch")]
    assert texts == [f"pizza {number}" for number in range(200, -1, -1)]
    found = [
        (line["conversation"], line["text"]) for line in await exported(url, "--search", "pizza 7")
    ]
    assert found[0] == ("work", "No pizza 7 here")
    assert found[-1] == ("lunch", "pizza 7")

    async with example("export_conversation.py", url, "nowhere") as program:
        ended = await program.ended()
    assert (ended.status, ended.stdout) == (1, "")
    assert ended.complaint == "alice sees no conversation 'nowhere'"


async def test_unread_dashboard_prints_changes_where_there_is_no_terminal(url: str) -> None:
    await send(url, "lunch", "Hungry?")
    async with example("unread_dashboard.py", url, "--user", "alice") as program:
        await until(program, "live")
        ended = await program.interrupted()
    assert ended.stderr == ""
    assert ended.stdout.splitlines()[-1].endswith("unread between 0 and 0")


def test_the_demo_runs_the_very_file_of_the_examples() -> None:
    shipped = ROOT / "rtflow" / "cli" / "demo" / "dashboard.py"
    assert shipped.read_bytes() == (EXAMPLES / "unread_dashboard.py").read_bytes()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_says_how_to_run_it(path: Path) -> None:
    assert f"python examples/{path.name}" in path.read_text().split('"""')[1]
