"""Messages in another language."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import rtflow
from rtflow.client.mirror import Mirror
from rtflow.client.refs.translation import translate
from rtflow.errors import Forbidden
from rtflow.model.content import ActionLink, Bold, TextBlock
from rtflow.wire.endpoints import TRANSLATE, Translation, Translations
from rtflow.wire.server import Call
from tests.client.place import Place
from tests.client.scripted import SILENCE


@asynccontextmanager
async def mirror_of(place: Place) -> AsyncGenerator[Mirror]:
    async with place.session() as session:
        yield session._mirror  # pyright: ignore[reportPrivateUsage] - refs have it


def shouted(call: Call) -> Translations:
    ids: tuple[str, ...] = call.params.ids
    return Translations(
        {id: Translation(markup=f"*{id.upper()}* in {call.params.lang}") for id in ids}
    )


def asked(place: Place) -> list[tuple[str, tuple[str, ...], str]]:
    calls: list[Call] = place.scripted.last.asked(TRANSLATE)
    return [(call.ids[0], call.params.ids, call.params.lang) for call in calls]


async def test_markup_is_read(place: Place) -> None:
    place.scripted.answers[TRANSLATE] = shouted
    async with mirror_of(place) as mirror:
        found = await translate(mirror, "c", "m", "nl")
    assert found == rtflow.TranslatedMessage(
        content=(TextBlock((Bold(("M",)), " in nl")),), plaintext="M in nl"
    )


async def test_content_is_taken_as_it_is(place: Place) -> None:
    blocks = (TextBlock(("*hallo*", ActionLink("go", {"a": "1"}, ()))),)
    place.scripted.answers[TRANSLATE] = Translations({"m": Translation(content=blocks)})
    async with mirror_of(place) as mirror:
        found = await translate(mirror, "c", "m", "nl")
    assert found is not None
    assert (found.content, found.plaintext) == (blocks, "*hallo*")
    assert hash(found)  # frozen all the way down


@pytest.mark.parametrize("data", [{}, {"m": None}, {"other": Translation(markup="x")}])
async def test_what_is_not_there_is_none(place: Place, data: dict[str, Any]) -> None:
    place.scripted.answers[TRANSLATE] = Translations(data)
    async with mirror_of(place) as mirror:
        assert await translate(mirror, "c", "m", "nl") is None


async def test_what_is_asked_in_one_turn_is_one_request(place: Place) -> None:
    place.scripted.answers[TRANSLATE] = shouted
    async with mirror_of(place) as mirror:
        found = await asyncio.gather(
            translate(mirror, "c", "a", "nl"),
            translate(mirror, "c", "b", "nl"),
            translate(mirror, "c", "a", "nl"),
            translate(mirror, "c", "a", "fr"),
            translate(mirror, "d", "a", "nl"),
        )
        assert [it.plaintext for it in found if it] == [
            *("A in nl", "B in nl", "A in nl", "A in fr", "A in nl")
        ]
        await translate(mirror, "c", "a", "nl")
    assert asked(place) == [
        ("c", ("a", "b"), "nl"),
        ("c", ("a",), "fr"),
        ("d", ("a",), "nl"),
        ("c", ("a",), "nl"),
    ]


async def test_one_request_has_at_most_a_hundred(place: Place) -> None:
    place.scripted.answers[TRANSLATE] = shouted
    async with mirror_of(place) as mirror:
        ids = [f"m{n}" for n in range(250)]
        found = await asyncio.gather(*(translate(mirror, "c", id, "nl") for id in ids))
    assert [it.plaintext for it in found if it] == [f"M{n} in nl" for n in range(250)]
    assert [len(ids) for _, ids, _ in asked(place)] == [100, 100, 50]


async def test_a_refusal_is_told_to_everybody(place: Place) -> None:
    place.scripted.answers[TRANSLATE] = Forbidden("NOT_A_PARTICIPANT", "no")
    async with mirror_of(place) as mirror:
        outcomes = await asyncio.gather(
            *(translate(mirror, "c", id, "nl") for id in "abc"), return_exceptions=True
        )
    assert [type(it) for it in outcomes] == [Forbidden] * 3
    assert len({id(it) for it in outcomes}) == 3
    assert len(asked(place)) == 1


async def test_whoever_gives_up_does_not_take_the_others_with_him(place: Place) -> None:
    place.scripted.answers[TRANSLATE] = SILENCE
    async with mirror_of(place) as mirror, asyncio.TaskGroup() as tasks:
        first = tasks.create_task(translate(mirror, "c", "a", "nl"))
        second = tasks.create_task(translate(mirror, "c", "b", "nl"))
        await place.scripted.until(lambda: bool(place.scripted.peers) and bool(asked(place)))
        place.scripted.answers[TRANSLATE] = shouted
        first.cancel()
        found = await second
    assert found is not None
    assert found.plaintext == "B in nl"


@pytest.mark.parametrize(
    ("id", "language", "kind"), [("", "nl", ValueError), ("m", "", ValueError), ("m", 7, TypeError)]
)
async def test_wrong_arguments_are_refused_at_the_call(
    place: Place, id: str, language: Any, kind: type[Exception]
) -> None:
    async with mirror_of(place) as mirror:
        with pytest.raises(kind):
            await translate(mirror, "c", id, language)
    assert place.scripted.peers == []
