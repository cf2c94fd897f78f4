"""What a search finds, whatever the server and the network do meanwhile."""

import asyncio
import gc
import json
from typing import Any

import pytest

import rtflow
from rtflow.client.address import Hosts
from rtflow.wire.endpoints import GET_CONVERSATION, GET_MESSAGE
from tests.client.http_peer import answer, broken_off, cut, gated
from tests.client.place import Place
from tests.client.scripted import SILENCE

PATH = "/demo/me/messages/search"


def lines(*ids: str, conversation: str = "c") -> list[str]:
    """The lines of a page of messages."""
    items = [
        json.dumps(
            {"id": id, "conversationId": conversation, "senderId": "bob", "createdAt": 1}
            | {"content": []}
        )
        for id in ids
    ]
    return ['{"data":[\n', *(f"{',' if at else ''}{item}\n" for at, item in enumerate(items))]


def page(*ids: str, cursor: str | None = None) -> str:
    rest = "" if cursor is None else f',"cursor":"{cursor}"'
    return "".join(lines(*ids)) + f"]{rest}}}"


def names(found: Any) -> list[str]:  # an iterable of results
    return [it.message.id for it in found]


# What is asked, and what is found


async def test_it_finds_messages_and_where_they_are(place: Place) -> None:
    place.answers(answer(page("m1", "m2")))
    async with place.session() as session:
        found = [it async for it in session.search_messages("x")]
    assert [(it.conversation.id, it.message.id) for it in found] == [("c", "m1"), ("c", "m2")]
    assert isinstance(found[0], rtflow.SearchMessageSnapshot)


async def test_the_query_travels_as_the_official_client_sends_it(place: Place) -> None:
    place.answers(answer(page()))
    async with place.session() as session:
        assert [it async for it in session.search_messages("a b&é")] == []
        filter = {"subject": ["oneOf", ["x"]]}
        assert await session.search_messages("x", filter=filter).next_page(3) == ()
    assert place.targets == [
        f"{PATH}?searchString=a%2520b%2526%25C3%25A9&conversationFilter=%7B%7D&limit=10",
        f"{PATH}?searchString=x"
        "&conversationFilter=%7B%22subject%22%3A%5B%22%3D%3D%22%2C%22x%22%5D%7D&limit=3",
    ]
    assert [it.token for it in place.http.asked] == ["a token"] * 2
    assert place.http.asked[0].headers["accept-encoding"] == "identity"


async def test_it_finds_conversations(place: Place) -> None:
    place.answers(answer('{"data":[\n{"id":"a"}\n,{"id":"b"}\n]}'))
    async with place.session() as session:
        found = [it.id async for it in session.search_conversations("x")]
    assert found == ["a", "b"]
    assert place.targets[0].startswith("/demo/me/conversations/search?searchString=x&")


async def test_building_one_sends_nothing(place: Place) -> None:
    async with place.session() as session:
        search = session.search_messages("x")
        assert repr(search) == "<Search for 'x' in messages>"
    assert place.http.open == 0
    assert place.targets == []


async def test_pages_are_read_as_they_are_needed(place: Place) -> None:
    first = [f"m{n}" for n in range(10)]
    place.answers(answer(page(*first, cursor="é&")), answer(page("m10", "m11", cursor="3")))
    async with place.session() as session:
        found = list[str]()
        async for it in session.search_messages("x"):
            found.append(it.message.id)
            if len(found) == 10:
                assert len(place.targets) == 1
            if len(found) == 11:
                break
    assert found == [*first, "m10"]
    assert place.targets[1:] == [f"{PATH}?cursor=%C3%A9%26&limit=30"]


async def test_a_page_of_any_length_can_be_asked_for(place: Place) -> None:
    place.answers(
        answer(page("m1", "m2", "m3", cursor="a")), answer(page("m4", cursor="b")), answer(page())
    )
    async with place.session() as session:
        search = session.search_messages("x")
        assert names(await search.next_page(2)) == ["m1", "m2"]
        assert names(await search.next_page(2)) == ["m3", "m4"]
        assert await search.next_page(70) == ()
        assert await search.next_page() == ()
    assert [target.partition("limit=")[2] for target in place.targets] == ["2", "1", "50"]


