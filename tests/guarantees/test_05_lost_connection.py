"""5. A lost connection is not an error: silence, then what changed meanwhile, once."""

import rtflow
from rtflow.testing import Recorder, ServerProcess
from rtflow.testing.plugin import OpenSession, StartServer
from tests.guarantees.conftest import QUICK, Company


async def test_what_changed_meanwhile_is_seen_after_the_reconnect(company: Company) -> None:
    lunch = Recorder[rtflow.ConversationSnapshot | None]()
    unread = Recorder[int]()
    said = Recorder[rtflow.Window[rtflow.MessageSnapshot] | None]()
    bob = Recorder[rtflow.UserSnapshot | None]()
    steps = Recorder[rtflow.ConnectionState]()
    total = Recorder[int]()
    listed = Recorder[rtflow.Window[rtflow.ConversationSnapshot]]()
    company.lunch.observe().subscribe(lunch)
    company.lunch.unread.observe().subscribe(unread)
    company.lunch.messages.observe().subscribe(said)
    company.alice.user("bob").observe().subscribe(bob)
    company.alice.connection.observe().subscribe(steps)
    company.alice.conversations.unread.observe().subscribe(total)
    company.alice.conversations.observe().subscribe(listed)
    for recorder in (lunch, unread, said, bob, total, listed):
        await recorder.until(lambda values: len(values) == 1)

    company.link.refuse()
    company.link.cut()
    await steps.until(lambda values: values[-1].status != "live")
    await company.bobs_lunch.send("one")
    await company.bobs_lunch.send("two")
    await company.bob.current_user.set(name="Bobby")
    await company.bobs_lunch.set(subject="Brunch")
    assert [len(it.values) for it in (lunch, unread, said, bob, total, listed)] == [1] * 6

    company.link.accept()
    await lunch.until(lambda values: len(values) > 1)
    await said.until(lambda values: len(values) > 1)
    await bob.until(lambda values: len(values) > 1)
    await total.until(lambda values: len(values) > 1)
    await listed.until(lambda values: len(values) > 1)
    await company.alice.user("stranger").get()  # a barrier
    last, window = lunch.last, said.last
    assert last is not None
    assert last.last_message is not None
    assert last.last_message.sender is not None
    assert window is not None
    assert (last.subject, last.unread_message_count) == ("Brunch", 2)
    assert (last.last_message.plaintext, last.last_message.sender.name) == ("two", "Bobby")
    assert [message.plaintext for message in window.items] == ["two", "one"]
    assert listed.last.items == (last,)
    assert (unread.values, total.values) == ([0, 2], [0, 2])
    assert [it and it.name for it in bob.values] == ["Bob", "Bobby"]
    assert [len(it.values) for it in (lunch, said, listed)] == [2, 2, 2]
    statuses = [state.status for state in steps.values]
    assert statuses[0] == statuses[-1] == "live"
    assert {"waiting", "connecting"} < set(statuses)


async def test_a_resource_that_did_not_change_stays_silent(company: Company) -> None:
    lunch = Recorder[rtflow.ConversationSnapshot | None]()
    steps = Recorder[rtflow.ConnectionState]()
    company.lunch.observe().subscribe(lunch)
    company.alice.connection.observe().subscribe(steps)
    await lunch.until(lambda values: len(values) == 1)
    for round in range(3):
        company.link.cut()
        await steps.until(
            lambda values: [it.status for it in values].count("live") > round + 1  # noqa: B023
        )
        await company.alice.user("stranger").get()
    assert len(lunch.values) == 1


async def test_who_subscribes_while_there_is_no_connection_sees_only_what_is_newer(
    company: Company,
) -> None:
    early, late = Recorder[int](), Recorder[int]()
    steps = Recorder[rtflow.ConnectionState]()
    company.lunch.unread.observe().subscribe(early)
    company.alice.connection.observe().subscribe(steps)
    await early.until(lambda values: values == [0])
    company.link.refuse()
    company.link.cut()
    await steps.until(lambda values: values[-1].status == "waiting")
    await company.bobs_lunch.send("one")
    company.lunch.unread.observe().subscribe(late)
    assert late.values == []
    company.link.accept()
    await late.until(lambda values: values == [1])
    assert early.values == [0, 1]


async def test_a_server_that_is_killed_and_comes_back_loses_nothing(
    server_process: StartServer, open_session: OpenSession
) -> None:
    process: ServerProcess = await server_process()
    alice = await open_session("alice", server=process.url, reconnect=QUICK)
    await alice.current_user.create_if_not_exists(name="Alice")
    lunch = alice.conversation("lunch")
    await lunch.create_if_not_exists(subject="Lunch")
    seen = Recorder[rtflow.ConversationSnapshot | None]()
    lunch.observe().subscribe(seen)
    await seen.until(lambda values: bool(values))
    await lunch.send("before")
    await process.kill()
    await process.restart()
    await lunch.send("after")
    await seen.until(lambda v: v[-1].last_message.plaintext == "after")  # type: ignore[union-attr]  # else it fails
