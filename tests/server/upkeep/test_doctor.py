"""The doctor finds whatever is wrong, says where, changes nothing, and is silent about the rest."""

from hashlib import sha256
from pathlib import Path

import pytest

from rtflow.server import Check, Settings, back_up, examine, running
from rtflow.server.domain.files import DAY
from rtflow.server.files import place_of
from rtflow.server.store.sqlite.database import APPLICATION, open_database
from tests.server.raw import join
from tests.server.store.test_migrations import statements
from tests.server.upkeep.conftest import CONTENTS, altered

CHECKS = [
    "database",
    "pages",
    "schema",
    "references",
    "change log",
    "unread counts",
    "reactions",
    "search",
    "files",
]


def faulty(settings: Settings) -> dict[str, str]:
    """What is wrong, by check."""
    return {check.name: check.told for check in examine(settings) if check.faults}


def test_of_what_is_well_every_check_says_what_it_saw(settings: Settings) -> None:
    checks = {check.name: check.told for check in examine(settings) if not check.faults}
    assert list(checks) == CHECKS
    assert checks["change log"].endswith("without a hole")
    assert "13 in 2 conversations with 7 messages" in checks["unread counts"]
    assert checks["files"] == "2 contents, 23 bytes"


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (0, "0 in 0 conversations with 0 messages"),
        (1, "1 in 1 conversation with 1 message"),
        (2, "2 in 2 conversations with 2 messages"),
    ],
)
async def test_one_thing_is_told_as_one(tmp_path: Path, times: int, words: str) -> None:
    settings = Settings(database=str(tmp_path / "chat.db"), port=0)
    async with running(settings) as address, join(address.url, "ada") as ada:
        for room in ("lunch", "town")[:times]:
            await ada.found(room)
            await ada.send(room, "one")
    checks = {check.name: check.told for check in examine(settings)}
    assert checks["unread counts"] == f"as recounted: {words}"
    assert checks["search"] == f"the index is as made anew, of {words.partition('with ')[2]}"


FAULTS = [
    ("DELETE FROM log WHERE number = 5", "change log", "after change 4 comes 6"),
    ("UPDATE log SET entries = 'rubbish' WHERE number = 5", "change log", "change 5 cannot be"),
    ("UPDATE conversations SET last_number = 9", "unread counts", "'bob' in 'lunch' has 2 unread"),
    (
        "UPDATE conversations SET last_message_at = 7 WHERE id = 'town'",
        "unread counts",
        "'town' has its last message at 1014, not at 7",
    ),
    (
        "UPDATE messages SET number = 70 WHERE id = 'm1'",
        "unread counts",
        "in 'lunch' messages are numbered out of order",
    ),
    (
        "UPDATE messages SET number = 70 WHERE id = 'm7'",
        "unread counts",
        "in 'lunch' there is message 70, but 4 were sent",
    ),
    (
        "UPDATE participants SET deleted_unread = 0 WHERE user_id = 'bob'",
        "unread counts",
        "'bob' in 'lunch' has 2 unread, not 3",
    ),
    (
        "UPDATE participants SET activity = 5 WHERE user_id = 'bob'",
        "unread counts",
        "the activity of 'bob' in 'lunch' is 1005, not 5",
    ),
    (
        "UPDATE participants SET activity = 5 WHERE user_id = 'user 3'",
        "unread counts",
        "the activity of 'user 3' in 'town' is None, not 5",
    ),
    (
        "UPDATE participants SET is_unread = 0 WHERE user_id = 'bob'",
        "unread counts",
        "'bob' in 'lunch' is unread in his list",
    ),
    (
        "UPDATE participants SET marked_unread = 0 WHERE user_id = 'ada'",
        "unread counts",
        "'ada' in 'lunch' is not unread in his list",
    ),
    ("DELETE FROM reactions WHERE user_id = 'bob'", "reactions", "to message 'm1' 1 times, not 2"),
    ("DELETE FROM reactions", "reactions", "'👍' was added to message 'm1' 0 times, not 2"),
    ("UPDATE messages SET reactions = '{}'", "reactions", "to message 'm1' 2 times, not 0"),
    ("DELETE FROM users WHERE id = 'bob'", "references", "a row of participants refers to one of"),
    ("DELETE FROM searchable_messages WHERE id = 'm1'", "search", "message 'm1' cannot be found"),
    ("DELETE FROM searchable_conversations", "search", "conversation 'lunch' cannot be found"),
    (
        "UPDATE searchable_messages SET id = 'm0' WHERE id = 'm1'",
        "search",
        "message 'm0' can be found, but is not there",
    ),
    (
        "UPDATE searchable_conversations SET id = 'x' WHERE id = 'lunch'",
        "search",
        "conversation 'x' can be found, but is not there",
    ),
    (
        "UPDATE searchable_messages SET words = 'six' WHERE id = 'm1'",
        "search",
        "message 'm1' is found by other words than its own",
    ),
    (
        "UPDATE searchable_conversations SET words = 'six' WHERE id = 'lunch'",
        "search",
        "conversation 'lunch' is found by other words than its subject's",
    ),
    (
        "UPDATE messages SET content = '[' WHERE id = 'm1'",
        "search",
        "what message 'm1' says cannot",
    ),
    (
        "INSERT INTO message_words (rowid, words, room) VALUES (99, 'ghost', 'r')",
        "search",
        "the index of messages has ('ghost', 99, 'words', 0) where it should",
    ),
    (
        "INSERT INTO conversation_words (conversation_words) VALUES ('delete-all')",
        "search",
        "the index of conversations has None where",
    ),
    ("DELETE FROM files WHERE token = 'sent'", "files", "message 'm1' holds the file 'sent'"),
    (
        "UPDATE files SET unused_since = 1 WHERE token = 'sent'",
        "files",
        "the file 'sent.txt' is not kept as held by a message",
    ),
    (
        "UPDATE files SET unused_since = NULL",
        "files",
        "the file 'unsent.txt' is kept as held by a message",
    ),
    ("UPDATE files SET size = size + 1", "files", "has 9 bytes instead of 10"),
]


