"""Chat: what the domain should do, in plain Python, without a database and without being clever."""

from dataclasses import dataclass, field

from rtflow.model.entities import Access, Notify

DAY = 24 * 60 * 60 * 1000


class Refused(Exception):
    """`code` as in `"404 CONVERSATION_NOT_FOUND"`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Person:
    """A user."""

    name: str
    custom: dict[str, str]


@dataclass
class Seat:
    """A participant: what he has not read is kept one by one."""

    access: Access
    notify: Notify
    joined_at: int
    read_until: int
    unread: set[str] = field(default_factory=set[str])
    is_marked: bool = False


@dataclass
class Said:
    """A message. Each emoji began to be there at a time, and each who added it did so at one."""

    id: str
    sender: str
    at: int
    text: str
    reply_to: str | None
    custom: dict[str, str] = field(default_factory=dict[str, str])
    edited_at: int | None = None
    began: dict[str, int] = field(default_factory=dict[str, int])
    reactions: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])


@dataclass
class Room:
    """A conversation."""

    founder: str
    subject: str | None
    custom: dict[str, str]
    last_joined_at: int = -1  # of anybody, also of who has left
    seats: dict[str, Seat] = field(default_factory=dict[str, Seat])
    said: list[Said] = field(default_factory=list[Said])
    keys: dict[tuple[str, str], tuple[str, int]] = field(
        default_factory=dict[tuple[str, str], tuple[str, int]]
    )

    def next_time(self, now: int) -> int:
        """Return a time that is later than any other in this room."""
        times = [message.at for message in self.said]
        return max(now, *[at + 1 for at in times + [s.read_until for s in self.seats.values()]], 0)


def merge(old: dict[str, str], given: dict[str, str | None] | None) -> dict[str, str]:
    """Merge key by key."""
    if given is None:
        return {}
    new: dict[str, str | None] = {**old, **given}
    return {key: value for key, value in new.items() if value is not None}


@dataclass
class Chat:
    """All of it. The methods are those of `World`."""

    people: dict[str, Person] = field(default_factory=dict[str, Person])
    rooms: dict[str, Room] = field(default_factory=dict[str, Room])
    now: int = 1_000

    # Users

    def create_user(self, user: str, custom: dict[str, str | None]) -> None:
        if user in self.people:
            raise Refused("409 USER_ALREADY_EXISTS")
        self.people[user] = Person(user, merge({}, custom))

    def set_user(self, user: str, name: str | None, custom: dict[str, str | None] | None) -> None:
        if user not in self.people:
            if name is None:
                raise Refused("400 NAME_REQUIRED")
            self.people[user] = Person(name, {})
        person = self.people[user]
        person.name, person.custom = name or person.name, merge(person.custom, custom)

    # Conversations

    def create(self, actor: str, room: str, subject: str | None) -> None:
        if actor not in self.people:
            raise Refused("404 USER_NOT_FOUND")
        if room in self.rooms:
            there = self.rooms[room]
            knows = actor in there.seats or (actor == there.founder and not there.seats)
            raise Refused("409 CONVERSATION_ALREADY_EXISTS" if knows else "403 NOT_A_PARTICIPANT")
        self.rooms[room] = Room(actor, subject, {})

    def edit(self, actor: str, room: str, custom: dict[str, str | None] | None) -> None:
        if room not in self.rooms:
            self.create(actor, room, None)
        there = self.rooms[room]
        if actor in there.seats:
            if there.seats[actor].access == "Read":
                raise Refused("403 UNAUTHORIZED_TO_EDIT")
        elif there.seats or actor != there.founder:
            raise Refused("403 NOT_A_PARTICIPANT")
        there.custom = merge(there.custom, custom)

    # Participants

    def act(
        self,
        actor: str,
        room: str,
        method: str,
        user: str,
        access: Access | None,
        notify: Notify | None,
    ) -> None:
        if room not in self.rooms:
            raise Refused("404 CONVERSATION_NOT_FOUND")
        seats = self.rooms[room].seats
        if actor not in seats and not (not seats and actor == user == self.rooms[room].founder):
            raise Refused("403 NOT_A_PARTICIPANT")
        may_edit = actor not in seats or seats[actor].access == "ReadWrite"
        if user in seats:
            if method == "POST":
                raise Refused("409 PARTICIPANT_ALREADY_EXISTS")
            needs_rights = access is not None or (notify is not None and user != actor)
            if needs_rights and not may_edit:
                raise Refused("403 UNAUTHORIZED_TO_EDIT_PARTICIPANT")
            seats[user].access = access or seats[user].access
            seats[user].notify = seats[user].notify if notify is None else notify
            return
        if method == "PATCH" and actor in seats:
            raise Refused("404 PARTICIPANT_NOT_FOUND")
        if not may_edit:
            raise Refused("403 UNAUTHORIZED_TO_EDIT_PARTICIPANT")
        if user not in self.people:
            raise Refused("404 USER_NOT_FOUND")
        there = self.rooms[room]
        at = max([there.next_time(self.now), there.last_joined_at + 1, *self.joinings(user)])
        there.last_joined_at = at
        seats[user] = Seat(access or "ReadWrite", True if notify is None else notify, at, at)

    def remove(self, actor: str, room: str, user: str) -> None:
        seats = self.inside(actor, room).seats
        if user != actor and seats[actor].access == "Read":
            raise Refused("403 UNAUTHORIZED_TO_EDIT_PARTICIPANT")
        if user not in seats:
            raise Refused("404 PARTICIPANT_NOT_FOUND")
        del seats[user]

    def joinings(self, user: str) -> list[int]:
        """Return times that are later than each joining of this user."""
        seats = [room.seats[user] for room in self.rooms.values() if user in room.seats]
        return [seat.joined_at + 1 for seat in seats]

    def inside(self, actor: str, room: str) -> Room:
        """Return a room that the actor is in."""
        if room not in self.rooms or actor not in self.rooms[room].seats:
            raise Refused("404 CONVERSATION_NOT_FOUND")
        return self.rooms[room]

    # Messages and marks

    def send(self, actor: str, room: str, message: str, key: str | None, to: str | None) -> str:
        """Say "hello"."""
        there = self.inside(actor, room)
        if there.seats[actor].access == "Read":
            raise Refused("403 UNAUTHORIZED_TO_SEND")
        if key is not None and (actor, key) in there.keys:
            first, at = there.keys[actor, key]
            if at > self.now - DAY:
                return first
        if to is not None and to not in [said.id for said in there.said]:
            raise Refused("400 REFERENCED_MESSAGE_NOT_FOUND")
        at = max([there.next_time(self.now), *self.joinings(actor)])
        there.said.append(Said(message, actor, at, "hello", to))
        for user, seat in there.seats.items():
            if user == actor:
                seat.unread, seat.is_marked, seat.read_until = set(), False, at
            else:
                seat.unread.add(message)
        if key is not None:
            there.keys[actor, key] = (message, self.now)
        return message

    def find(self, actor: str, room: str, message: str) -> Said:
        """Return a message of a room that the actor is in."""
        found = [said for said in self.inside(actor, room).said if said.id == message]
        if not found:
            raise Refused("404 MESSAGE_NOT_FOUND")
        return found[0]

    def edit_message(
        self,
        actor: str,
        room: str,
        message: str,
        text: str | None,
        custom: dict[str, str | None] | None,
    ) -> None:
        said = self.find(actor, room, message)
        if said.sender != actor or self.rooms[room].seats[actor].access == "Read":
            raise Refused("403 UNAUTHORIZED_TO_EDIT_MESSAGE")
        old, new = (said.text, said.custom), (text or said.text, merge(said.custom, custom))
        if new != old:
            (said.text, said.custom), said.edited_at = new, max(self.now, said.at)

    def delete_message(self, actor: str, room: str, message: str) -> None:
        said = self.find(actor, room, message)
        if said.sender != actor or self.rooms[room].seats[actor].access == "Read":
            raise Refused("403 UNAUTHORIZED_TO_DELETE_MESSAGE")
        self.rooms[room].said.remove(said)
        for other in self.rooms[room].said:
            if other.reply_to == message:
                other.reply_to = None
        for seat in self.rooms[room].seats.values():
            seat.unread.discard(message)

    def react(self, actor: str, room: str, message: str, emoji: str, user: str) -> None:
        if self.inside(actor, room).seats[actor].access == "Read" or user != actor:
            raise Refused("403 UNAUTHORIZED_TO_REACT")
        said = self.find(actor, room, message)
        if not said.reactions.setdefault(emoji, {}):
            said.began[emoji] = self.now
        latest = max(said.reactions[emoji].values(), default=-1)
        said.reactions[emoji].setdefault(user, max(self.now, latest + 1))

    def unreact(self, actor: str, room: str, message: str, emoji: str, user: str) -> None:
        if self.inside(actor, room).seats[actor].access == "Read" or user != actor:
            raise Refused("403 UNAUTHORIZED_TO_REACT")
        said = self.find(actor, room, message)
        if user not in said.reactions.get(emoji, {}):
            raise Refused("404 REACTION_NOT_FOUND")
        del said.reactions[emoji][user]

    def read(self, actor: str, room: str, until: int | None) -> None:
        there = self.inside(actor, room)
        seat = there.seats[actor]
        latest = max([self.now, *[said.at for said in there.said]])
        seat.read_until = max(seat.read_until, latest if until is None else min(until, latest))
        seat.unread -= {said.id for said in there.said if said.at <= seat.read_until}
        seat.is_marked = False

    def unread(self, actor: str, room: str, until: int | None) -> None:
        seat = self.inside(actor, room).seats[actor]
        if until is None or seat.read_until <= until:
            seat.is_marked = True
