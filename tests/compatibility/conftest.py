"""Alice and Bob, in "lunch", which Alice has made."""

from dataclasses import dataclass

import pytest_asyncio

import rtflow
from rtflow.testing.plugin import OpenSession


@dataclass(frozen=True)
class Lunch:
    """Two sessions, and the conversation as each of them sees it."""

    alice: rtflow.Session
    bob: rtflow.Session

    @property
    def hers(self) -> rtflow.ConversationRef:
        return self.alice.conversation("lunch")

    @property
    def his(self) -> rtflow.ConversationRef:
        return self.bob.conversation("lunch")

    async def says(self, text: str, *, session: rtflow.Session | None = None) -> str:
        """Let Alice say something, or somebody else; return the id of the message."""
        sent = await (session or self.alice).conversation("lunch").send(text)
        return sent.id


@pytest_asyncio.fixture
async def lunch(open_session: OpenSession) -> Lunch:
    company = Lunch(await open_session("alice"), await open_session("bob"))
    await company.alice.current_user.create_if_not_exists(name="Alice")
    await company.bob.current_user.create_if_not_exists(name="Bob")
    await company.hers.create_if_not_exists(subject="Lunch")
    await company.hers.participant("bob").create_if_not_exists()
    return company
