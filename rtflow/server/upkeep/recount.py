"""Recounts: what is kept ready for fast answers, compared with what it is made of.

A conversation is recounted from its messages. For each participant: how many he has not read, and
where the conversation is in his list (domain/activity.py). For each message: how often each emoji
was added.

Not here: asking the database (doctor.py), words (words.py). Pure: values in, complaints out.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

__all__ = ["Numbered", "Room", "Seat", "complaints_of_room"]


class Room(Struct, frozen=True):
    """What is kept with a conversation."""

    id: str
    last_number: int
    last_message_at: int | None
    is_crowded: int


class Numbered(Struct, frozen=True):
    """A message of it: number and time."""

    number: int
    created_at: int


class Seat(Struct, frozen=True):
    """What is kept with a participant of it."""

    user_id: str
    joined_at: int
    read_number: int
    deleted_unread: int
    marked_unread: int
    activity: int | None
    is_unread: int


def complaints_of_room(
    room: Room, messages: Sequence[Numbered], seats: Sequence[Seat]
) -> Iterator[str]:
    """Recount a conversation. `messages` are in the order of their times."""
    numbers = [it.number for it in messages]
    if not all(a < b for a, b in pairwise(numbers)):
        yield f"in {room.id!r} messages are numbered out of order"
    if numbers and numbers[-1] > room.last_number:
        yield f"in {room.id!r} there is message {numbers[-1]}, but {room.last_number} were sent"
    newest = messages[-1].created_at if messages else None
    if newest != room.last_message_at:
        yield f"{room.id!r} has its last message at {newest}, not at {room.last_message_at}"
    for seat in seats:
        yield from _complaints_of_seat(room, numbers, newest, seat)


def _complaints_of_seat(
    room: Room, numbers: Sequence[int], newest: int | None, seat: Seat
) -> Iterator[str]:
    whose = f"{seat.user_id!r} in {room.id!r}"
    kept = room.last_number - seat.read_number - seat.deleted_unread
    unread = len(numbers) - bisect_right(numbers, seat.read_number)
    if kept != unread:
        yield f"{whose} has {unread} unread, not {kept}"
    if room.is_crowded:
        activity, is_unread = None, 0
    else:
        activity = seat.joined_at if newest is None else newest
        is_unread = int(unread > 0 or seat.marked_unread > 0)
    if seat.activity != activity:
        yield f"the activity of {whose} is {activity}, not {seat.activity}"
    if seat.is_unread != is_unread:
        yield f"{whose} is {'unread' if is_unread else 'not unread'} in his list"
