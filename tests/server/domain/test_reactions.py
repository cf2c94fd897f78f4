"""Reactions: adding, taking back, counting, and who did."""

import pytest
from msgspec import UNSET

from rtflow.model.entities import ReactionSummary
from rtflow.model.events import MessageDiff, ReactionAdded, ReactionRemoved
from rtflow.server.domain.emojis import check_emoji
from rtflow.server.domain.search import Asked, MessageSearch
from rtflow.server.domain.tallies import Reacted, Tally
from rtflow.server.store.interface import ReactionsTouched
from tests.server.domain.test_search import page as searched
from tests.server.domain.world import World, refused, step

FRUIT = [chr(code) for code in range(0x1F345, 0x1F345 + 51)]  # 51 emoji of food


@pytest.fixture(autouse=True)
def lunch(world: World) -> None:
    """Ada has said m1 to Bob, who may write, and Cy, who may read."""
    world.start("lunch", "ada", "bob", "cy")
    world.act("ada", "lunch", step("PUT", "cy", access="Read"))
    world.send("ada", "lunch", "hello")
    world.now = 2_000
    world.take()


def summary(world: World, user: str, emoji: str = "👍") -> ReactionSummary | None:
    return world.message(user, "lunch", "m1").reactions.get(emoji)


def test_a_reaction_is_told_and_counted_and_known_to_be_ones_own(world: World) -> None:
    world.react("bob", "lunch", "m1", "👍")
    assert world.take() == [
        ReactionAdded(
            conversation_id="lunch", message_id="m1", emoji="👍", user_id="bob", created_at=2_000
        ),
        ReactionsTouched("lunch", "m1", "👍"),
    ]
    for user in ("ada", "bob", "cy"):
        right = ReactionSummary(created_at=2_000, count=1, current_user_reacted=user == "bob")
        page = world.messages(user, "lunch").data[0]
        last = world.see(user, "lunch", ("lastMessage",)).last_message
        listed = world.page(user, expand=("lastMessage",)).data[0].last_message
        assert last
        assert listed
        (found,), _ = searched(world, MessageSearch(user, Asked(text="hello")))
        for seen in (page, last, listed, found, world.message(user, "lunch", "m1")):
            assert seen.reactions == {"👍": right}


def test_a_second_time_changes_nothing(world: World) -> None:
    world.react("bob", "lunch", "m1", "👍")
    world.take()
    world.now += 1
    world.react("bob", "lunch", "m1", "👍")
    assert world.take() == []
    assert summary(world, "bob") == ReactionSummary(
        created_at=2_000, count=1, current_user_reacted=True
    )


def test_who_reacts_later_is_later_in_the_list_even_if_the_clock_says_otherwise(
    world: World,
) -> None:
    world.react("bob", "lunch", "m1", "👍")
    world.react("ada", "lunch", "m1", "👍")
    told = [it.created_at for it in world.take() if isinstance(it, ReactionAdded)]
    assert told == [2_000, 2_001]
    world.now -= 500
    world.unreact("bob", "lunch", "m1", "👍")
    world.react("bob", "lunch", "m1", "👍")
    page = world.reactions("ada", "lunch", "m1", "👍")
    assert [(it.user_id, it.created_at) for it in page.data] == [("ada", 2_001), ("bob", 2_002)]


def test_an_emoji_keeps_its_time_until_the_last_one_takes_it_back(world: World) -> None:
    world.react("bob", "lunch", "m1", "👍")
    world.now = 3_000
    world.react("ada", "lunch", "m1", "👍")
    world.unreact("bob", "lunch", "m1", "👍")
    left = ReactionSummary(created_at=2_000, count=1, current_user_reacted=False)
    assert summary(world, "bob") == left
    world.unreact("ada", "lunch", "m1", "👍")
    assert world.message("bob", "lunch", "m1").reactions == {}
    world.react("bob", "lunch", "m1", "👍")
    again = summary(world, "bob")
    assert again
    assert again.created_at == 3_000


