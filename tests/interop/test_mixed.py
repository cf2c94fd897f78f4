"""The official JavaScript client and ours in one conversation both see the same, whoever writes."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from itertools import count
from typing import Any

import pytest

import rtflow
from rtflow.server import mint_token
from rtflow.testing import Recorder
from rtflow.testing.waiting import Bell
from tests.interop.conftest import Serve
from tests.interop.node import Node
from tests.interop.script import Script, started

SOON = 1.0  # seconds in which both see it
STARTED = 20.0  # seconds for a process
ICE = "\N{ICE CUBE}"

Json = Any  # of whatever shape: the point is to see what came


class Talker:
    """Jo, who speaks JavaScript. `shown` has the last snapshot of everything that is watched."""

    def __init__(self, script: Script) -> None:
        self.shown: dict[str, Json] = {}
        self._script, self._bell, self._numbers = script, Bell(), count()
        self._answers: dict[int, Json] = {}

    async def listen(self) -> None:
        """Take in what it says, until it ends."""
        while (line := await self._script.line()) is not None:
            if "seen" in line:
                self.shown[line["seen"]] = line["value"]
            else:
                self._answers[line["n"]] = line
            self._bell.ring()

    async def do(self, order: str, **more: Json) -> Json:
        """Have it do something; return the result."""
        n = next(self._numbers)
        self._script.tell(json.dumps({"n": n, "do": order, **more}))
        await self._bell.wait(lambda: n in self._answers, STARTED, lambda: f"no answer to {order}")
        answer = self._answers[n]
        assert "error" not in answer, answer
        return answer["result"]

    async def sees(
        self, name: str, is_right: Callable[[Json], bool], seconds: float = SOON
    ) -> Json:
        """Wait until what it shows under a name is right, and return it. None is never right for a
        predicate that looks into it."""

        def settled() -> bool:
            with contextlib.suppress(TypeError):
                return name in self.shown and is_right(self.shown[name])
            return False

        await self._bell.wait(
            settled,
            seconds,
            lambda: f"not shown within {seconds} s: {name} is {self.shown.get(name)}",
        )
        return self.shown[name]


class Pair:
    """Jo (JavaScript) and Py (Python), who both watch the conversation that they are in."""

    def __init__(self, jo: Talker, session: rtflow.Session, lunch: rtflow.ConversationRef) -> None:
        self.jo, self.session, self.lunch = jo, session, lunch
        self.conversation = Recorder[rtflow.ConversationSnapshot | None]()
        self.messages = Recorder[rtflow.Window[rtflow.MessageSnapshot] | None]()
        self.unread = Recorder[int]()
        self.total = Recorder[int]()
        self.typing = Recorder[rtflow.TypingSnapshot | None]()

    async def both_show(self, *texts: str) -> list[str]:
        """Wait until both show these messages, newest first, and the same of each; return ids."""
        wanted = list(texts)
        his = await self.jo.sees("messages", lambda m: [it["plaintext"] for it in m] == wanted)
        await self.messages.until(lambda seen: [it.plaintext for it in shown(seen)] == wanted, SOON)
        ours = [said(message) for message in shown(self.messages.values)]
        assert [{key: it[key] for key in ours[0]} for it in his] == ours
        return [it["id"] for it in his]


def shown(
    seen: list[rtflow.Window[rtflow.MessageSnapshot] | None],
) -> tuple[rtflow.MessageSnapshot, ...]:
    window = seen[-1]
    return () if window is None else window.items


def said(message: rtflow.MessageSnapshot) -> dict[str, Json]:
    """What both clients show of a message."""
    reply = message.referenced_message
    return {
        "id": message.id,
        "plaintext": message.plaintext,
        "custom": dict(message.custom),
        "sender": message.sender.id if message.sender else None,
        "edited": message.edited_at is not None,
        "reply": reply.id if reply else None,
    }


@pytest.fixture
async def pair(node: Node, serve: Serve, secret: str | None) -> AsyncGenerator[Pair]:
    server = await serve()
    token = None if secret is None else mint_token("demo", "py", secret)
    more = {"USER_ID": "jo", "CONVERSATION": "lunch"}
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            rtflow.Session(server.url, app_id="demo", user_id="py", token=token)
        )
        script = await stack.enter_async_context(
            started(node, "talker.mjs", server, secret, **more)
        )
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        jo = Talker(script)
        listening = tasks.create_task(jo.listen())
        stack.callback(listening.cancel)
        await session.current_user.create_if_not_exists(name="py")
        lunch = session.conversation("lunch")
        await lunch.create_if_not_exists(subject="Lunch")
        await jo.do("watch")
        for name in ("conversation", "messages", "typing", "participants"):
            # The official client can lose a joining that comes in the same breath as its "null".
            await jo.sees(name, lambda value: value is None, STARTED)
        await lunch.participant("jo").create_if_not_exists()
        pair = Pair(jo, session, lunch)
        for watching in (
            lunch.observe().subscribe(pair.conversation),
            lunch.messages.observe().subscribe(pair.messages),
            lunch.unread.observe().subscribe(pair.unread),
            session.conversations.unread.observe().subscribe(pair.total),
            lunch.typing.observe().subscribe(pair.typing),
        ):
            stack.enter_context(watching)
        await jo.sees("participants", lambda people: len(people) == 2)
        await pair.both_show()
        await jo.sees("conversation", lambda it: it["subject"] == "Lunch")
        yield pair


@pytest.fixture(autouse=True)
def _long_enough(request: pytest.FixtureRequest) -> None:
    request.node.add_marker(pytest.mark.timeout(120))


async def test_both_show_the_same_messages_whoever_writes(pair: Pair) -> None:
    await pair.lunch.send("one *bold* word")
    await pair.both_show("one bold word")
    await pair.jo.do("send", params="two _slanted_ words")
    await pair.both_show("two slanted words", "one bold word")
    for n in range(3):
        await asyncio.gather(
            pair.lunch.send(f"py {n}"),
            pair.jo.do("send", params=f"jo {n}"),
            return_exceptions=False,
        )
    await pair.jo.sees("messages", lambda messages: len(messages) == 8)
    texts = [it["plaintext"] for it in pair.jo.shown["messages"]]
    await pair.both_show(*texts)
    assert sorted(texts[:6]) == [f"{who} {n}" for who in ("jo", "py") for n in range(3)]


async def test_markup_means_the_same_to_both(pair: Pair) -> None:
    text = "*b* _i_ ~s~ ```code``` https://example.com and\n- one\n- two\n"
    await pair.lunch.send(text)
    await pair.jo.do("send", params=text)
    his = await pair.jo.sees("messages", lambda messages: len(messages) == 2)
    assert his[0]["content"] == his[1]["content"]
    assert his[0]["plaintext"] == his[1]["plaintext"]
    await pair.both_show(his[0]["plaintext"], his[1]["plaintext"])
    ours = shown(pair.messages.values)
    assert ours[0].content == ours[1].content


async def test_replies_edits_and_deletions_reach_both(pair: Pair) -> None:
    first = await pair.jo.do("send", params="first")
    await pair.both_show("first")
    reply = await pair.lunch.send("second", referenced_message=first, custom={"a": "1", "b": "2"})
    assert (await pair.both_show("second", "first"))[0] == reply.id
    await reply.edit("second, edited", custom={"a": None})
    await pair.both_show("second, edited", "first")
    await pair.jo.do("edit", id=first, params="first, edited")
    await pair.both_show("second, edited", "first, edited")
    await pair.jo.do("delete", id=first)
    await pair.both_show("second, edited")
    assert pair.jo.shown["messages"][0]["reply"] is None
    await reply.delete()
    await pair.both_show()


async def test_counts_follow_whoever_writes_and_whoever_reads(pair: Pair) -> None:
    for n in (1, 2, 3):
        await pair.jo.do("send", params=f"jo {n}")
        await pair.unread.until(lambda seen, n=n: seen[-1] == n, SOON)  # type: ignore[misc]  # n
        await pair.total.until(lambda seen, n=n: seen[-1] == n, SOON)  # type: ignore[misc]  # n
    await pair.lunch.mark_as_read()
    await pair.unread.until(lambda seen: seen[-1] == 0, SOON)
    last = await pair.jo.sees("conversation", lambda it: it["last"] is not None)
    read = pair.conversation.last
    assert read is not None
    await pair.jo.sees("conversation", lambda it: it["everyoneReadUntil"] >= read.last_message_at)
    await pair.lunch.send("py")
    await pair.jo.sees("conversation", lambda it: it["unread"] == 1 and it["last"] != last["last"])
    await pair.jo.sees("list", lambda it: it == [["lunch", 1]])
    await pair.jo.do("read")
    await pair.jo.sees("conversation", lambda it: it["unread"] == 0)
    await pair.conversation.until(
        lambda seen: (c := seen[-1]) is not None and c.everyone_read_until >= c.last_message_at,
        SOON,
    )
    await pair.jo.do("unread")
    await pair.jo.sees("conversation", lambda it: it["isUnread"] and it["unread"] == 0)
    await pair.lunch.mark_as_unread()
    await pair.conversation.until(
        lambda seen: (c := seen[-1]) is not None and c.is_unread and not c.unread_message_count,
        SOON,
    )


async def test_each_sees_the_other_write_and_nobody_himself(pair: Pair) -> None:
    await pair.jo.sees("typing", lambda users: users == [])
    await pair.typing.until(lambda seen: seen[-1] is not None, SOON)
    await pair.lunch.mark_as_typing()
    await pair.jo.sees("typing", lambda users: users == ["py"])
    await pair.jo.do("type")
    await pair.typing.until(lambda seen: writing(seen[-1]) == ["jo"], SOON)
    assert pair.jo.shown["typing"] == ["py"]
    await pair.lunch.send("done")
    await pair.jo.sees("typing", lambda users: users == [])
    await pair.jo.do("send", params="done, too")
    await pair.typing.until(lambda seen: writing(seen[-1]) == [], SOON)


def writing(typing: rtflow.TypingSnapshot | None) -> list[str]:
    return [] if typing is None else [user.id for user in typing.users]


async def test_reactions_are_counted_alike(pair: Pair) -> None:
    message = await pair.lunch.send("react")
    listed = Recorder[rtflow.Window[rtflow.ReactionSnapshot] | None]()

    async def both(of_jo: list[Json], of_py: list[Json], who: list[str]) -> None:
        await pair.jo.sees("messages", lambda it: it and it[0]["reactions"] == of_jo)
        await pair.messages.until(lambda seen: reactions(shown(seen)[0]) == of_py, SOON)
        await pair.jo.sees("reactions", lambda it: it == who)
        await listed.until(lambda seen: reactors(seen[-1]) == who, SOON)

    with message.reactions(ICE).observe().subscribe(listed):
        await pair.jo.do("watchReactions", id=message.id, emoji=ICE)
        await both([], [], [])
        await message.reactions(ICE).add()
        await both([[ICE, 1, False]], [[ICE, 1, True]], ["py"])
        await pair.jo.do("react", id=message.id, emoji=ICE)
        await both([[ICE, 2, True]], [[ICE, 2, True]], ["py", "jo"])
        await message.reactions(ICE).remove()
        await both([[ICE, 1, True]], [[ICE, 1, False]], ["jo"])
        await pair.jo.do("unreact", id=message.id, emoji=ICE)
        await both([], [], [])


def reactions(message: rtflow.MessageSnapshot) -> list[Json]:
    return [[it.emoji, it.count, it.current_user_reacted] for it in message.reactions]


def reactors(window: rtflow.Window[rtflow.ReactionSnapshot] | None) -> list[str | None]:
    return [] if window is None else [it.user.id if it.user else None for it in window.items]


async def test_what_a_conversation_is_about_is_told_to_both(pair: Pair) -> None:
    await pair.jo.do("set", params={"subject": "Soup", "custom": {"a": "1", "b": "2"}})
    await pair.conversation.until(
        lambda seen: (c := seen[-1]) is not None and c.subject == "Soup", SOON
    )
    await pair.lunch.set(subject=None, custom={"a": None})
    about = await pair.jo.sees("conversation", lambda it: it["subject"] is None)
    assert about["custom"] == {"b": "2"}
    await pair.lunch.participant("jo").edit(access="Read")
    await pair.jo.sees("conversation", lambda it: it["access"] == "Read")
    await pair.jo.sees("participants", lambda it: ["jo", "Read"] in it)