@pytest.mark.parametrize(("script", "check", "words"), FAULTS)
def test_a_fault_is_found_and_told(settings: Settings, script: str, check: str, words: str) -> None:
    altered(settings.database, script)
    assert words in faulty(settings)[check]


def test_many_faults_are_counted_and_some_are_told(settings: Settings) -> None:
    altered(settings.database, "UPDATE participants SET deleted_unread = deleted_unread + 1")
    (found,) = (check for check in examine(settings) if check.faults)
    assert found.faults == 13
    assert found.told.endswith("; and 10 more")


def test_a_content_that_is_missing_or_cut_short_is_found(settings: Settings) -> None:
    folder = Path(f"{settings.database}-files")
    place_of(folder, sha256(CONTENTS["sent"]).hexdigest()).unlink()
    place_of(folder, sha256(CONTENTS["unsent"]).hexdigest()).write_bytes(b"a sec")
    told = faulty(settings)
    assert "the content of 'sent.txt', is missing" in told["files"]
    assert "has 5 bytes instead of 14" in told["files"]
    folder.rename(folder.with_name("elsewhere"))
    assert "the content of 'unsent.txt', is missing" in faulty(settings)["files"]
    folder.write_text("a file")
    assert "cannot be looked at" in faulty(settings)["files"]


def test_a_damaged_page_is_a_fault_of_the_checks_that_need_it(settings: Settings) -> None:
    (root, size) = root_of(settings.database, "messages")
    with Path(settings.database).open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xaa" * size)
    told = faulty(settings)
    assert {"pages", "unread counts", "search"} <= told.keys()
    assert "damaged" in told["unread counts"]
    assert "\n" not in "".join(told.values())


def root_of(database: str, table: str) -> tuple[int, int]:
    """Return the page where a table begins, and the size of pages."""
    opened = open_database(database)
    (root,) = opened.reader.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = ?1", (table,)
    ).fetchone()
    (size,) = opened.reader.execute("PRAGMA page_size").fetchone()
    opened.close()
    return int(root), int(size)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no such file"),
        (b"", "it is empty"),
        (b"Dear diary, " * 100, "holds something else than an rtflow database"),
    ],
)
def test_what_is_no_database_of_ours_is_one_fault(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "other.db"
    if content is not None:
        file.write_bytes(content)
    (check,) = examine(Settings(database=str(file)))
    assert (check.name, check.faults) == ("database", 1)
    assert words in check.told


def test_of_an_older_schema_only_the_file_is_checked(tmp_path: Path) -> None:
    file = str(tmp_path / "old.db")
    altered(file, f"{statements(1)}; PRAGMA application_id = {APPLICATION}; PRAGMA user_version=1")
    checks = list(examine(Settings(database=file)))
    assert [check.name for check in checks] == CHECKS[:3]
    assert checks[-1].told == "1; the next start makes it 4"
    assert not any(check.faults for check in checks)


def test_what_is_in_memory_cannot_be_examined() -> None:
    (check,) = examine(Settings(database=":memory:"))
    assert "in the memory of its server" in check.told


def test_nothing_is_changed(settings: Settings) -> None:
    before = Path(settings.database).read_bytes()
    assert faulty(settings) == {}
    is_same = Path(settings.database).read_bytes() == before
    assert is_same


async def test_a_server_that_runs_is_examined_as_it_stands(settings: Settings) -> None:
    async with running(settings) as address, join(address.url, "ada") as ada:
        sent = 0
        for check in examine(settings):
            assert not check.faults, check
            await ada.send("lunch", f"meanwhile {sent}")
            sent += 1
        (log,) = (check for check in examine(settings) if check.name == "change log")
    assert sent == len(CHECKS)
    assert isinstance(log, Check)


def test_a_file_that_is_collected_meanwhile_is_not_missed(settings: Settings) -> None:
    checks = examine(settings)
    assert next(checks).name == "database"  # from here on it sees this state
    altered(settings.database, f"DELETE FROM files WHERE unused_since < {DAY}")
    place_of(Path(f"{settings.database}-files"), sha256(CONTENTS["unsent"]).hexdigest()).unlink()
    assert [check for check in checks if check.faults] == []


def test_a_backup_is_as_well_as_what_it_is_of(settings: Settings, tmp_path: Path) -> None:
    back_up(tmp_path / "copy.db", settings)
    copy = Settings(database=str(tmp_path / "copy.db"))
    told = [(check.name, check.told) for check in examine(settings)]
    assert [(check.name, check.told) for check in examine(copy)][1:] == told[1:]
