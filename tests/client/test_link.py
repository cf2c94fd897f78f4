"""One connection kept alive: when it opens, what it survives, how it ends."""

import asyncio
import re

import pytest

from rtflow.client.backoff import Backoff
from rtflow.client.connection import Heartbeat
from rtflow.errors import (
    InvalidFrame,
    RequestTimedOut,
    SessionClosed,
    SessionExpired,
)
from rtflow.model.events import UpstreamRestarting
from rtflow.model.params import Empty
from rtflow.model.snapshots import ConnectionState
from rtflow.testing import Clock
from rtflow.testing.link import Link as Network
from rtflow.wire.codec import MAX_SERVER_FRAME
from rtflow.wire.endpoints import (
    GET_CONVERSATIONS,
    PING,
    RENEW,
    UNWATCH_CONVERSATION,
    WATCH_CONVERSATION,
    WATCH_CONVERSATIONS,
    Renewed,
)
from tests.client.scripted import SILENCE, Rig, ScriptedServer, edited


def watch(rig: Rig, *conversations: str) -> None:
    """Subscribe without waiting, as the registry does."""
    for conversation in conversations:
        rig.link.ask_soon(WATCH_CONVERSATION, (conversation,), Empty(), lambda _: None)


# Opening


async def test_nothing_is_opened_before_it_is_wanted(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url) as lazy, Rig(scripted.url) as eager:
        await eager.live()
        assert lazy.link.state == ConnectionState(status="idle")
        await lazy.link.close()
    assert scripted.handshakes == 1
    assert lazy.statuses == ["closed"]


async def test_a_request_opens_the_link(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url) as rig:
        await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
    assert scripted.lines == ["SUBSCRIBE /me/conversations/lunch"]
    assert rig.statuses == ["connecting", "live", "closed"]


async def test_the_user_and_a_stable_client_id_are_in_the_url(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url) as rig:
        await rig.live()
        scripted.last.cut()
        await rig.until(lambda: rig.lives == 2)
    first, second = (peer.path.partition("?") for peer in scripted.peers)
    assert first[0] == second[0] == "/public_api/v1/demo/realtime/alice"
    ids = [query.split("talkjs-client-id=")[1].split("&")[0] for _, _, query in (first, second)]
    assert ids[0] == ids[1]
    assert ids[0].isdecimal()


async def test_requests_wait_until_the_token_is_accepted_and_keep_their_order(
    scripted: ScriptedServer,
) -> None:
    accepted = asyncio.Event()

    async def token() -> str:
        await accepted.wait()
        return "a token"

    async with Rig(scripted.url, token) as rig, asyncio.TaskGroup() as tasks:
        for name in ("a", "b", "c"):
            tasks.create_task(rig.link.ask(WATCH_CONVERSATION, (name,), Empty()))
        await rig.until(lambda: rig.statuses == ["connecting"])
        accepted.set()
    peer = scripted.last
    assert peer.calls[0].endpoint is RENEW
    assert peer.lines == [f"SUBSCRIBE /me/conversations/{name}" for name in ("a", "b", "c")]


async def test_what_is_asked_on_live_leaves_before_what_waited(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url) as rig:
        rig.on_live.append(lambda: watch(rig, "watched"))
        await rig.link.ask(WATCH_CONVERSATION, ("asked",), Empty())
    assert scripted.lines == [
        "SUBSCRIBE /me/conversations/watched",
        "SUBSCRIBE /me/conversations/asked",
    ]


async def test_the_link_is_live_when_on_live_is_called_and_says_so_afterwards(
    scripted: ScriptedServer,
) -> None:
    seen = list[tuple[bool, list[str]]]()
    async with Rig(scripted.url) as rig:
        rig.on_live.append(lambda: seen.append((rig.link.live, rig.statuses)))
        await rig.live()
    assert seen == [(True, ["connecting"])]


# Events


async def test_events_arrive_once_per_frame_in_frame_order(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url) as rig:
        await rig.live()
        await scripted.last.publish(edited("a"), edited("b"))
        await scripted.last.publish(edited("c"))
        await rig.until(lambda: len(rig.events) == 2)
    assert rig.events == [(edited("a"), edited("b")), (edited("c"),)]
    assert scripted.last.frames[-2:] == ['[1,"ACK"]', '[2,"ACK"]']


