"""What an application does in `translate`, however slowly or wrongly, concerns who asked for it."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import cast

import pytest

from rtflow.model.content import Bold, TextBlock, plaintext
from rtflow.server import Original, Settings, Translate, Translated, running
from tests.server.conftest import People
from tests.server.raw import Answer, RawClient, join

PATH = "/me/conversations/lunch/translate"
Host = Callable[[Translate], AbstractAsyncContextManager[People]]


@pytest.fixture
def settings() -> Settings:
    return Settings(
        database=":memory:", port=0, max_translations=2, translation_timeout=0.3, offline_delay=0
    )


@pytest.fixture
def host(settings: Settings) -> Host:
    """Run a server whose application translates so."""

    @asynccontextmanager
    async def hosting(translate: Translate) -> AsyncGenerator[People]:
        async with (
            running(settings, translate=translate) as address,
            AsyncExitStack() as connections,
        ):
            yield People(address.url, connections)

    return hosting


async def in_dutch(messages: Sequence[Original], lang: str) -> Mapping[str, Translated]:
    return {it.id: (TextBlock((Bold((f"{lang}: {plaintext(it.content)}",)),)),) for it in messages}


async def translated(client: RawClient, *ids: str, lang: str = "nl") -> Answer:
    return await client.ask("GET", PATH, {"ids": ids, "lang": lang})


def failed(answer: Answer) -> bool:
    return (answer.status, answer.code) == (500, "TRANSLATION_FAILED")


async def test_without_a_translator_messages_come_back_as_they_are(people: People) -> None:
    (alice,) = await people("alice")
    await alice.found("lunch")
    await alice.found("dinner")
    hi, elsewhere = await alice.send("lunch", "hi"), await alice.send("dinner", "bye")
    assert await alice.get(PATH, {"ids": [hi, "nothing", elsewhere], "lang": "nl"}) == {
        "data": {
            hi: {"content": [{"type": "text", "children": ["hi"]}]},
            "nothing": None,
            elsewhere: None,
        }
    }
    assert await alice.get(PATH, {"ids": [], "lang": "nl"}) == {"data": {}}


async def test_a_stranger_gets_no_translation(people: People) -> None:
    alice, stranger = await people("alice", "stranger")
    await alice.found("lunch")
    secret = await alice.send("lunch", "a secret")
    answer = await translated(stranger, secret)
    assert (answer.status, answer.code) == (404, "CONVERSATION_NOT_FOUND")


@pytest.mark.parametrize(
    "data",
    [{"ids": ["m"]}, {"ids": ["m"], "lang": ""}, {"ids": ["m"] * 101, "lang": "nl"}, {"lang": "x"}],
)
async def test_a_wrong_request_is_refused(people: People, data: object) -> None:
    (alice,) = await people("alice")
    await alice.found("lunch")
    answer = await alice.ask("GET", PATH, data)
    assert (answer.status, answer.code) == (400, "INVALID_PARAMETERS")


async def test_an_application_gives_content_or_markup_or_nothing(host: Host) -> None:
    asked: list[tuple[list[str], str]] = []

    async def translate(messages: Sequence[Original], lang: str) -> Mapping[str, Translated]:
        asked.append(([plaintext(it.content) for it in messages], lang))
        assert {it.sender_id for it in messages} == {"alice"}
        ids = {plaintext(it.content): it.id for it in messages}
        content = await in_dutch([it for it in messages if it.id == ids["a"]], lang)
        return {**content, ids["b"]: "*b*", ids["c"]: None, "somebody else's": "x"}

    async with host(translate) as people:
        (alice,) = await people("alice")
        await alice.found("lunch")
        ids = [await alice.send("lunch", text) for text in "abcd"]
        answer = await translated(alice, *ids, lang="pt-BR")
        bold = {"type": "bold", "children": ["pt-BR: a"]}
        assert answer.data["data"] == dict(
            zip(
                ids,
                [
                    {"content": [{"type": "text", "children": [bold]}]},
                    {"markup": "*b*"},
                    None,
                    None,
                ],
                strict=True,
            )
        )
        assert asked == [(["a", "b", "c", "d"], "pt-BR")]
        assert (await translated(alice, "nothing")).data == {"data": {"nothing": None}}
        assert len(asked) == 1, "there was nothing to translate"


async def test_a_plain_function_works_in_a_thread(host: Host) -> None:
    threads: list[threading.Thread] = []

    def translate(messages: Sequence[Original], _lang: str) -> Mapping[str, Translated]:
        threads.append(threading.current_thread())
        return {it.id: "hoi" for it in messages}

    async with host(translate) as people:
        (alice,) = await people("alice")
        await alice.found("lunch")
        hi = await alice.send("lunch", "hi")
        assert (await translated(alice, hi)).data["data"] == {hi: {"markup": "hoi"}}
        assert threads
        assert threads[0] is not threading.main_thread()


async def test_a_function_that_returns_something_to_await_works_too(host: Host) -> None:
    async with host(lambda messages, lang: in_dutch(messages, lang)) as people:
        (alice,) = await people("alice")
        await alice.found("lunch")
        hi = await alice.send("lunch", "hi")
        assert "nl: hi" in str((await translated(alice, hi)).data)


async def test_while_one_waits_others_and_all_his_other_requests_go_on(host: Host) -> None:
    may_end = asyncio.Event()

    async def translate(messages: Sequence[Original], lang: str) -> Mapping[str, Translated]:
        await may_end.wait()
        return await in_dutch(messages, lang)

    async with host(translate) as people:
        alice, bob = await people("alice", "bob")
        await alice.found("lunch", "bob")
        hi = await bob.send("lunch", "hi")
        await alice.do("SUBSCRIBE", "/me/conversations/lunch/messages")
        seq = await alice.say("GET", PATH, {"ids": [hi], "lang": "nl"})
        await bob.send("lunch", "are you there?")
        assert await alice.event("message.created")
        assert (await alice.get("/me/conversations/lunch"))["unreadMessageCount"] == 2
        may_end.set()
        assert "nl: hi" in str((await alice.answer(seq)).data)


async def never(_messages: Sequence[Original], _lang: str) -> Mapping[str, Translated]:
    await asyncio.Event().wait()
    raise AssertionError


async def wrong(_messages: Sequence[Original], _lang: str) -> Mapping[str, Translated]:
    raise RuntimeError("no such language")


def returning(value: object) -> Translate:
    """Return a translator that says this of every message."""

    async def translate(messages: Sequence[Original], _lang: str) -> Mapping[str, Translated]:
        return {it.id: cast("Translated", value) for it in messages}

    return translate


async def listing(_messages: Sequence[Original], _lang: str) -> Mapping[str, Translated]:
    return cast("Mapping[str, Translated]", ["hoi"])


BAD: list[Translate] = [
    never,
    wrong,
    listing,
    returning(7),
    returning(("hoi",)),
    returning(object()),
    returning("\ud800"),
    returning((TextBlock((cast("str", 7),)),)),
]


@pytest.mark.parametrize("translate", BAD, ids=range(len(BAD)))
async def test_a_failure_is_told_to_him_who_asked_and_logged(
    host: Host, translate: Translate, caplog: pytest.LogCaptureFixture
) -> None:
    async with host(translate) as people:
        alice, bob = await people("alice", "bob")
        await alice.found("lunch", "bob")
        hi = await alice.send("lunch", "hush")
        assert failed(await translated(alice, hi))
        assert (await translated(bob, "nothing")).status == 200
        await alice.send("lunch", "and on")
    assert "translating 1 messages into 'nl' failed" in caplog.text
    assert "hush" not in caplog.text


async def test_only_so_many_work_at_a_time(host: Host) -> None:
    working, most = 0, 0

    async def translate(messages: Sequence[Original], lang: str) -> Mapping[str, Translated]:
        nonlocal working, most
        working += 1
        most = max(most, working)
        there = loop.create_future()
        loop.call_later(0.01, there.set_result, None)
        await there
        working -= 1
        return await in_dutch(messages, lang)

    loop = asyncio.get_running_loop()
    async with host(translate) as people:
        clients = await people("alice", "bob", "carol")
        await clients[0].found("lunch", "bob", "carol")
        hi = await clients[0].send("lunch", "hi")
        asked = [
            (client, await client.say("GET", PATH, {"ids": [hi], "lang": "nl"}))
            for client in clients
            for _ in range(4)
        ]
        for client, seq in asked:
            assert (await client.answer(seq)).status == 200
    assert most == 2


async def test_one_user_may_not_take_all_turns(host: Host) -> None:
    async with host(never) as people:
        alice, again = await people("alice", "alice")
        await alice.found("lunch")
        hi = await alice.send("lunch", "hi")
        seqs = [await alice.say("GET", PATH, {"ids": [hi], "lang": "nl"}) for _ in range(4)]
        await alice.settle()
        answer = await translated(again, hi)
        assert (answer.status, answer.code) == (429, "TOO_MANY_TRANSLATIONS")
        for seq in seqs:
            assert failed(await alice.answer(seq))
        assert failed(await translated(alice, hi)), "he may ask again"


async def test_a_thread_that_does_not_return_keeps_its_turn_until_it_does(host: Host) -> None:
    may_end = threading.Event()
    began: list[float] = []

    def translate(messages: Sequence[Original], _lang: str) -> Mapping[str, Translated]:
        began.append(time.monotonic())
        may_end.wait(10)
        return {it.id: "hoi" for it in messages}

    async with host(translate) as people:
        alice, bob = await people("alice", "bob")
        await alice.found("lunch", "bob")
        hi = await alice.send("lunch", "hi")
        seqs = [await alice.say("GET", PATH, {"ids": [hi], "lang": "nl"}) for _ in range(3)]
        for seq in seqs:
            assert failed(await alice.answer(seq))
        assert failed(await translated(bob, hi))
        assert len(began) == 2, "there are two turns, and both are taken"
        may_end.set()
        assert (await translated(bob, hi)).data["data"] == {hi: {"markup": "hoi"}}
        assert len(began) == 3, "what was given up does not begin"


class TestStop:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(database=":memory:", port=0, translation_timeout=60)

    async def test_a_stop_does_not_wait_for_a_translation(
        self, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with AsyncExitStack() as connections:
            async with running(settings, translate=never) as address:
                alice = await connections.enter_async_context(join(address.url, "alice"))
                await alice.found("lunch")
                hi = await alice.send("lunch", "hi")
                await alice.say("GET", PATH, {"ids": [hi], "lang": "nl"})
                await alice.settle()
                caplog.clear()
            assert (await alice.closed())[0] == 1012
        assert "did not end" not in caplog.text


def test_both_kinds_of_function_are_of_the_type() -> None:
    def plain(_messages: Sequence[Original], _lang: str) -> Mapping[str, Translated]:
        return {}

    def awaitable(messages: Sequence[Original], lang: str) -> Awaitable[Mapping[str, Translated]]:
        return in_dutch(messages, lang)

    kinds: list[Translate] = [plain, awaitable, in_dutch]
    assert all(map(callable, kinds))