def test_taking_a_reaction_back_is_told_once(world: World) -> None:
    world.react("bob", "lunch", "m1", "👍")
    world.take()
    world.unreact("bob", "lunch", "m1", "👍")
    assert world.take() == [
        ReactionRemoved(conversation_id="lunch", message_id="m1", emoji="👍", user_id="bob"),
        ReactionsTouched("lunch", "m1", "👍"),
    ]
    for user, emoji in [("bob", "👍"), ("ada", "👍"), ("bob", "nonsense")]:
        with refused("404 REACTION_NOT_FOUND"):
            world.unreact(user, "lunch", "m1", emoji)
    assert world.take() == []


@pytest.mark.parametrize("what", ["react", "unreact"])
def test_who_may_react(world: World, what: str) -> None:
    world.create_user("eve", "eve")
    world.start("work", "ada")
    world.send("ada", "work", "hello")  # m2
    world.take()
    for user, room, message, of, code in [
        ("eve", "lunch", "m1", "eve", "404 CONVERSATION_NOT_FOUND"),
        ("bob", "nowhere", "m1", "bob", "404 CONVERSATION_NOT_FOUND"),
        ("bob", "lunch", "nothing", "bob", "404 MESSAGE_NOT_FOUND"),
        ("bob", "lunch", "m2", "bob", "404 MESSAGE_NOT_FOUND"),  # which is elsewhere
        ("cy", "lunch", "m1", "cy", "403 UNAUTHORIZED_TO_REACT"),
        ("bob", "lunch", "m1", "ada", "403 UNAUTHORIZED_TO_REACT"),
    ]:
        with refused(code):
            getattr(world, what)(user, room, message, "👍", of)
    assert world.take() == []


@pytest.mark.parametrize(
    "emoji",
    [
        "👍",
        "👍🏽",
        "❤",  # without,
        "❤️",  # and with a variation selector
        "👨‍👩‍👧‍👦",
        "👩‍❤‍👨",
        "🇳🇱",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "1️⃣",
        "1⃣",
        ":cat:",
        ":C3-P_O+:",
        f":{'x' * 50}:",
    ],
)
def test_an_emoji_of_any_kind_will_do(world: World, emoji: str) -> None:
    world.react("bob", "lunch", "m1", emoji)
    (reaction,) = world.reactions("ada", "lunch", "m1", emoji).data
    assert reaction.user_id == "bob"
    assert list(world.message("ada", "lunch", "m1").reactions) == [emoji]


@pytest.mark.parametrize(
    "emoji",
    [
        "x",
        "1",
        "#",
        " ",
        "👍👍",
        "👍 ",
        "🇳",  # half of a flag
        "\u200d",
        "\ufe0f",
        "👍\u200d",
        "::",
        ":cat",
        "cat:",
        ":c at:",
        ":cät:",
        ":cat:\n",
        ":cat::dog:",
        ":👍:",
        f":{'x' * 51}:",
        "'; DROP TABLE reactions; --",
    ],
)
def test_what_is_no_emoji_is_refused(world: World, emoji: str) -> None:
    with refused("400 INVALID_EMOJI"):
        world.react("bob", "lunch", "m1", emoji)
    with refused("400 INVALID_EMOJI"):
        world.reactions("bob", "lunch", "m1", emoji)
    with refused("404 MESSAGE_NOT_FOUND"):
        world.react("bob", "lunch", "nothing", emoji)
    with refused("404 MESSAGE_NOT_FOUND"):
        world.reactions("bob", "lunch", "nothing", emoji)
    assert world.take() == []


def test_a_message_has_room_for_fifty_different_emoji(world: World) -> None:
    for emoji in FRUIT[:50]:
        check_emoji(emoji)
        world.react("bob", "lunch", "m1", emoji)
    world.take()
    with refused("400 TOO_MANY_REACTIONS"):
        world.react("bob", "lunch", "m1", FRUIT[50])
    assert world.take() == []
    world.react("ada", "lunch", "m1", FRUIT[0])
    world.react("ada", "lunch", "m1", FRUIT[0])
    world.unreact("bob", "lunch", "m1", FRUIT[1])
    world.react("bob", "lunch", "m1", FRUIT[50])
    assert len(world.message("ada", "lunch", "m1").reactions) == 50


