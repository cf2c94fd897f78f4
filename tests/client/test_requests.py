"""What becomes of requests: answered, given up, refused, lost with the connection."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from rtflow.client.requests import MOST_WAITING, Requests
from rtflow.client.slot import Slot
from rtflow.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotFound,
    OutcomeUnknown,
    RequestRefused,
    RequestTimedOut,
    ServerFailed,
    TooManyRequests,
)
from rtflow.model.content import TextBlock
from rtflow.model.params import (
    ConversationParams,
    CreateUser,
    EditMessage,
    Empty,
    GetConversation,
    MarkParams,
    SendMessage,
)
from rtflow.wire.client import Answer
from rtflow.wire.endpoints import (
    ADD_REACTION,
    ALL,
    CREATE_USER,
    DELETE_MESSAGE,
    DELETE_PARTICIPANT,
    EDIT_MESSAGE,
    GET_CONVERSATION,
    MARK_READ,
    REMOVE_REACTION,
    SEND_MESSAGE,
    SET_CONVERSATION,
    WATCH_CONVERSATION,
    AnyEndpoint,
    Done,
    Endpoint,
    Kind,
    Renewed,
    Repeat,
)
from rtflow.wire.server import Call
from tests.client.scripted import SILENCE, Rig, ScriptedServer, outcome

HELLO = SendMessage(content=(TextBlock(children=("hello",)),))


# Giving up


async def test_a_late_answer_to_a_cancelled_request_is_ignored(scripted: ScriptedServer) -> None:
    scripted.answers[WATCH_CONVERSATION] = SILENCE
    async with Rig(scripted.url) as rig, asyncio.TaskGroup() as tasks:
        caller = tasks.create_task(rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty()))
        await scripted.until(lambda: bool(scripted.lines))
        caller.cancel()
        await asyncio.wait([caller])
        assert "0 waiting, 0 sent, 0 resting" in repr(rig.link)
        await scripted.last.answer(scripted.last.asked(WATCH_CONVERSATION)[0])
        scripted.answers[WATCH_CONVERSATION] = Done()
        await rig.link.ask(WATCH_CONVERSATION, ("dinner",), Empty())
    assert caller.cancelled()
    assert rig.lives == 1


async def test_a_request_cancelled_before_it_was_sent_is_never_sent(
    scripted: ScriptedServer,
) -> None:
    async with Rig(scripted.url) as rig, asyncio.TaskGroup() as tasks:
        caller = tasks.create_task(rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty()))
        await rig.until(lambda: rig.statuses == ["connecting"])
        caller.cancel()
        await rig.link.ask(WATCH_CONVERSATION, ("dinner",), Empty())
    assert scripted.lines == ["SUBSCRIBE /me/conversations/dinner"]


async def test_a_request_without_an_answer_times_out_and_frees_its_slot(
    scripted: ScriptedServer,
) -> None:
    scripted.answers[WATCH_CONVERSATION] = SILENCE
    async with Rig(scripted.url, request_timeout=0.05) as rig:
        await rig.live()
        with pytest.raises(RequestTimedOut, match="SUBSCRIBE /me/conversations/lunch"):
            await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
        assert "0 waiting, 0 sent, 0 resting" in repr(rig.link)


async def test_a_request_may_have_a_time_of_its_own(scripted: ScriptedServer) -> None:
    scripted.answers[WATCH_CONVERSATION] = SILENCE
    async with Rig(scripted.url, request_timeout=60) as rig:
        with pytest.raises(RequestTimedOut, match=r"in 0\.05 s"):
            await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty(), timeout=0.05)


async def test_too_many_requests_without_a_link_are_refused() -> None:
    async with Rig("http://127.0.0.1:1", request_timeout=60) as rig, asyncio.TaskGroup() as tasks:
        for number in range(MOST_WAITING):
            tasks.create_task(outcome(rig, WATCH_CONVERSATION, (str(number),), Empty()))
        await rig.until(lambda: bool(rig.reasons))
        with pytest.raises(TooManyRequests, match="wait for the connection"):
            await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
        rig.link.ask_soon(WATCH_CONVERSATION, ("lunch",), Empty(), lambda _: None)  # no limit
        await rig.link.close()


async def test_a_request_that_is_too_large_is_refused_before_it_is_sent(
    scripted: ScriptedServer,
) -> None:
    large = ConversationParams(welcome_messages=("x" * 10_000,) * 110)
    async with Rig(scripted.url) as rig:
        with pytest.raises(BadRequest, match="REQUEST_TOO_LARGE"):
            await rig.link.ask(SET_CONVERSATION, ("lunch",), large)
        await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
    assert scripted.handshakes == 1
    assert scripted.lines == ["SUBSCRIBE /me/conversations/lunch"]


async def test_an_id_that_is_no_text_is_refused_before_it_is_sent(
    scripted: ScriptedServer,
) -> None:
    async with Rig(scripted.url) as rig:
        with pytest.raises(BadRequest, match="INVALID_TEXT"):
            await rig.link.ask(WATCH_CONVERSATION, ("\ud800",), Empty())
        await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())


async def test_requests_beyond_the_buffers_wait_until_there_is_room(
    scripted: ScriptedServer,
) -> None:
    large = ConversationParams(welcome_messages=("x" * 10_000,) * 20)
    async with Rig(scripted.url, request_timeout=30) as rig:
        await rig.live()
        async with asyncio.TaskGroup() as tasks:
            for number in range(100):
                tasks.create_task(rig.link.ask(SET_CONVERSATION, (str(number),), large))
            await scripted.until(lambda: bool(scripted.lines))
            assert "<Requests: 0 waiting" not in repr(rig.link)
    assert scripted.lines == [f"PUT /conversations/{number}" for number in range(100)]


# Refusals


async def test_a_refusal_is_raised_as_what_it_is(scripted: ScriptedServer) -> None:
    scripted.answers[GET_CONVERSATION] = Forbidden("NOT_A_PARTICIPANT", "you are not in it")
    async with Rig(scripted.url) as rig:
        with pytest.raises(Forbidden, match="NOT_A_PARTICIPANT: you are not in it"):
            await rig.link.ask(GET_CONVERSATION, ("lunch",), GetConversation())


async def test_a_refusal_settles_what_was_asked_soon(scripted: ScriptedServer) -> None:
    scripted.answers[WATCH_CONVERSATION] = Forbidden("NO")
    settled = list[object]()
    async with Rig(scripted.url) as rig:
        rig.link.ask_soon(WATCH_CONVERSATION, ("lunch",), Empty(), settled.append)
        await rig.live()
        await rig.link.ask(SET_CONVERSATION, ("lunch",), ConversationParams())
    assert [type(one) for one in settled] == [Forbidden]


async def test_what_settles_and_raises_is_logged_and_the_link_goes_on(
    scripted: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("in settle")

    async with Rig(scripted.url) as rig:
        rig.link.ask_soon(WATCH_CONVERSATION, ("lunch",), Empty(), fail)
        await rig.link.ask(SET_CONVERSATION, ("lunch",), ConversationParams())
    assert "in settle" in caplog.text
    assert rig.lives == 1


def failing(times: int, error: RequestRefused, result: object = Done()) -> Callable[[Call], object]:
    """Refuse so many times, then answer."""
    left = [error] * times
    return lambda _: left.pop() if left else result


async def test_too_many_requests_are_asked_again_until_their_time_is_up(
    scripted: ScriptedServer,
) -> None:
    busy = TooManyRequests("TOO_FAST")
    scripted.answers[SEND_MESSAGE] = failing(1, busy, {"id": "1"})
    async with Rig(scripted.url) as rig:
        assert (await rig.link.ask(SEND_MESSAGE, ("lunch",), HELLO)).id == "1"
        assert len(scripted.lines) == 2
        scripted.answers[SEND_MESSAGE] = busy
        with pytest.raises(RequestTimedOut):
            await rig.link.ask(SEND_MESSAGE, ("lunch",), HELLO, timeout=0.3)
        assert "0 waiting, 0 sent, 0 resting" in repr(rig.link)


async def test_a_read_that_fails_is_asked_again_three_times(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtflow.client.held.FIRST_REST", 0.01)
    scripted.answers[WATCH_CONVERSATION] = failing(3, ServerFailed("BUSY"))
    async with Rig(scripted.url) as rig:
        await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
        assert len(scripted.lines) == 4
        scripted.answers[WATCH_CONVERSATION] = failing(4, ServerFailed("BUSY"))
        with pytest.raises(ServerFailed):
            await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())


async def test_a_write_that_fails_is_reported_at_once(scripted: ScriptedServer) -> None:
    scripted.answers[SET_CONVERSATION] = ServerFailed("STORAGE_UNAVAILABLE")
    async with Rig(scripted.url) as rig:
        with pytest.raises(ServerFailed):
            await rig.link.ask(SET_CONVERSATION, ("lunch",), ConversationParams())
    assert len(scripted.lines) == 1


async def test_closing_stops_what_rests(scripted: ScriptedServer) -> None:
    scripted.answers[SEND_MESSAGE] = TooManyRequests("TOO_FAST")
    async with Rig(scripted.url) as rig, asyncio.TaskGroup() as tasks:
        tasks.create_task(outcome(rig, SEND_MESSAGE, ("lunch",), HELLO))
        rig.link.ask_soon(SEND_MESSAGE, ("lunch",), HELLO, lambda _: None)
        await rig.live()
        async with asyncio.timeout(5):
            while "2 resting" not in repr(rig.link):
                await Rig.turn()
        await rig.link.close()
        assert "0 waiting, 0 sent, 0 resting" in repr(rig.link)
    assert scripted.lines.count("POST /conversations/lunch/messages") == 1, (
        "the other was behind it"
    )


# Losing the connection


KEY = SendMessage(content=HELLO.content, idempotency_key="k")
SAFE_OR_KEYED: list[tuple[AnyEndpoint, tuple[str, ...], Any, Any]] = [
    (WATCH_CONVERSATION, ("lunch",), Empty(), {}),
    (SET_CONVERSATION, ("lunch",), ConversationParams(subject="Lunch"), {}),
    (CREATE_USER, ("alice",), CreateUser(name="Alice"), {}),
    (DELETE_PARTICIPANT, ("lunch", "bob"), Empty(), {}),
    (EDIT_MESSAGE, ("lunch", "m1"), EditMessage(custom={"k": None}), {}),
    (DELETE_MESSAGE, ("lunch", "m1"), Empty(), {}),
    (ADD_REACTION, ("lunch", "m1", "+", "bob"), Empty(), {}),
    (REMOVE_REACTION, ("lunch", "m1", "+", "bob"), Empty(), {}),
    (SEND_MESSAGE, ("lunch",), KEY, {"id": "1"}),
    (MARK_READ, ("lunch",), MarkParams(until=5), {}),
]


@pytest.mark.parametrize(
    ("endpoint", "ids", "params", "result"), SAFE_OR_KEYED, ids=lambda v: getattr(v, "name", None)
)
async def test_what_is_safe_to_repeat_is_repeated_after_the_connection_was_lost(
    scripted: ScriptedServer, endpoint: AnyEndpoint, ids: tuple[str, ...], params: Any, result: Any
) -> None:
    scripted.answers[endpoint] = SILENCE
    async with Rig(scripted.url) as rig, asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(rig.link.ask(endpoint, ids, params))
        await scripted.until(lambda: bool(scripted.lines))
        scripted.answers[endpoint] = result
        scripted.last.cut()
        await asked
    first, second = (peer.frames[-1] for peer in scripted.peers)
    assert first == second


@pytest.mark.parametrize(("endpoint", "params"), [(SEND_MESSAGE, HELLO), (MARK_READ, MarkParams())])
async def test_what_could_happen_twice_is_not_repeated(
    scripted: ScriptedServer, endpoint: AnyEndpoint, params: Any
) -> None:
    scripted.answers[endpoint] = SILENCE
    async with Rig(scripted.url) as rig, asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(outcome(rig, endpoint, ("lunch",), params))
        await scripted.until(lambda: bool(scripted.lines))
        scripted.last.cut()
        unknown = await asked
        await rig.until(lambda: rig.lives == 2)
    assert isinstance(unknown, OutcomeUnknown)
    assert unknown.request.startswith("POST ")
    assert len(scripted.lines) == 1


async def test_what_was_not_sent_yet_is_sent_after_the_reconnect_whatever_it_is(
    scripted: ScriptedServer,
) -> None:
    scripted.accepts = lambda token: SILENCE
    scripted.answers[SEND_MESSAGE] = {"id": "1"}
    async with Rig(scripted.url) as rig, asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(rig.link.ask(SEND_MESSAGE, ("lunch",), HELLO))
        await scripted.until(lambda: bool(scripted.tokens))
        scripted.accepts = ScriptedServer().accepts
        scripted.last.cut()
        assert (await asked).id == "1"


async def test_repeats_keep_the_order_of_the_session(scripted: ScriptedServer) -> None:
    scripted.answers[SET_CONVERSATION] = scripted.answers[WATCH_CONVERSATION] = SILENCE
    async with Rig(scripted.url) as rig, asyncio.TaskGroup() as tasks:
        for name in ("a", "b"):
            tasks.create_task(rig.link.ask(SET_CONVERSATION, (name,), ConversationParams()))
            tasks.create_task(rig.link.ask(WATCH_CONVERSATION, (name,), Empty()))
        await scripted.until(lambda: len(scripted.lines) == 4)
        scripted.answers.clear()
        scripted.last.cut()
        await rig.until(lambda: not rig.link.live)
        tasks.create_task(rig.link.ask(SET_CONVERSATION, ("c",), ConversationParams()))
    before, after = (peer.lines for peer in scripted.peers)
    assert after == [*before, "PUT /conversations/c"]


@pytest.mark.parametrize(
    ("endpoint", "ids", "params", "error"),
    [
        (DELETE_PARTICIPANT, ("lunch", "bob"), Empty(), NotFound("PARTICIPANT_NOT_FOUND")),
        (CREATE_USER, ("alice",), CreateUser(name="Alice"), Conflict("USER_EXISTS")),
    ],
    ids=["delete", "create"],
)
async def test_a_refusal_that_repeating_has_caused_is_a_success_then_only(
    scripted: ScriptedServer,
    endpoint: AnyEndpoint,
    ids: tuple[str, ...],
    params: Any,
    error: RequestRefused,
) -> None:
    scripted.answers[endpoint] = SILENCE
    async with Rig(scripted.url) as rig, asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(outcome(rig, endpoint, ids, params))
        await scripted.until(lambda: bool(scripted.lines))
        scripted.answers[endpoint] = error
        scripted.last.cut()
        assert await asked == Done()
        assert isinstance(await outcome(rig, endpoint, ids, params), type(error))


def test_only_what_has_an_id_at_its_end_can_be_found_done_when_repeated() -> None:
    done = {e.name: e.done_if_repeated for e in ALL if e.done_if_repeated is not None}
    assert {status for name, status in done.items() if name.startswith("DELETE")} == {404}
    created = {name for name, status in done.items() if status == 409}
    assert {"POST /users/{user}", "POST /conversations/{conversation}"} <= created
    assert all(name.startswith("POST") and name.endswith("}") for name in created)


async def test_what_was_asked_soon_is_forgotten_when_the_connection_is_lost(
    scripted: ScriptedServer,
) -> None:
    scripted.answers[WATCH_CONVERSATION] = SILENCE
    settled = list[object]()
    async with Rig(scripted.url) as rig:
        await rig.live()
        rig.link.ask_soon(WATCH_CONVERSATION, ("lunch",), Empty(), settled.append)
        await scripted.until(lambda: bool(scripted.lines))
        scripted.answers.clear()
        scripted.last.cut()
        await rig.until(lambda: rig.lives == 2)
        await rig.link.ask(SET_CONVERSATION, ("lunch",), ConversationParams())
    assert settled == []
    assert scripted.last.lines == ["PUT /conversations/lunch"]


async def test_what_was_asked_soon_waits_for_the_first_session(
    scripted: ScriptedServer,
) -> None:
    settled = list[object]()
    scripted.accepts = lambda token: SILENCE if scripted.handshakes == 1 else Renewed()
    async with Rig(scripted.url) as rig:
        rig.link.ask_soon(WATCH_CONVERSATION, ("lunch",), Empty(), settled.append)
        await scripted.until(lambda: bool(scripted.tokens))
        scripted.last.cut()
        await rig.until(lambda: rig.link.live)
        await rig.link.ask(SET_CONVERSATION, ("lunch",), ConversationParams())
    assert settled == [Done()]


@pytest.mark.parametrize("params", [Empty(), KEY, MarkParams(until=1)])
def test_what_must_never_be_repeated_may_not_whatever_it_carries(params: Any) -> None:
    upload = Endpoint[Empty, Done]("POST /files", Empty, Done, Kind.WRITE, Repeat.NEVER)
    assert not Slot(1, upload, (), params, None).may_repeat


# A wire by hand, for what a socket cannot be made to do


class Wire:
    def __init__(self) -> None:
        self.is_writable = True
        self.calls = list[tuple[str, ...]]()
        self.forgotten = list[int]()

    def call(self, endpoint: AnyEndpoint, ids: tuple[str, ...], params: Any) -> int:
        if ids == ("broken",):
            raise ZeroDivisionError("a mistake of ours")
        self.calls.append(ids)
        return len(self.calls)

    def forget(self, seq: int) -> None:
        self.forgotten.append(seq)


async def test_nothing_is_handed_to_a_full_wire_and_the_order_is_kept() -> None:
    requests, wire = Requests(lambda: 0.5), Wire()
    requests.open(wire, lambda: None)
    wire.is_writable = False
    for name in ("a", "b"):
        requests.ask_soon(WATCH_CONVERSATION, (name,), Empty(), lambda _: None)
    assert wire.calls == []
    wire.is_writable = True
    requests.ask_soon(WATCH_CONVERSATION, ("c",), Empty(), lambda _: None)
    assert wire.calls == [("a",), ("b",), ("c",)]


async def test_a_mistake_of_ours_in_one_request_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    requests, wire = Requests(lambda: 0.5), Wire()
    settled = list[object]()
    for name in ("broken", "a"):
        requests.ask_soon(WATCH_CONVERSATION, (name,), Empty(), settled.append)
    requests.open(wire, lambda: None)
    assert wire.calls == [("a",)]
    assert [str(one) for one in settled] == [
        "SUBSCRIBE /me/conversations/broken cannot be sent: ZeroDivisionError"
    ]
    assert "a mistake of ours" in caplog.text


async def test_what_was_sent_and_what_waited_keep_their_order_over_a_loss() -> None:
    requests, first, second = Requests(lambda: 0.5), Wire(), Wire()
    async with asyncio.TaskGroup() as tasks:
        requests.open(first, lambda: None)
        asked = list[asyncio.Task[Any]]()
        for name in ("a", "b", "c", "d"):
            ask = requests.ask(WATCH_CONVERSATION, (name,), Empty(), 60)
            asked.append(tasks.create_task(ask))
            await Rig.turn()
            first.is_writable = name == "a"
        assert first.calls == [("a",), ("b",)]
        requests.lost()
        requests.open(second, lambda: None)
        for task in asked:
            task.cancel()
    assert second.calls == [("a",), ("b",), ("c",), ("d",)]


async def test_a_caller_that_leaves_frees_its_slot_even_if_its_answer_comes_meanwhile() -> None:
    requests, wire = Requests(lambda: 0.5), Wire()
    requests.open(wire, lambda: None)
    async with asyncio.TaskGroup() as tasks:
        asked = [
            tasks.create_task(requests.ask(WATCH_CONVERSATION, (name,), Empty(), 60))
            for name in ("a", "b")
        ]
        await Rig.turn()
        for task in asked:
            task.cancel()
        requests.settle(Answer(1, WATCH_CONVERSATION, Done()))
    assert [task.cancelled() for task in asked] == [True, True]
    assert wire.forgotten == [2]
    assert "0 waiting, 0 sent" in repr(requests)