async def test_what_has_vanished_is_left_out(place: Place) -> None:
    place.gone = {"m1", "m3"}
    place.answers(answer(page("m1", cursor="a")), answer(page("m2", "m3")))
    async with place.session() as session:
        assert names([it async for it in session.search_messages("x")]) == ["m2"]


async def test_a_conversation_that_i_have_left_is_left_out(place: Place) -> None:
    place.gone = {"c"}
    place.answers(answer(page("m1", "m2")))
    async with place.session() as session:
        assert [it async for it in session.search_messages("x")] == []


async def test_each_conversation_of_a_page_is_read_once(place: Place) -> None:
    place.answers(answer(page("m1", "m2", "m3")))
    async with place.session() as session:
        assert len([it async for it in session.search_messages("x")]) == 3
    assert len(place.scripted.last.asked(GET_CONVERSATION)) == 1


# As it comes


async def test_a_result_is_there_before_the_page_is(place: Place) -> None:
    gate = asyncio.Event()
    place.answers(gated(gate, [*lines("m1", "m2"), "]}"]))
    async with place.session() as session:
        search = session.search_messages("x")
        gate.set()
        assert (await anext(search)).message.id == "m1"
        gate.set()
        assert (await anext(search)).message.id == "m2"
        gate.set()
        with pytest.raises(StopAsyncIteration):
            await anext(search)


@pytest.mark.parametrize("piece", [1, 2, 7, 50])
async def test_pieces_of_any_size_make_up_a_page(place: Place, piece: int) -> None:
    place.answers(answer(page("m1", "m2", "m3"), piece=piece))
    async with place.session() as session:
        assert names([it async for it in session.search_messages("x")]) == ["m1", "m2", "m3"]


async def test_a_caller_may_give_up_waiting_and_go_on_later(place: Place) -> None:
    gate = asyncio.Event()
    place.answers(gated(gate, lines("m1", "m2")), answer(page("m1", "m2", "m3")))
    gate.set()
    async with place.session() as session:
        search = session.search_messages("x")
        assert (await anext(search)).message.id == "m1"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(search)
        assert names([it async for it in search]) == ["m2", "m3"]
    assert len(place.targets) == 2


async def test_two_cannot_wait_for_one_search(place: Place) -> None:
    place.answers(gated(asyncio.Event(), lines("m1")))
    async with place.session() as session:
        search = session.search_messages("x")
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(search.next_page(1))
            await place.http.until(lambda: len(place.targets) == 1)
            with pytest.raises(RuntimeError, match="being waited for already"):
                await anext(search)
            waiting.cancel()


async def test_a_closed_search_finds_no_more(place: Place) -> None:
    place.answers(gated(asyncio.Event(), lines("m1", "m2")))
    async with place.session() as session:
        search = session.search_messages("x")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(search)
        await search.aclose()
        await search.aclose()
        assert await search.next_page() == ()
        await place.http.until(lambda: place.http.open == 0)


async def test_what_an_abandoned_search_held_is_closed_by_the_next(place: Place) -> None:
    gate = asyncio.Event()
    gate.set()
    place.answers(gated(gate, lines("m1", "m2")), answer(page()))
    async with place.session() as session:
        search = session.search_messages("x")
        assert (await anext(search)).message.id == "m1"
        del search
        gc.collect()
        assert place.http.open == 1
        assert await session.search_messages("y").next_page() == ()
        await place.http.until(lambda: place.http.open == 0)


async def test_the_end_of_the_session_closes_what_is_open(place: Place) -> None:
    gate = asyncio.Event()
    gate.set()
    place.answers(gated(gate, lines("m1", "m2")))
    async with place.session() as session:
        search = session.search_messages("x")
        assert (await anext(search)).message.id == "m1"
    await place.http.until(lambda: place.http.open == 0)
    with pytest.raises(rtflow.SessionClosed):
        await anext(search)


