"""No statement looks at rows that it does not need: SQLite's own plans say so."""

from rtflow.model.filters import ConversationFilter
from rtflow.server.store.sqlite.log import since, trim
from tests.server.domain.world import World, step


def everything_once(world: World) -> None:
    world.start("lunch", "ada", "bob", "cy")
    world.edit("ada", "lunch", subject="Lunch")
    world.set_user("ada", "ada", locale="en")
    first = world.send("ada", "lunch", "hello", idempotency_key="k")
    world.send("ada", "lunch", "indeed", referenced_message_id=first)
    world.act("ada", "lunch", step("PUT", "bob", notify=False))
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
    world.ask(lambda: since(1, 10))
    trim(world.database.writer, world.now, 10)


def test_every_statement_finds_its_rows_by_an_index(world: World) -> None:
    connection = world.database.writer
    statements: set[str] = set()
    connection.set_trace_callback(statements.add)
    everything_once(world)
    connection.set_trace_callback(None)
    verbs = ("SELECT", "INSERT", "UPDATE", "DELETE")
    ours = [sql for sql in statements if sql.startswith(verbs)]
    assert len(ours) > 30
    scans = [
        (plan, sql)
        for sql in ours
        for (_, _, _, plan) in connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
        if plan.startswith("SCAN")
        and plan.split()[1] not in ("page", "merged", "kept", "sample", "CONSTANT")
    ]
    assert "activity = NULL" in " ".join(ours), "no conversation has become crowded"
    bounded = "FROM log ORDER BY number LIMIT", "FROM sent_keys ORDER BY position LIMIT"
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
