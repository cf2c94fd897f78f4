"""Alice, behind a link with faults, and Bob, with one of his own; both are in "lunch"."""

import pytest_asyncio
from msgspec import Struct

import rtflow
from rtflow.testing import Link
from rtflow.testing.plugin import OpenSession

QUICK = rtflow.Backoff(first=0.01, most=0.05)


class Company(Struct, frozen=True):
    """Two sessions, and Alice's link to the server."""

    alice: rtflow.Session
    bob: rtflow.Session
    link: Link

    @property
    def lunch(self) -> rtflow.ConversationRef:
        return self.alice.conversation("lunch")

    @property
    def bobs_lunch(self) -> rtflow.ConversationRef:
        return self.bob.conversation("lunch")


@pytest_asyncio.fixture
async def company(open_session: OpenSession, link: Link) -> Company:
    alice = await open_session("alice", server=link.url, reconnect=QUICK)
    bob = await open_session("bob")
    await alice.current_user.create_if_not_exists(name="Alice")
    await bob.current_user.create_if_not_exists(name="Bob")
    await alice.conversation("lunch").create_if_not_exists(subject="Lunch")
    await alice.conversation("lunch").participant("bob").create_if_not_exists()
    return Company(alice, bob, link)
