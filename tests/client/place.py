"""Both halves of a server, of which each does what a test tells it, and sessions there."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import rtflow
from rtflow.client.address import Hosts
from rtflow.client.credentials import Token
from rtflow.errors import NotFound
from rtflow.model.entities import Conversation, User
from rtflow.wire.endpoints import GET_CONVERSATION, GET_MESSAGE, GET_USERS
from rtflow.wire.server import Call
from tests.client.http_peer import Answer, HttpPeer
from tests.client.scripted import ScriptedServer
from tests.client.world import a_conversation, a_message, a_user


def empty(id: str, at: int) -> Conversation:
    return a_conversation(id, at, last_message=None)


def users(call: Call) -> dict[str, User]:
    ids: tuple[str, ...] = call.params.ids
    return {id: a_user(id, "Bob") for id in ids}


class Place:
    """A server of both kinds, in which every message and conversation is there, but the gone."""

    def __init__(self, scripted: ScriptedServer, http: HttpPeer) -> None:
        self.scripted, self.http = scripted, http
        self.gone = set[str]()
        scripted.answers[GET_CONVERSATION] = partial(self._there, empty)
        scripted.answers[GET_MESSAGE] = partial(self._there, a_message)
        scripted.answers[GET_USERS] = users

    def _there(self, made: Any, call: Call) -> Any:  # a function of id and time, and its result
        id = call.ids[-1]
        return NotFound("NOT_FOUND") if id in self.gone else made(id, 1)

    @property
    def targets(self) -> list[str]:
        return self.http.targets

    def answers(self, *script: Answer) -> None:
        self.http.script.extend(script)

    @asynccontextmanager
    async def session(
        self, token: Token = "a token", request_timeout: float = 5.0
    ) -> AsyncGenerator[rtflow.Session]:
        hosts = Hosts(f"ws://127.0.0.1:{self.scripted.port}", self.http.url, self.http.url)
        async with rtflow.Session(
            hosts, app_id="demo", user_id="me", token=token, request_timeout=request_timeout
        ) as session:
            yield session
