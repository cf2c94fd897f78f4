"""No statement looks at rows that it does not need: SQLite's own plans say so."""

from functools import partial

import pytest

from rtflow.model.content import SendFileBlock
from rtflow.model.filters import ConversationFilter
from rtflow.model.params import SendMessage
from rtflow.server.domain import search
from rtflow.server.domain.files import DAY, Stored, add_file, collect_files, release_files
from rtflow.server.domain.indexing import index_missing, unindex_message
from rtflow.server.domain.search import Asked, ConversationSearch, MessageSearch
from rtflow.server.domain.sending import send_message
from rtflow.server.store.interface import Outcome, Steps
from rtflow.server.store.sqlite.log import since, trim
from tests.server.domain.world import World, step


def everything_once(world: World) -> None:
    world.start("lunch", "ada", "bob", "cy")
    world.edit("ada", "lunch", subject="Lunch")
    world.set_user("ada", "ada", locale="en")
    first = world.send("ada", "lunch", "hello", idempotency_key="k")
    world.send("ada", "lunch", "indeed", referenced_message_id=first)
    oops = world.send("ada", "lunch", "oops")
    world.edit_message("ada", "lunch", first, "hello!")
    for message in (first, oops):
        world.react("bob", "lunch", message, "👍")
    world.react("cy", "lunch", first, "👍")
    world.unreact("cy", "lunch", first, "👍")
    world.reactions("ada", "lunch", first, "👍")
    world.reacted(first, "👍", "ada")
    world.reacted(first, "👍", "ada", "bob", "cy")
    world.delete_message("ada", "lunch", oops)
    world.message("ada", "lunch", first)
    world.act("ada", "lunch", step("PUT", "bob", notify=False))
    world.read("cy", "lunch", 1_003)
    world.read("bob", "lunch", 1_003)
    world.unread("bob", "lunch")
    world.remove("ada", "lunch", "bob")
    world.see("ada", "lunch", ("lastMessage",))
    world.page("ada", expand=("lastMessage",))
    world.page("ada", filter=ConversationFilter(is_unread=True))
    world.messages("ada", "lunch")
    page = world.participants("ada", "lunch", limit=1)
    world.participants("ada", "lunch", cursor=page.cursor)
    world.participant("ada", "lunch", "cy")
    world.start("party", "ada", *[f"guest {n}" for n in range(12)])  # crowded
    world.send("ada", "party", "hello")
    world.sides("lunch", "ada")
    world.sides("lunch", "ada", "bob", "cy", "dan")
    searches_and_files(world)
    world.ask(lambda: since(1, 10))
    trim(world.database.writer, world.now, 10)


def searches_and_files(world: World) -> None:
    for few in (search.FEW, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(search, "FEW", few)
            world.ask(partial(MessageSearch("ada", Asked(text="hello")).step, 10))
            world.ask(partial(ConversationSearch("ada", Asked(text="lunch")).step, 10))
    world.do(lambda: index_missing(10))
    file = Stored("t", "ada", "ab", "a", 1, "image/png", None, None, None, None, "")
    world.do(lambda: add_file(file, world.now))
    params = SendMessage(content=(SendFileBlock("t"),))
    world.do(send_message("ada", "lunch", "f", params, world.now, world.rules))

    def delete() -> Steps[Outcome[None]]:
        yield from unindex_message("f", "lunch")
        yield from release_files("f", world.now)
        return Outcome(None)

    world.do(delete)
    world.do(lambda: collect_files(world.now + 2 * DAY, 10))


def test_every_statement_finds_its_rows_by_an_index(world: World) -> None:
    connection = world.database.writer
    statements: set[str] = set()
    connection.set_trace_callback(statements.add)
    everything_once(world)
    connection.set_trace_callback(None)
    verbs = ("SELECT", "INSERT", "UPDATE", "DELETE")
    ours = [sql for sql in statements if sql.startswith(verbs) and "_words_config" not in sql]
    assert len(ours) > 45
    scans = [
        (plan, sql)
        for sql in ours
        for (_, _, _, plan) in connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
        if plan.startswith("SCAN")
        and plan.split()[1] not in ("page", "merged", "kept", "sample", "CONSTANT")
        and "VIRTUAL TABLE INDEX" not in plan  # a MATCH
    ]
    assert "activity = NULL" in " ".join(ours), "no conversation has become crowded"
    bounded = (
        "FROM log ORDER BY number LIMIT",
        "FROM sent_keys ORDER BY position LIMIT",
        "WHERE s.words IS NULL ORDER BY s.position DESC LIMIT",
    )
    assert [it for it in scans if not any(part in it[1] for part in bounded)] == []


def test_up_to_where_all_have_read_is_the_first_entry_of_an_index(world: World) -> None:
    connection = world.database.writer
    statements: set[str] = set()
    connection.set_trace_callback(statements.add)
    everything_once(world)
    connection.set_trace_callback(None)
    asked = [sql for sql in statements if "min(" in sql or "max(" in sql]
    assert len(asked) > 5
    for sql in asked:
        plans = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]
        indexed = sum(
            "COVERING INDEX participants_by_read_until (conversation_id=?)" in plan
            for plan in plans
        )
        assert indexed == sql.count("(read_until)") + sql.count(".read_until)"), sql
