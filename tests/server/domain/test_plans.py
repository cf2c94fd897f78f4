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
        if plan.startswith("SCAN") and plan.split()[1] not in ("page", "sample", "CONSTANT")
    ]
    bounded = "FROM log ORDER BY number LIMIT", "FROM sent_keys ORDER BY position LIMIT"
    assert [it for it in scans if not any(part in it[1] for part in bounded)] == []
