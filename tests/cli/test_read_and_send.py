import json
import os
import re
from pathlib import Path

import pytest

from rtflow.testing import ServerProcess, until
from tests.cli.program import RTFLOW, Ended, rtflow, started

NOWHERE = "http://127.0.0.1:1"
ALICE = ["--user", "alice", "--server"]

CONVERSATION = {
    "id",
    "subject",
    "photoUrl",
    "welcomeMessages",
    "custom",
    "createdAt",
    "joinedAt",
    "lastMessageAt",
    "lastMessage",
    "unreadMessageCount",
    "isUnread",
    "readUntil",
    "everyoneReadUntil",
    "access",
    "notify",
}


async def send(url: str, text: str) -> Ended:
    return await rtflow("send", "lunch", text, *ALICE, url)


async def test_what_is_not_there_is_null(url: str) -> None:
    for kind in ("user", "conversation"):
        assert await rtflow("get", kind, "lunch", *ALICE, url) == Ended(0, "null\n", "")


async def test_send_creates_what_is_not_there_and_get_shows_it(url: str) -> None:
    sent = await send(url, "Hungry? é")
    assert (sent.status, sent.stderr) == (0, "")
    message = json.loads(sent.stdout)
    assert message["conversationId"] == "lunch"

    got = await rtflow("get", "conversation", "lunch", *ALICE, url)
    assert (got.status, got.stderr) == (0, "")
    assert got.stdout.count("\n") == 1
    lunch = json.loads(got.stdout)
    assert lunch.keys() == CONVERSATION
    assert lunch["lastMessage"]["id"] == message["id"]
    assert lunch["lastMessage"]["plaintext"] == "Hungry? é"
    assert lunch["lastMessage"]["sender"]["name"] == "alice"
    assert lunch["lastMessage"]["content"] == [{"type": "text", "children": ["Hungry? é"]}]
    assert lunch["subject"] is None

    user = json.loads((await rtflow("get", "user", "alice", *ALICE, url)).stdout)
    assert user["name"] == "alice"
    assert user["photoUrl"] is None


async def test_a_stranger_may_not_send_and_is_told_in_one_line(url: str) -> None:
    await send(url, "Hungry?")
    ended = await rtflow("send", "lunch", "me!", "--user", "mallory", "--server", url)
    assert (ended.status, ended.stdout) == (1, "")
    assert "403" in ended.complaint


@pytest.mark.parametrize(
    "arguments", [["get", "user", "bob"], ["send", "lunch", "Hungry?", "--token", "any"]]
)
async def test_without_a_server_it_fails_in_one_line_that_says_where_and_why(
    arguments: list[str],
) -> None:
    ended = await rtflow(*arguments, *ALICE, NOWHERE)
    assert (ended.status, ended.stdout) == (1, "")
    assert ended.complaint == f"rtflow: no server at {NOWHERE} (connection refused)"


async def test_observe_prints_the_current_state_then_each_change_until_ctrl_c(url: str) -> None:
    async with started("observe", "conversation", "lunch", *ALICE, url) as observe:
        assert await observe.line() == "null"
        for text in ("Hungry?", "At noon?"):
            await send(url, text)
            while text not in (line := await observe.line()):
                assert json.loads(line).keys() == CONVERSATION
        assert json.loads(line)["lastMessage"]["plaintext"] == "At noon?"
        ended = await observe.interrupted()
    assert (ended.status, ended.stderr) == (0, "")


async def test_observe_conversations_prints_windows(url: str) -> None:
    await send(url, "Hungry?")
    async with started("observe", "conversations", *ALICE, url) as observe:
        window = json.loads(await observe.line())
        assert window["loadedAll"] is True
        assert [item["id"] for item in window["items"]] == ["lunch"]
        assert window["items"][0].keys() == CONVERSATION


async def test_observe_waits_for_a_server_and_survives_its_restart(tmp_path: Path) -> None:
    async with ServerProcess(tmp_path / "rtflow.db") as server:
        await server.terminate()
        async with started("observe", "user", "alice", *ALICE, server.url) as observe:
            await server.restart()
            assert await observe.line() == "null"
            await server.restart()
            await send(server.url, "Hungry?")
            assert json.loads(await observe.line())["name"] == "alice"
            ended = await observe.interrupted()
    assert ended.status == 0
    for line in ended.stderr.splitlines():
        assert re.match(rf"rtflow: (no server at|connected to) {server.url}", line)


PIPE = '("$@"; echo "status $?" >&2) | {}'


@pytest.mark.parametrize("reader", ["head -n 1", "true"])
async def test_observe_ends_quietly_when_nobody_reads_any_more(url: str, reader: str) -> None:
    command = ["sh", "-c", PIPE.format(reader), "sh", *RTFLOW]
    async with started(
        "observe", "conversation", "lunch", *ALICE, url, command=command
    ) as pipeline:
        ended = await pipeline.ended()
    assert ended == Ended(0, "null\n" if reader == "head -n 1" else "", "status 0\n")


async def test_get_is_quiet_too_when_nobody_reads(url: str) -> None:
    command = ["sh", "-c", PIPE.format("true"), "sh", *RTFLOW]
    async with started("get", "user", "bob", *ALICE, url, command=command) as pipeline:
        assert await pipeline.ended() == Ended(0, "", "status 0\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
async def test_output_that_cannot_be_written_is_one_line(url: str) -> None:
    command = ["sh", "-c", '"$@" > /dev/full', "sh", *RTFLOW]
    async with started("get", "user", "bob", *ALICE, url, command=command) as full:
        ended = await full.ended()
    assert ended.status == 1
    assert "No space left" in ended.complaint


async def test_a_text_that_cannot_be_sent_is_wrong_usage(url: str) -> None:
    ended = await send(url, "")
    assert (ended.status, ended.stdout) == (2, "")
    assert "empty" in ended.complaint


async def test_ctrl_c_while_a_command_waits_is_quiet() -> None:
    async with started("observe", "user", "bob", *ALICE, NOWHERE) as observe:
        await until(lambda: "no server at" in observe.stderr, timeout=20)
        ended = await observe.interrupted()
    assert (ended.status, ended.stdout) == (0, "")
    assert "Traceback" not in ended.stderr
