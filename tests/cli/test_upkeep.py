"""`rtflow doctor` and `rtflow backup`, beside a server that runs and after its end."""

import sqlite3
from pathlib import Path

from rtflow.testing import ServerProcess
from tests.cli.program import rtflow
from tests.server.raw import join


async def test_a_backup_of_a_running_server_is_well_and_can_be_served(tmp_path: Path) -> None:
    database, copy = str(tmp_path / "chat.db"), str(tmp_path / "copy.db")
    async with ServerProcess(database) as server, join(server.url, "ada") as ada:
        await ada.found("lunch")
        await ada.send("lunch", "hello")
        made = await rtflow("backup", copy, "--database", database)
        assert (made.status, made.stderr) == (0, "")
        assert made.stdout.startswith(f"{copy}: up to change ")
        well = await rtflow("doctor", env={"RTFLOW_DATABASE": database})
        again = await rtflow("backup", copy, "--database", database)
    assert (well.status, well.stderr) == (0, "")
    assert {line[:6] for line in well.stdout.splitlines()} == {"ok    "}
    assert (again.status, again.stdout) == (1, "")
    assert "is there already; name another file" in again.complaint
    async with ServerProcess(copy) as server, join(server.url, "ada") as ada:
        assert len((await ada.get("/me/conversations/lunch/messages"))["data"]) == 1


async def test_a_fault_is_a_line_and_a_status(tmp_path: Path) -> None:
    database = str(tmp_path / "chat.db")
    async with ServerProcess(database) as server, join(server.url, "ada") as ada:
        await ada.found("lunch")
    shell = sqlite3.connect(database)
    shell.executescript("UPDATE conversations SET last_number = 7")
    shell.close()
    ended = await rtflow("doctor", "--database", database)
    assert ended.status == 1
    (fault,) = (line for line in ended.stdout.splitlines() if not line.startswith("ok "))
    assert fault.startswith("FAULT unread counts  'ada' in 'lunch' has 0 unread, not 7")
    assert ended.complaint.startswith("rtflow: 1 fault: stop the server, keep a copy")


async def test_what_cannot_be_looked_at_is_a_line_that_says_why(tmp_path: Path) -> None:
    ended = await rtflow("doctor", "--database", str(tmp_path / "nothing.db"))
    assert ended.status == 1
    assert ended.stdout.count("\n") == 1
    assert "there is no such file; name the file of a server" in ended.stdout
    assert ended.complaint == "rtflow: the database could not be looked at"


async def test_files_may_be_elsewhere_and_one_that_is_missing_is_told(tmp_path: Path) -> None:
    database, files = str(tmp_path / "chat.db"), tmp_path / "bytes"
    async with ServerProcess(database):
        pass
    shell = sqlite3.connect(database)
    shell.executescript(
        "INSERT INTO files VALUES ('t', 'ada', 'abcd', 'a.txt', 3, '', '', 0, 0, 0, '', 1, 1)"
    )
    shell.close()
    where = ("--database", database, "--files", str(files))
    told = await rtflow("doctor", *where)
    assert f"{files}/ab/abcd, the content of 'a.txt', is missing" in told.stdout
    made = await rtflow("backup", str(tmp_path / "copy.db"), *where)
    assert made.status == 1
    assert "without 1 uploaded file, missing here" in made.complaint
    assert made.stdout
