"""Users: who takes part."""

from contextlib import suppress
from functools import cached_property
from typing import Unpack

from msgspec import structs

from rtflow.client.live import Live
from rtflow.client.mirror import Mirror
from rtflow.client.refs.ref import LiveRef, watching
from rtflow.client.state.views import OnlineView, UserView
from rtflow.errors import Conflict
from rtflow.model.arguments import checked
from rtflow.model.params import CreateUser, CreateUserFields, SetUser, SetUserFields
from rtflow.model.snapshots import UserOnlineSnapshot, UserSnapshot
from rtflow.wire.endpoints import CREATE_USER, SET_USER

__all__ = ["UserRef"]

DEFAULT_ROLE = "default"


class UserRef(LiveRef[UserSnapshot | None]):
    """A user, who may not exist: then the snapshot is None."""

    def __init__(self, mirror: Mirror, id: str) -> None:
        super().__init__(mirror, UserView.of(id), id)

    @property
    def id(self) -> str:
        """The user's id."""
        return self._names[0]

    @cached_property
    def online(self) -> Live[UserOnlineSnapshot | None]:
        """Whether the user has a connection at this moment; None while there is no such user."""
        return watching(self._mirror, OnlineView.of(self.id))

    async def create_if_not_exists(self, **fields: Unpack[CreateUserFields]) -> None:
        """Create the user, or leave it as it is if there is one with this id.

        `name` is required. Raises `TypeError` or `ValueError` for wrong fields, and a
        `RequestRefused` (`Forbidden` where users may not create users).
        """
        params = checked(CreateUser, "user.create_if_not_exists", **_listed(dict(fields)))
        if not isinstance(params.role, str):
            params = structs.replace(params, role=DEFAULT_ROLE)
        with suppress(Conflict):  # that is the "if"
            await self._mirror.ask(CREATE_USER, (self.id,), params)

    async def set(self, **fields: Unpack[SetUserFields]) -> None:
        """Change the user; with `name`, create it if it does not exist.

        A field that is left out stays as it is, None resets it; `custom` merges key by key, a value
        of None deletes the key. Raises as `create_if_not_exists`.
        """
        params = checked(SetUser, "user.set", **_listed(dict(fields)))
        if params.role is None:
            params = structs.replace(params, role=DEFAULT_ROLE)
        await self._mirror.ask(SET_USER, (self.id,), params)


def _listed(fields: dict[str, object]) -> dict[str, object]:
    """One address is a list of one."""
    for name in ("email", "phone"):
        if isinstance(fields.get(name), str):
            fields[name] = [fields[name]]
    return fields