def test_pages_of_who_reacted_are_oldest_first_with_ties_by_user(world: World) -> None:
    people = [f"u{n}" for n in range(7)]
    world.start("room", *people)
    message = world.send("u0", "room", "hello")
    for now, user in [(5_000, "u6"), (5_001, "u5"), *[(5_002, u) for u in ("u3", "u0", "u4")]]:
        world.now = now
        world.react(user, "room", message, "👍")
    world.react("u1", "room", message, ":cat:")
    world.database.writer.execute("UPDATE reactions SET created_at = min(created_at, 5002)")
    seen: list[str] = []
    cursor, sizes = None, list[int]()
    while not sizes or cursor is not None:
        page = world.reactions("u2", "room", message, "👍", limit=2, cursor=cursor or UNSET)
        seen += [reaction.user_id for reaction in page.data]
        sizes.append(len(page.data))
        cursor = page.cursor
        if len(sizes) == 1:  # one that is on the page already is taken back
            world.unreact("u6", "room", message, "👍")
    assert seen == ["u6", "u5", "u0", "u3", "u4"]
    assert sizes == [2, 2, 1]


def test_who_reacted_is_for_participants_only_and_cursors_are_checked(world: World) -> None:
    world.react("bob", "lunch", "m1", "👍")
    for user, room in [("eve", "lunch"), ("bob", "nowhere")]:
        with refused("404 CONVERSATION_NOT_FOUND"):
            world.reactions(user, room, "m1", "👍")
    world.send("ada", "lunch", "more")
    for cursor in ("nonsense", "", world.messages("ada", "lunch", limit=1).cursor):
        with refused("400 INVALID_CURSOR"):
            world.reactions("bob", "lunch", "m1", "👍", cursor=cursor)
    assert len(world.reactions("cy", "lunch", "m1", "👍", cursor=None).data) == 1


@pytest.mark.parametrize("strangers", [0, 1, 10, 300])
def test_each_reader_learns_whether_he_has_reacted(world: World, strangers: int) -> None:
    for user in ("ada", "bob"):
        world.react(user, "lunch", "m1", "👍")
    readers = ["bob", "cy", *(f"stranger {n}" for n in range(strangers))]
    reacted = world.reacted("m1", "👍", *readers)
    nothing = dict.fromkeys(readers[1:], frozenset[str]())
    assert reacted
    assert reacted == Reacted({"👍": Tally(2_000, 2)}, {"bob": frozenset("👍"), **nothing})
    assert reacted.diff(frozenset("👍")) == MessageDiff(
        reactions={"👍": ReactionSummary(created_at=2_000, count=2, current_user_reacted=True)}
    )


def test_an_emoji_that_is_gone_is_null_and_a_message_that_is_gone_nothing(world: World) -> None:
    reacted = world.reacted("m1", "👍", "ada")
    assert reacted
    assert reacted.diff(frozenset()) == MessageDiff(reactions={"👍": None})
    assert world.reacted("nothing", "👍", "ada") is None


def crowd(world: World, count: int) -> list[str]:
    """Let so many people react to m1."""
    people = [f"u{n:03}" for n in range(count)]
    for user in people:
        world.create_user(user, user)
        world.act("ada", "lunch", step("PUT", user))
        world.react(user, "lunch", "m1", "👍")
    return people


def test_messages_cost_the_same_however_many_have_reacted(world: World) -> None:
    world.react("bob", "lunch", "m1", "👍")
    before = world.cost(lambda: world.messages("bob", "lunch"))
    crowd(world, 300)
    assert world.cost(lambda: world.messages("bob", "lunch")) < before + 10
    assert world.message("bob", "lunch", "m1").reactions["👍"].count == 301


def test_a_late_page_of_who_reacted_costs_what_the_first_did(world: World) -> None:
    crowd(world, 300)
    first = world.reactions("bob", "lunch", "m1", "👍", limit=10)
    late = world.reactions("bob", "lunch", "m1", "👍", limit=100, cursor=first.cursor).cursor

    def page(cursor: str | None) -> None:
        world.reactions("bob", "lunch", "m1", "👍", limit=10, cursor=cursor)

    assert world.cost(lambda: page(late)) < 1.5 * world.cost(lambda: page(None))