async def test_events_and_answers_are_told_in_the_order_of_their_frames(
    scripted: ScriptedServer,
) -> None:
    told = list[object]()
    async with Rig(scripted.url) as rig:
        rig.on_events.append(told.extend)
        await rig.live()
        scripted.answers[WATCH_CONVERSATION] = SILENCE
        rig.link.ask_soon(WATCH_CONVERSATION, ("lunch",), Empty(), told.append)
        await scripted.until(lambda: bool(scripted.lines))
        peer = scripted.last
        peer.protocol.publish([b'{"type":"user.edited","userId":"a","diff":{"name":"before"}}'])
        peer.protocol.answer(peer.asked(WATCH_CONVERSATION)[0].seq, {})
        peer.protocol.publish([b'{"type":"user.edited","userId":"a","diff":{"name":"after"}}'])
        await peer.flush()
        await rig.link.ask(WATCH_CONVERSATIONS, (), Empty())
    assert [type(one).__name__ for one in told] == ["UserEdited", "Done", "UserEdited"]


async def test_events_about_the_link_are_kept_back(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url) as rig:
        await rig.live()
        await scripted.last.publish(UpstreamRestarting(), edited("a"))
        await scripted.last.publish(UpstreamRestarting())
        await scripted.last.publish(edited("b"))
        await rig.until(lambda: len(rig.events) == 2)
    assert rig.events == [(edited("a"),), (edited("b"),)]


