"""World: the domain on a database in memory, one request at a time, with a clock that is told."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, TypeVar

import pytest
from msgspec import UNSET, UnsetType

from rtflow.errors import RequestRefused
from rtflow.model.content import TextBlock
from rtflow.model.entities import Conversation, Message, Page, Participant, Reaction, User
from rtflow.model.events import Event, SideDiff
from rtflow.model.params import (
    ConversationPage,
    ConversationParams,
    CreateUser,
    EditMessage,
    Expand,
    ListPage,
    MarkParams,
    ParticipantAction,
    ParticipantActions,
    ParticipantParams,
    SendMessage,
    SetUser,
)
from rtflow.server.domain.conversations import create_conversation, set_conversation
from rtflow.server.domain.messages import message, messages
from rtflow.server.domain.participants import (
    delete_participant,
    participant,
    participant_actions,
    participants,
)
from rtflow.server.domain.reactions import add_reaction, reactions, remove_reaction
from rtflow.server.domain.reading import mark_read, mark_unread
from rtflow.server.domain.rules import Rules
from rtflow.server.domain.saying import delete_message, edit_message
from rtflow.server.domain.sending import send_message
from rtflow.server.domain.sides import conversation, conversations, sides
from rtflow.server.domain.tallies import Reacted, reacted
from rtflow.server.domain.users import create_user, set_user, users_by_ids
from rtflow.server.store.interface import Command, Entry, Query, Touched
from rtflow.server.store.sqlite.database import Database, drive, open_database
from rtflow.server.store.sqlite.group import AnyAnswer, Group, Tangled
from rtflow.server.store.sqlite.log import last_number

T = TypeVar("T")


def text(*words: str) -> tuple[TextBlock, ...]:
    """Return message content: one block per word."""
    return tuple(TextBlock((word,)) for word in words)


@contextmanager
def refused(code: str) -> Generator[None]:
    """Expect a refusal with this code, as `"404 CONVERSATION_NOT_FOUND"`."""
    with pytest.raises(RequestRefused) as caught:
        yield
    assert f"{caught.value.status} {caught.value.code}" == code
    assert caught.value.reasons, "a refusal says why"


class World:
    """Each method is one request, whose refusal is raised.

    Users are spoken of first, as the actor. `told` are the entries since `take` was called last.
    """

    def __init__(self, path: str = ":memory:") -> None:
        self.rules, self.now = Rules(), 1_000
        self.told: list[Entry] = []
        self.database: Database = open_database(path)
        self._ids = count(1)

    def do(self, command: Command[T]) -> T:
        """Run a command in a transaction of its own, the way the store does."""
        (answer,) = self.answers(command)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def answers(self, *commands: Command[T]) -> list[T | Exception]:
        """Run several in one transaction, and return refusals."""
        try:
            group = self._group(commands, is_careful=False)
        except Tangled:
            self.database.rollback()
            group = self._group(commands, is_careful=True)
        for change in group.changes:
            self.told += change.entries
        return [it if isinstance(it, Exception) else it.value for _, it in group.answers]

    def _group(self, commands: Sequence[Command[Any]], *, is_careful: bool) -> Group:
        writer = self.database.writer
        answers: list[AnyAnswer] = []
        writer.execute("BEGIN")
        group = Group(writer, last_number(writer), self.now, is_careful=is_careful)
        waiting = deque((command, answers.append) for command in commands)
        while waiting:
            group.run_next(waiting, len(waiting))
        group.finish()
        writer.execute("COMMIT")
        return group

    def ask(self, query: Query[T]) -> T:
        """Run a query."""
        return drive(query(), self.database.reader, lambda _: pytest.fail("a query wrote"))

    def take(self) -> list[Event | Touched]:
        """Return the events that were told since the last call."""
        told, self.told = self.told, []
        return [entry.event for entry in told]

    def cost(self, request: Callable[[], object]) -> int:
        """Return how many instructions of SQLite's a request takes."""
        counted = count()
        self.database.writer.set_progress_handler(lambda: next(counted) < 0, 1)
        try:
            request()
        finally:
            self.database.writer.set_progress_handler(None, 1)
        return next(counted)

    # Users. Fields are parameters by their Python names: Any, the Structs check them

    def create_user(self, actor: str, user: str, **fields: Any) -> None:
        params = CreateUser(name=fields.pop("name", user), **fields)
        self.do(lambda: create_user(actor, user, params, self.now, self.rules))

    def set_user(self, actor: str, user: str, **fields: Any) -> None:
        params = SetUser(**fields)
        self.do(lambda: set_user(actor, user, params, self.now, self.rules))

    def users(self, *ids: str) -> dict[str, User]:
        return self.ask(lambda: users_by_ids(ids))

    # Conversations

    def create(self, actor: str, conversation: str, **fields: Any) -> None:
        params = ConversationParams(**fields)
        self.do(lambda: create_conversation(actor, conversation, params, self.now, self.rules))

    def edit(self, actor: str, conversation: str, **fields: Any) -> None:
        params = ConversationParams(**fields)
        self.do(lambda: set_conversation(actor, conversation, params, self.now, self.rules))

    def see(self, actor: str, conversation_id: str, expand: Expand = ()) -> Conversation:
        return self.ask(lambda: conversation(actor, conversation_id, expand))

    def page(self, actor: str, **fields: Any) -> Page[Conversation]:
        return self.ask(lambda: conversations(actor, ConversationPage(**fields)))

    def sides(self, conversation_id: str, *candidates: str) -> dict[str, SideDiff]:
        return self.ask(lambda: sides(conversation_id, candidates))

    # Participants

    def act(self, actor: str, conversation: str, *steps: ParticipantAction) -> list[str]:
        """Return `"200"`, or status and code, for each step."""
        params = ParticipantActions(actions=steps)
        answers = self.do(
            lambda: participant_actions(actor, conversation, params, self.now, self.rules)
        )
        return [f"{it.status} {it.error_code or ''}".strip() for it in answers.responses]

    def remove(self, actor: str, conversation: str, user: str) -> None:
        self.do(lambda: delete_participant(actor, conversation, user, self.now, self.rules))

    def participants(self, actor: str, conversation: str, **fields: Any) -> Page[Participant]:
        return self.ask(lambda: participants(actor, conversation, ListPage(**fields)))

    def participant(self, actor: str, conversation: str, user: str) -> Participant:
        return self.ask(lambda: participant(actor, conversation, user))

    def start(self, conversation: str, *users: str) -> None:
        """Let the first user make a conversation with all of them, who are made if need be."""
        for user in users:
            if not self.users(user):
                self.create_user(user, user)
        self.create(users[0], conversation)
        steps = [ParticipantAction(id=user, method="POST") for user in users]
        assert self.act(users[0], conversation, *steps) == ["200"] * len(users)

    # Messages and marks

    def send(self, actor: str, conversation: str, *words: str, **fields: Any) -> str:
        """Return the id of the message: `m1` for the first one of this world."""
        message = f"m{next(self._ids)}"
        params = SendMessage(content=text(*words), **fields)
        sent = self.do(send_message(actor, conversation, message, params, self.now, self.rules))
        return sent.id

    def edit_message(
        self, actor: str, conversation: str, message: str, *words: str, **fields: Any
    ) -> None:
        params = EditMessage(content=text(*words) if words else UNSET, **fields)
        self.do(lambda: edit_message(actor, conversation, message, params, self.now, self.rules))

    def delete_message(self, actor: str, conversation: str, message: str) -> None:
        self.do(lambda: delete_message(actor, conversation, message, self.now, self.rules))

    def message(self, actor: str, conversation: str, message_id: str) -> Message:
        return self.ask(lambda: message(actor, conversation, message_id))

    def messages(self, actor: str, conversation: str, **fields: Any) -> Page[Message]:
        return self.ask(lambda: messages(actor, conversation, ListPage(**fields)))

    def read(self, actor: str, conversation: str, until: int | UnsetType = UNSET) -> None:
        params = MarkParams(until=until)
        self.do(lambda: mark_read(actor, conversation, params, self.now, self.rules))

    def unread(self, actor: str, conversation: str, until: int | UnsetType = UNSET) -> None:
        params = MarkParams(until=until)
        self.do(lambda: mark_unread(actor, conversation, params, self.now, self.rules))

    # Reactions, of the actor if nobody else is named

    def react(
        self, actor: str, conversation: str, message: str, emoji: str, user: str | None = None
    ) -> None:
        ids = conversation, message, emoji, user or actor
        self.do(lambda: add_reaction(actor, *ids, self.now, self.rules))

    def unreact(
        self, actor: str, conversation: str, message: str, emoji: str, user: str | None = None
    ) -> None:
        ids = conversation, message, emoji, user or actor
        self.do(lambda: remove_reaction(actor, *ids, self.now, self.rules))

    def reactions(
        self, actor: str, conversation: str, message: str, emoji: str, **fields: Any
    ) -> Page[Reaction]:
        params = ListPage(**fields)
        return self.ask(lambda: reactions(actor, conversation, message, emoji, params))

    def reacted(self, message: str, emoji: str, *readers: str) -> Reacted | None:
        return self.ask(lambda: reacted(message, [emoji], readers))


def step(method: Any, user: str, **fields: Any) -> ParticipantAction:
    """Make one step of a batch, as in `step("PUT", "bob", access="Read")`."""
    return ParticipantAction(id=user, method=method, params=ParticipantParams(**fields))
