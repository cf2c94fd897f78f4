import json
import re

from rtflow.testing import ServerProcess
from tests.cli.program import rtflow

SECRET = "a secret of the tests that is long enough"


async def test_a_token_opens_the_server_that_has_its_secret() -> None:
    token = await rtflow("token", "--user", "alice", "--secret", SECRET)
    assert (token.status, token.stderr) == (0, "")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", token.stdout)

    async with ServerProcess(":memory:", secret=SECRET) as server:
        caller = ["--server", server.url, "--user", "alice", "--token", token.stdout.strip()]
        sent = await rtflow("send", "lunch", "Hungry?", *caller)
        assert (sent.status, sent.stderr) == (0, "")
        seen = await rtflow("get", "conversation", "lunch", *caller)
        assert json.loads(seen.stdout)["lastMessage"]["plaintext"] == "Hungry?"


async def test_a_token_of_somebody_else_is_refused_in_one_line() -> None:
    token = await rtflow("token", "--user", "bob", env={"RTFLOW_SECRET": SECRET})
    async with ServerProcess(":memory:", secret=SECRET) as server:
        caller = ["--server", server.url, "--user", "alice", "--token", token.stdout.strip()]
        ended = await rtflow("get", "user", "bob", *caller)
    assert (ended.status, ended.stdout) == (1, "")
    assert "token" in ended.complaint
    assert token.stdout.strip() not in ended.complaint


async def test_a_server_with_a_secret_refuses_who_has_no_token() -> None:
    async with ServerProcess(":memory:", secret=SECRET) as server:
        ended = await rtflow("get", "user", "bob", "--server", server.url, "--user", "alice")
    assert (ended.status, ended.stdout) == (1, "")
    assert ended.complaint.startswith("rtflow: ")