async def test_a_message_that_cannot_be_read_is_logged_and_the_link_goes_on(
    scripted: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with Rig(scripted.url) as rig:
        await rig.live()
        await scripted.last.socket.send("nonsense")
        await scripted.last.publish(edited("a"))
        await rig.until(lambda: bool(rig.events))
    assert "cannot be read" in caplog.text
    assert scripted.handshakes == 1


async def test_a_callback_that_raises_is_logged_and_the_link_goes_on(
    scripted: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("in the callback")

    async with Rig(scripted.url) as rig:
        rig.on_live.append(fail)
        await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
    assert "in the callback" in caplog.text
    assert rig.statuses == ["connecting", "live", "closed"]


async def test_a_message_in_fragments_is_one_message(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url) as rig:
        await rig.live()
        whole = '[1,"PUBLISH",{"type":"user.edited","userId":"a","diff":{"name":"Ada"}}]'
        await scripted.last.socket.send([whole[:20], whole[20:30], whole[30:]])
        await rig.until(lambda: bool(rig.events))
    assert len(rig.events) == 1


# Losing the connection


async def test_a_lost_connection_comes_back_and_is_announced_again(
    scripted: ScriptedServer,
) -> None:
    async with Rig(scripted.url) as rig:
        await rig.live()
        scripted.last.cut()
        await rig.until(lambda: rig.lives == 2)
    assert rig.statuses == ["connecting", "live", "waiting", "connecting", "live", "closed"]
    assert rig.states[2].retry_in == 0.005  # half of the first ceiling: chance says 0.5


async def test_the_reason_of_a_close_is_told(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url) as rig:
        await rig.live()
        await scripted.last.socket.close(1012)
        await rig.until(lambda: rig.lives == 2)
        await scripted.last.socket.close(4000, "moving house")
        await rig.until(lambda: rig.lives == 3)
    assert rig.reasons == ["closed with 1012 (service restart)", "closed with 4000 (moving house)"]


async def test_a_server_that_is_down_is_tried_until_it_is_up(scripted: ScriptedServer) -> None:
    async with Network("127.0.0.1", scripted.port) as network:
        network.refuse()
        async with Rig(network.url) as rig:
            rig.link.want()
            await rig.until(lambda: len(rig.reasons) >= 2)
            network.accept()
            await rig.until(lambda: rig.link.live)
    assert set(rig.reasons) == {"connection refused"}


async def test_a_half_open_connection_is_noticed_by_the_heartbeat(
    scripted: ScriptedServer, clock: Clock
) -> None:
    """With the times of production: asked after 10 s of silence, given up after 5 s more."""
    async with Network("127.0.0.1", scripted.port) as network, Rig(network.url) as rig:
        await rig.live()
        for _ in range(2):
            before = len(scripted.last.asked(PING))
            await clock.advance(10.1)
            await scripted.until(lambda: len(scripted.last.asked(PING)) == before + 1)  # noqa: B023 - waited for here
        assert rig.lives == 1  # it is answered: all is well
        network.stall(lose=True)
        await clock.advance(12)
        assert not rig.reasons
        await clock.advance(4)
        await rig.until(lambda: bool(rig.reasons))
        network.resume()
        await rig.until(lambda: rig.lives == 2)
    silent = re.fullmatch(r"no sign of life for ([0-9.]+) s", rig.reasons[0])
    assert silent is not None, rig.reasons
    assert 15 <= float(silent[1]) < 17


async def test_a_ping_goes_out_when_nothing_was_said_for_long(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url, heartbeat=Heartbeat(unsaid=0.03)) as rig:
        await rig.live()
        await scripted.until(lambda: len(scripted.last.asked(PING)) >= 3)
        assert rig.lives == 1


async def test_an_accepted_socket_that_stays_silent_is_given_up() -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Rig(f"http://127.0.0.1:{port}", patience=0.05) as rig:
        rig.link.want()
        await rig.until(lambda: bool(rig.reasons))
    server.close()
    await server.wait_closed()
    assert rig.reasons[0] == "no answer within 0.05 s"


async def test_a_server_that_speaks_something_else_is_named() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Rig(f"http://127.0.0.1:{port}") as rig:
        rig.link.want()
        await rig.until(lambda: bool(rig.reasons))
    server.close()
    await server.wait_closed()
    assert rig.reasons[0].startswith("the server does not speak websocket")


async def test_retry_after_is_obeyed(scripted: ScriptedServer) -> None:
    scripted.handshake = (503, {"Retry-After": "17"})
    async with Rig(scripted.url) as rig:
        rig.link.want()
        await rig.until(lambda: rig.statuses[-1:] == ["waiting"])
    waiting = rig.states[-2]
    assert waiting.reason == "the server refused the connection with 503 Service Unavailable"
    assert waiting.retry_in == 17.005


@pytest.mark.parametrize("wish", ["soon", "-1", "1e9", "", "99999999"])
async def test_a_retry_after_that_makes_no_sense_does_no_harm(
    scripted: ScriptedServer, wish: str
) -> None:
    scripted.handshake = (503, {"Retry-After": wish})
    async with Rig(scripted.url) as rig:
        rig.link.want()
        await rig.until(lambda: bool(rig.reasons))
    retry_in = next(state.retry_in for state in rig.states if state.status == "waiting")
    assert retry_in == (600.005 if wish.startswith("9") else 0.005)


async def test_an_app_that_is_not_there_ends_the_session(scripted: ScriptedServer) -> None:
    scripted.handshake = (404, {})
    async with Rig(scripted.url) as rig:
        with pytest.raises(SessionExpired, match="there is no app 'demo' at ws://127"):
            await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
        await rig.until(lambda: rig.ended is not None)
        assert isinstance(rig.ended, SessionExpired)
        with pytest.raises(SessionExpired):
            await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
    assert rig.link.state.status == "closed"


async def test_a_server_that_sends_too_much_in_one_message_is_left(
    scripted: ScriptedServer,
) -> None:
    async with Rig(scripted.url) as rig:
        await rig.live()
        await scripted.last.socket.send("x" * (MAX_SERVER_FRAME + 1))
        await rig.until(lambda: rig.lives == 2)
    assert rig.reasons == [f"the server sent a message of more than {MAX_SERVER_FRAME} bytes"]


async def test_the_backoff_grows_and_begins_anew_after_a_long_live_time(
    scripted: ScriptedServer,
) -> None:
    backoff = Backoff(first=0.01, factor=2, most=10, reset_after=0.05)
    async with Rig(scripted.url, backoff=backoff) as rig:
        for lives in (1, 2, 3):
            await rig.live()
            scripted.last.cut()
            await rig.until(lambda lives=lives: rig.lives == lives + 1)  # type: ignore[misc]
        long_enough = asyncio.get_running_loop().time() + 0.06
        await rig.until(lambda: rig.link.live)
        while asyncio.get_running_loop().time() < long_enough:
            await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
        scripted.last.cut()
        await rig.until(lambda: rig.lives == 5)
    waits = [state.retry_in for state in rig.states if state.status == "waiting"]
    assert waits == [0.005, 0.01, 0.02, 0.005]


# Closing


async def test_closing_fails_whoever_waits(scripted: ScriptedServer) -> None:
    scripted.answers[GET_CONVERSATIONS] = SILENCE
    settled = list[object]()
    async with Rig(scripted.url) as rig, asyncio.TaskGroup() as tasks:
        await rig.live()
        rig.link.ask_soon(WATCH_CONVERSATION, ("lunch",), Empty(), settled.append)
        scripted.answers[WATCH_CONVERSATION] = SILENCE

        async def ask() -> None:
            with pytest.raises(SessionClosed, match="enough"):
                await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())

        tasks.create_task(ask())
        await scripted.until(lambda: bool(scripted.lines))
        await rig.link.close("enough")
        with pytest.raises(SessionClosed, match="enough"):
            await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
        rig.link.ask_soon(WATCH_CONVERSATION, ("dinner",), Empty(), settled.append)
    assert rig.link.state == ConnectionState(status="closed", reason="enough")
    assert rig.ended is None


async def test_nothing_is_told_after_closing(scripted: ScriptedServer) -> None:
    scripted.accepts = lambda token: SILENCE
    async with Rig(scripted.url) as rig:
        rig.link.want()
        await scripted.until(lambda: bool(scripted.tokens))
        peer = scripted.last
        peer.protocol.answer(peer.asked(RENEW)[0].seq, Renewed())
        peer.protocol.publish([b'{"type":"user.edited","userId":"a","diff":{"name":"Ada"}}'])
        await peer.flush()
        await rig.link.close()
    assert rig.events == []
    assert rig.lives == 0
    assert not rig.link.live


async def test_closing_says_goodbye(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url) as rig:
        await rig.live()
        await rig.link.close()
        await scripted.until(lambda: scripted.last.closed)
    assert scripted.last.socket.close_code == 1000


@pytest.mark.parametrize("moment", ["never run", "idle", "token", "connecting", "waiting", "live"])
async def test_closing_is_possible_at_any_moment_and_twice(
    scripted: ScriptedServer, moment: str
) -> None:
    async def slow() -> str:
        return "a token" if moment != "token" else str(await asyncio.Event().wait())

    if moment == "waiting":
        scripted.handshake = (503, {"Retry-After": "60"})
    if moment == "connecting":
        scripted.accepts = lambda token: SILENCE
    rig = Rig(scripted.url, slow)
    if moment == "never run":
        await rig.link.close()
        await rig.link.run()  # returns at once
        return
    async with rig:
        if moment != "idle":
            rig.link.want()
            status = "connecting" if moment == "token" else moment
            await rig.until(lambda: rig.statuses[-1:] == [status])
        if moment == "connecting":
            await scripted.until(lambda: bool(scripted.tokens))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(rig.link.close())
            tasks.create_task(rig.link.close())
        assert rig.task.done()
        await rig.link.close()
    assert rig.link.state.status == "closed"
    assert rig.ended is None


async def test_closing_does_not_wait_long_for_a_server_that_does_not_answer(
    scripted: ScriptedServer,
) -> None:
    async with Network("127.0.0.1", scripted.port) as network, Rig(network.url) as rig:
        await rig.live()
        network.stall()
        async with asyncio.timeout(2):
            await rig.link.close()
        assert rig.task.done()


async def test_cancelling_the_loop_closes_the_link(scripted: ScriptedServer) -> None:
    async with Rig(scripted.url) as rig:
        await rig.live()
        rig.task.cancel()
        await rig.until(rig.task.done)
        assert rig.task.cancelled()
        with pytest.raises(SessionClosed):
            await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())


async def test_a_request_that_never_finds_a_link_times_out() -> None:
    async with Rig("http://127.0.0.1:1", request_timeout=0.05) as rig:
        with pytest.raises(
            RequestTimedOut, match=r"within 0\.05 s .*: UNSUBSCRIBE /me/conversations/lunch was not"
        ):
            await rig.link.ask(UNWATCH_CONVERSATION, ("lunch",), Empty())
    assert rig.lives == 0


async def test_an_answer_that_cannot_be_read_fails_its_request_only(
    scripted: ScriptedServer,
) -> None:
    scripted.answers[GET_CONVERSATIONS] = {"data": "nothing of the kind"}
    async with Rig(scripted.url) as rig:
        with pytest.raises(InvalidFrame, match="GET /me/conversations"):
            await rig.link.ask(GET_CONVERSATIONS, (), GET_CONVERSATIONS.params())
        await rig.link.ask(WATCH_CONVERSATION, ("lunch",), Empty())
    assert scripted.handshakes == 1
