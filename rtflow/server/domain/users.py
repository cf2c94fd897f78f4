"""Users: who they are, for all to see, and what of them is private.

Email addresses, phone numbers and push tokens are kept and never sent to a client.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from rtflow.errors import BadRequest, Conflict, NotFound
from rtflow.model.entities import User
from rtflow.model.events import UserCreated, UserDiff, UserEdited
from rtflow.model.params import Contacts, CreateUser, SetUser
from rtflow.server.domain.many import rows_among
from rtflow.server.domain.merging import changed, map_diff, merge_map, put
from rtflow.server.domain.permissions import may_sync_users, require
from rtflow.server.domain.rules import Rules
from rtflow.server.store.interface import Entry, Outcome, Steps, one, run
from rtflow.wire.codec import decoder, encode
from rtflow.wire.endpoints import Done

__all__ = ["UserRow", "create_user", "must_exist", "set_user", "users_by_ids"]

DEFAULT_ROLE: Final = "default"
PUBLIC: Final = "id, name, role, custom, locale, photo_url, welcome_message"
BY_IDS: Final = f"SELECT {PUBLIC} FROM users WHERE id IN ({{ids}})"
FULL: Final = f"SELECT {PUBLIC}, email, phone, push_tokens FROM users WHERE id = ?1"

_texts = decoder(dict[str, str])
_list = decoder(tuple[str, ...])
_flags = decoder(dict[str, bool])


class UserRow(Struct, frozen=True):
    """The public columns, `PUBLIC`, in their order."""

    id: str
    name: str
    role: str
    custom: str
    locale: str | None
    photo_url: str | None
    welcome_message: str | None

    def user(self) -> User:
        """Return what it stands for."""
        return User(
            id=self.id,
            name=self.name,
            role=self.role,
            custom=_texts.decode(self.custom),
            locale=self.locale,
            photo_url=self.photo_url,
            welcome_message=self.welcome_message,
        )


class _FullRow(UserRow, frozen=True):
    email: str
    phone: str
    push_tokens: str


class _Stored(Struct, frozen=True):
    """A user with what is private."""

    public: User
    email: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    push_tokens: dict[str, bool] = {}


def users_by_ids(ids: Sequence[str]) -> Steps[dict[str, User]]:
    """Return those of the users that exist."""
    found = yield from rows_among(UserRow, BY_IDS, ids=ids)
    return {row.id: row.user() for row in found}


def must_exist(user_id: str) -> Steps[None]:
    """Refuse if there is no such user."""
    if (yield from one(_Id, "SELECT id FROM users WHERE id = ?1", user_id)) is None:
        raise NotFound("USER_NOT_FOUND", f"there is no user {user_id!r}: create it first")


def create_user(
    actor: str, user_id: str, params: CreateUser, now: int, rules: Rules
) -> Steps[Outcome[Done]]:
    """Create a user. Refuses when it exists."""
    require(may_sync_users(rules))
    if (yield from _find(user_id)) is not None:
        raise Conflict("USER_ALREADY_EXISTS", f"there is a user {user_id!r} already")
    return (yield from _create(user_id, params.name, params, now, rules))


def set_user(
    actor: str, user_id: str, params: SetUser, now: int, rules: Rules
) -> Steps[Outcome[Done]]:
    """Edit a user, or create it when there is a name to give it."""
    require(may_sync_users(rules))
    old = yield from _find(user_id)
    if old is None:
        if params.name is UNSET:
            raise BadRequest(
                "NAME_REQUIRED", f"there is no user {user_id!r}: give its `name` to create it"
            )
        return (yield from _create(user_id, params.name, params, now, rules))
    new = _merged(old, params, rules)
    if new == old:
        return Outcome(Done())
    yield from run(
        "UPDATE users SET name = ?2, role = ?3, custom = ?4, locale = ?5, photo_url = ?6,"
        " welcome_message = ?7, email = ?8, phone = ?9, push_tokens = ?10 WHERE id = ?1",
        *_columns(new),
    )
    diff = _diff(old.public, new.public)
    if diff == UserDiff():
        return Outcome(Done())
    return Outcome(Done(), (Entry(UserEdited(user_id=user_id, diff=diff)),))


class _Id(Struct, frozen=True):
    id: str


def _find(user_id: str) -> Steps[_Stored | None]:
    row = yield from one(_FullRow, FULL, user_id)
    if row is None:
        return None
    return _Stored(
        row.user(),
        _list.decode(row.email),
        _list.decode(row.phone),
        _flags.decode(row.push_tokens),
    )


def _create(
    user_id: str, name: str, params: CreateUser | SetUser, now: int, rules: Rules
) -> Steps[Outcome[Done]]:
    blank = _Stored(User(id=user_id, name=name, role=DEFAULT_ROLE))
    new = _merged(blank, params, rules)
    yield from run(
        "INSERT INTO users"
        f" ({PUBLIC}, email, phone, push_tokens, created_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        *_columns(new),
        now,
    )
    return Outcome(Done(), (Entry(UserCreated(user_id=user_id, state=new.public)),))


def _merged(old: _Stored, params: CreateUser | SetUser, rules: Rules) -> _Stored:
    user = old.public
    return _Stored(
        User(
            id=user.id,
            name=put(params.name, user.name, user.name),
            role=put(params.role, user.role, DEFAULT_ROLE),
            custom=merge_map(user.custom, params.custom, rules.max_custom_bytes),
            locale=put(params.locale, user.locale, None),
            photo_url=put(params.photo_url, user.photo_url, None),
            welcome_message=put(params.welcome_message, user.welcome_message, None),
        ),
        put(_several(params.email), old.email, ()),
        put(_several(params.phone), old.phone, ()),
        merge_map(old.push_tokens, _tokens(params), rules.max_custom_bytes),
    )


def _several(given: Contacts | UnsetType | None) -> tuple[str, ...] | UnsetType | None:
    return (given,) if isinstance(given, str) else given


def _tokens(params: CreateUser | SetUser) -> dict[str, bool | None] | UnsetType | None:
    given = params.push_tokens
    if given is None or given is UNSET:
        return given
    return {token: True if is_on else None for token, is_on in given.items()}


def _diff(old: User, new: User) -> UserDiff:
    """Return what changed for all to see."""
    return UserDiff(
        name=changed(old.name, new.name),
        role=changed(old.role, new.role),
        custom=map_diff(old.custom, new.custom),
        locale=changed(old.locale, new.locale),
        photo_url=changed(old.photo_url, new.photo_url),
        welcome_message=changed(old.welcome_message, new.welcome_message),
    )


def _columns(it: _Stored) -> tuple[object, ...]:
    user = it.public
    return (
        user.id,
        user.name,
        user.role,
        encode(user.custom).decode(),
        user.locale,
        user.photo_url,
        user.welcome_message,
        encode(it.email).decode(),
        encode(it.phone).decode(),
        encode(it.push_tokens).decode(),
    )