async def test_whoever_waits_learns_of_the_end_of_the_session(place: Place) -> None:
    place.answers(gated(asyncio.Event(), ["", "x"]))

    async def find(session: rtflow.Session) -> None:
        with pytest.raises(rtflow.SessionClosed):
            await session.search_messages("x").next_page()

    async with asyncio.TaskGroup() as tasks, place.session() as session:
        tasks.create_task(find(session))
        await place.http.until(lambda: len(place.targets) == 1)


# When it fails


async def test_a_page_that_breaks_off_is_asked_for_again(place: Place) -> None:
    place.answers(broken_off("".join(lines("m1", "m2"))), answer(page("m1", "m2", "m3")))
    async with place.session() as session:
        assert names([it async for it in session.search_messages("x")]) == ["m1", "m2", "m3"]
    assert len(place.targets) == 2


async def test_a_page_that_always_breaks_off_is_an_error_until_it_does_not(place: Place) -> None:
    place.answers(*[broken_off("".join(lines("m1")))] * 2, answer(page("m1", "m2")))
    async with place.session() as session:
        search = session.search_messages("x")
        assert (await anext(search)).message.id == "m1"
        with pytest.raises(rtflow.OutcomeUnknown, match="GET /me/messages/search"):
            await anext(search)
        assert (await anext(search)).message.id == "m2"


async def test_a_cut_connection_is_tried_once_more(place: Place) -> None:
    place.answers(cut, answer(page("m1")), cut)
    async with place.session() as session:
        assert len(await session.search_messages("x").next_page()) == 1
        with pytest.raises(rtflow.OutcomeUnknown):
            await session.search_messages("x").next_page()
    assert len(place.targets) == 4


async def test_trouble_of_the_server_is_tried_once_more(place: Place) -> None:
    trouble = answer('{"errorCode":"STORAGE_UNAVAILABLE","reasons":["full"]}', 503)
    place.answers(trouble, answer(page("m1")), trouble)
    async with place.session() as session:
        assert len(await session.search_messages("x").next_page()) == 1
        with pytest.raises(rtflow.ServerFailed) as caught:
            await session.search_messages("x").next_page()
    assert (caught.value.status, caught.value.code) == (503, "STORAGE_UNAVAILABLE")
    assert len(place.targets) == 4


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (400, '{"errorCode":"BAD","reasons":["no"]}', rtflow.BadRequest, "400 BAD: no"),
        (403, '{"errorCode":"X","reasons":"y"}', rtflow.Forbidden, "403 X: y"),
        (404, "<html>not here</html>", rtflow.NotFound, "404 UNKNOWN"),
        (429, "{}", rtflow.TooManyRequests, "429 UNKNOWN"),
        (401, "{}", rtflow.Unauthorized, "401 UNKNOWN"),
        (302, "", rtflow.ProtocolError, "answered with 302"),
        (204, "", rtflow.ProtocolError, "answered with 204"),
    ],
)
async def test_a_refusal_is_final(
    place: Place, status: int, body: str, kind: type[Exception], text: str
) -> None:
    place.answers(answer(body, status, "location: http://127.0.0.1:1/"))
    async with place.session() as session:
        with pytest.raises(kind) as caught:
            await session.search_messages("x").next_page()
    assert text in str(caught.value)
    assert "GET /me/messages/search" in str(caught.value)
    assert len(place.targets) == 1


async def test_a_token_that_is_refused_is_replaced_once(place: Place) -> None:
    tokens = iter(range(100))
    refused = answer("{}", 401)
    place.answers(refused, answer(page("m1")), refused)
    async with place.session(lambda: f"token {next(tokens)}") as session:
        assert await session.current_user.get() is not None
        assert len(await session.search_messages("x").next_page()) == 1
        with pytest.raises(rtflow.Unauthorized):
            await session.search_messages("x").next_page()
    assert [it.token for it in place.http.asked] == ["token 0", "token 1", "token 1", "token 2"]


