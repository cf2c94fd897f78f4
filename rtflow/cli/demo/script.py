"""The script of the demo: who the people are, where they talk, and in what rhythm.

Rooms have moods: in a burst people answer each other at once, then there is a pause. The same seed
gives the same talk, room by room, whatever the clock does in between.

Not here: sessions and waiting (people.py).
"""

from collections.abc import Iterator
from random import Random

from msgspec import Struct

__all__ = ["PEOPLE", "ROOMS", "YOU", "Line", "Room", "glances", "talk"]

YOU = "you"
PEOPLE = {
    "ada": "Ada",
    "grace": "Grace",
    "alan": "Alan",
    "edsger": "Edsger",
    "barbara": "Barbara",
    "linus": "Linus",
}


class Room(Struct, frozen=True):
    """A conversation: who is in it (you are in all of them) and what is said there."""

    id: str
    subject: str
    members: tuple[str, ...]
    lines: tuple[str, ...]


class Line(Struct, frozen=True):
    """One message to come: after a pause somebody types for a while, then says it."""

    pause: float  # seconds
    speaker: str
    typing: float  # seconds
    text: str


ROOMS = (
    Room(
        "lunch",
        "Lunch",
        ("ada", "alan", "linus"),
        (
            "who is hungry?",
            "me, since ten",
            "the ramen place or the falafel place?",
            "ramen had a queue to the corner yesterday",
            "falafel then",
            "can we wait for Grace?",
            "five past twelve at the door",
            "I am in, bring cash",
            "they take cards now",
            "it is raining, of course",
        ),
    ),
    Room(
        "release",
        "Release 2.4",
        ("grace", "barbara", "ada", "edsger"),
        (
            "the build is green",
            "which of the two builds?",
            "both, look again",
            "changelog is missing the new export",
            "added, please review",
            "one nit, otherwise fine",
            "tagging in ten minutes",
            "hold on, the migration takes a lock",
            "only on the old table",
            "then go",
            "tagged",
        ),
    ),
    Room(
        "support",
        "Support",
        ("linus", "barbara", "grace"),
        (
            "a customer cannot log in since this morning",
            "which browser?",
            "an old one, very old",
            "the certificate chain?",
            "it was the clock of their machine",
            "it is always the clock",
            "ticket closed",
            "another one: export hangs at 99 %",
            "how large is the file?",
            "larger than the disk, it turns out",
        ),
    ),
    Room(
        "weekend",
        "Weekend hike",
        ("alan", "edsger", "ada"),
        (
            "the forecast says sun",
            "the forecast said that last week",
            "north side or the lake?",
            "the lake, there is a hut with cake",
            "the shortest path is over the ridge",
            "it always is, with you",
            "train at 8:12?",
            "8:42, for human beings",
            "who brings the map?",
        ),
    ),
    Room(
        "barbara",
        "Barbara",
        ("barbara",),
        (
            "do you have a minute?",
            "it is about the interface we talked about",
            "one type could stand in for the other",
            "I wrote it down for you",
            "no hurry",
            "found a counterexample, never mind",
        ),
    ),
)


def talk(room: Room, seed: int) -> Iterator[Line]:
    """Yield what is said in a room, for ever."""
    chance = Random(f"{seed} in {room.id}")
    pause, speaker = chance.uniform(0.2, 1.5), ""
    while True:
        left_in_burst = chance.randint(1, 5)
        for text in room.lines:
            others = [member for member in room.members if member != speaker]
            speaker = chance.choice(others or room.members)
            yield Line(pause, speaker, typing=chance.uniform(0.2, 0.8), text=text)
            left_in_burst -= 1
            if left_in_burst > 0:
                pause = chance.uniform(0.1, 0.7)
            else:
                pause, left_in_burst = chance.uniform(2.0, 5.0), chance.randint(1, 5)


def glances(seed: int) -> Iterator[tuple[float, float]]:
    """Yield when you look at your messages: the pause before (seconds), and which (0 to 1)."""
    chance = Random(f"{seed} at your desk")
    while True:
        yield chance.uniform(0.7, 2.2), chance.random()
