"""What a server has left: people who talked, and two uploads, one of which was sent."""

import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from rtflow.model.content import FileBlock
from rtflow.server import Settings
from rtflow.server.domain.activity import CROWD
from rtflow.server.domain.files import Stored, add_file, hold_files
from rtflow.server.files import place_of
from rtflow.server.store.interface import Outcome, Steps
from tests.server.domain.world import World

CONTENTS = {"sent": b"a picture", "unsent": b"a secret diary"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a server that has been used, and is stopped."""
    settings = Settings(database=str(tmp_path / "chat.db"), port=0)
    talk(settings.database)
    files = Path(f"{settings.database}-files")
    for content in CONTENTS.values():
        place = place_of(files, sha256(content).hexdigest())
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return settings


def talk(database: str) -> None:
    """Let much happen."""
    world = World(database)
    world.start("lunch", "ada", "bob")
    world.start("town", *(f"user {n}" for n in range(CROWD + 1)))
    world.edit("ada", "lunch", subject="Où manger?")
    for text in ("one", "two", "日本語", "four"):
        world.now += 1
        world.send("ada", "lunch", text)
        world.send("user 0", "town", text)
    world.delete_message("ada", "lunch", "m3")
    world.edit_message("ada", "lunch", "m5", "cinq")
    world.read("bob", "lunch", until=world.now - 2)
    world.unread("ada", "lunch")
    world.react("bob", "lunch", "m1", "👍")
    world.react("ada", "lunch", "m1", "👍")
    for token, content in CONTENTS.items():
        note_file(world, token, content)
    world.do(hold)
    world.database.close()


def note_file(world: World, token: str, content: bytes) -> None:
    file = Stored(
        token=token,
        user_id="ada",
        sha256=sha256(content).hexdigest(),
        filename=f"{token}.txt",
        size=len(content),
        media_type="text/plain",
        subtype=None,
        width=None,
        height=None,
        duration=None,
        url="",
    )
    world.do(lambda: add_file(file, world.now))


def hold() -> Steps[Outcome[None]]:
    """Let a message hold a file."""
    block = FileBlock(file_token="sent", url="", size=9, filename="sent.txt")
    yield from hold_files("m1", (block,))
    return Outcome(None)


def altered(database: str, script: str) -> None:
    """Change a database behind the back of all rules."""
    shell = sqlite3.connect(database)
    shell.executescript(f"PRAGMA foreign_keys = OFF; {script}")
    shell.close()