async def test_a_server_that_cannot_be_reached_is_tried_until_patience_ends() -> None:
    hosts = Hosts("ws://127.0.0.1:1", "http://127.0.0.1:1", "http://127.0.0.1:1")
    async with rtflow.Session(
        hosts, app_id="demo", user_id="me", token="a token", request_timeout=0.5
    ) as session:
        with pytest.raises(rtflow.RequestTimedOut, match="connection refused") as caught:
            await session.search_messages("x").next_page()
    assert caught.value.unsent_because == "connection refused"


async def test_a_server_that_does_not_answer_times_out(place: Place) -> None:
    async def never(asked: object, writer: object) -> None:
        await asyncio.Event().wait()

    place.answers(never)
    async with place.session(request_timeout=0.1) as session:
        with pytest.raises(rtflow.RequestTimedOut, match="no answer to GET /me/messages/search"):
            await session.search_messages("x").next_page()
    assert len(place.targets) == 1  # the time is up


async def test_what_cannot_be_read_by_websocket_is_an_error(place: Place) -> None:
    place.scripted.answers[GET_MESSAGE] = SILENCE
    place.answers(answer(page("m1")))
    async with place.session(request_timeout=0.2) as session:
        with pytest.raises(rtflow.RequestTimedOut, match="messages/m1"):
            await session.search_messages("x").next_page()


# When it lies


async def test_a_page_may_be_empty_and_lead_on(place: Place) -> None:
    empty = [answer(page(cursor=str(n))) for n in range(99)]
    place.answers(*empty, answer(page("m1", cursor="x")), *empty, answer(page("m2")))
    async with place.session() as session:
        assert names([it async for it in session.search_messages("x")]) == ["m1", "m2"]


async def test_pages_that_lead_nowhere_are_a_fault_of_the_server(place: Place) -> None:
    place.answers(*[answer(page(cursor=str(n))) for n in range(101)])
    async with place.session() as session:
        with pytest.raises(rtflow.ProtocolError, match="have no end"):
            await session.search_messages("x").next_page()
    assert len(place.targets) == 100


async def test_a_cursor_that_leads_to_itself_is_a_fault_of_the_server(place: Place) -> None:
    place.answers(answer(page("m1", cursor="a")))
    async with place.session() as session:
        with pytest.raises(rtflow.ProtocolError, match="have no end"):
            _ = [it async for it in session.search_messages("x")]


@pytest.mark.parametrize(
    "body", ["", "<html>", '{"data":[\n{"id":7}\n]}', '{"data":[\n{"id":"a"}\n]}', "\n" * 1000]
)
async def test_what_is_no_page_is_a_fault_of_the_server(place: Place, body: str) -> None:
    place.answers(answer(body))
    async with place.session() as session:
        with pytest.raises(rtflow.InvalidFrame):
            await session.search_messages("x").next_page()


async def test_a_page_may_have_more_than_was_asked_for(place: Place) -> None:
    many = [f"m{n}" for n in range(100)]
    place.answers(answer(page(*many)))
    async with place.session() as session:
        search = session.search_messages("x")
        assert names(await search.next_page(3)) == many[:3]
        assert names([it async for it in search]) == many[3:]


# Wrong arguments


async def test_wrong_arguments_are_refused_at_the_call(place: Place) -> None:
    async with place.session() as session:
        with pytest.raises(TypeError, match="a query is a str, not int"):
            session.search_messages(7)  # type: ignore[arg-type]  # that is what is tested
        with pytest.raises(ValueError, match="at most 1000 characters"):
            session.search_messages("x" * 1_001)
        with pytest.raises(ValueError, match="a query is not valid unicode"):
            session.search_messages("\ud800")
        with pytest.raises(ValueError, match="not a conversation filter"):
            session.search_conversations("x", filter={"foo": 1})
        with pytest.raises(ValueError, match="at least 1"):
            await session.search_messages("x").next_page(0)
    with pytest.raises(rtflow.SessionClosed):
        await session.search_messages("x").next_page()
