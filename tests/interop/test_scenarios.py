"""Each scenario of the official JavaScript client, against a server of its own, in both modes."""

import json
from collections.abc import AsyncIterator

import pytest

from rtflow.testing import ServerProcess
from tests.interop.conftest import Serve
from tests.interop.node import HERE, Node
from tests.interop.script import Line, Script, started

SCENARIOS = {path.stem.removeprefix("scenario-") for path in HERE.glob("scenario-*.mjs")}
SLOW = ["auth", "reconnect", "typing"]  # they wait for clocks, so they begin first

PATIENCE = 200  # seconds that a scenario may take
ASKED = {  # README.md has the meanings
    "EXPECT_PUSH_FIRST": "1",
    "EXPECT_CATCHUP": "1",
    "CONTROL": "1",
    "SCENARIO_MS": str(PATIENCE * 1000),
}
MORE = {"auth": {"LONG": "1"}}


@pytest.mark.timeout(PATIENCE + 30)
@pytest.mark.parametrize("scenario", [*SLOW, *sorted(SCENARIOS.difference(SLOW))])
async def test_the_official_client_sees_what_it_expects(
    node: Node, serve: Serve, secret: str | None, scenario: str
) -> None:
    server = await serve()
    asked = ASKED | MORE.get(scenario, {})
    async with started(node, f"scenario-{scenario}.mjs", server, secret, **asked) as script:
        steps = [step async for step in steps_of(script, server)]
        status = await script.ended()
    failed = "\n".join(json.dumps(step, ensure_ascii=False) for step in steps if not step["ok"])
    assert not failed, f"steps failed:\n{failed}"
    assert status == 0
    assert steps[-1]["step"] == "done"


async def steps_of(script: Script, server: ServerProcess) -> AsyncIterator[Line]:
    """Return the steps of a scenario, and do with the server what it asks for meanwhile."""
    while (line := await script.line()) is not None:
        if (order := line.get("control")) is None:
            yield line
            continue
        match order:
            case "kill":
                await server.kill()
            case "stop":
                await server.terminate()
            case "start":
                await server.restart()
            case _:
                raise AssertionError(f"what is {order!r}?")
        script.tell("done")
