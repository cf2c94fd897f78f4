"""The official JavaScript client behind a link that is cut, stalled, split and worse: it survives
what ours survives (tests/torture)."""

import json

import pytest

from rtflow.testing import Link
from tests.interop.conftest import Serve
from tests.interop.node import Node
from tests.interop.script import started

PATIENCE = 300  # seconds


@pytest.mark.timeout(PATIENCE + 30)
async def test_the_official_client_survives_what_happens_to_its_connection(
    node: Node, serve: Serve, secret: str | None
) -> None:
    server = await serve()
    asked = {
        "CONTROL": "1",
        "STEP_MS": "90000",
        "SCENARIO_MS": str(PATIENCE * 1000),
    }
    steps = list[dict[str, object]]()
    async with Link("127.0.0.1", server.port) as link:
        asked["HOST"] = f"127.0.0.1:{link.port}"
        async with started(node, "cuts.mjs", server, secret, **asked) as script:
            while (line := await script.line()) is not None:
                if (order := line.get("control")) is None:
                    steps.append(line)
                else:
                    befall(link, str(order))
                    script.tell("done")
            status = await script.ended()
        hit = link.messages_hit
    failed = "\n".join(json.dumps(step, ensure_ascii=False) for step in steps if not step["ok"])
    assert not failed, f"steps failed:\n{failed}"
    assert status == 0
    assert steps[-1]["step"] == "done"
    assert hit == 2 * 5


def befall(link: Link, order: str) -> None:
    """Do to the link what the program asks for."""
    match order:
        case "reset":
            link.cut()
        case "end":
            link.close()
        case "reset while sending":
            link.cut_after(200, "up")
        case "reset while receiving":
            link.cut_after(200, "down")
        case "hold back":
            link.stall()
        case "half-open":
            link.stall(lose=True)
        case "split":
            link.split(7)
        case "throttle":
            link.throttle(2_000)
        case "duplicate":
            link.duplicate(5, "up")
            link.duplicate(5, "down")
        case "calm":
            link.resume()
            link.split(None)
            link.throttle(None)
        case _:
            raise AssertionError(f"what is {order!r}?")
