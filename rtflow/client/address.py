"""Address: where the server is, and the URLs under which one app and user are found there.

Not here: tokens (credentials.py), sockets (connection.py).
"""

import ssl
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

__all__ = ["TALKJS", "Address", "Hosts", "tls"]

BUILD: Final = "rtflow"


class Hosts(Struct, frozen=True):
    """The three base URLs of a server (protocol.md 1), without a slash at the end."""

    realtime: str
    internal: str
    rest: str


TALKJS: Final = Hosts(
    realtime="wss://realtime.talkjs.com/v1",
    internal="https://app.talkjs.com/api/v0",
    rest="https://api.talkjs.com/v1",
)
"""The hosted TalkJS service."""


class Address(Struct, frozen=True):
    """One app on one server. Build it with `Address.of`."""

    hosts: Hosts
    app_id: str

    @classmethod
    def of(cls, server: str | Hosts, app_id: str) -> "Address":
        """Check and resolve what the user gave: a URL like `http://localhost:8080`, or `TALKJS`.

        Raises `TypeError` or `ValueError` that says what is wrong with it.
        """
        if not isinstance(app_id, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users
            raise TypeError(f"app_id is a str, not {type(app_id).__name__}")
        if not app_id:
            raise ValueError("app_id is empty")
        try:
            app_id.encode()
        except UnicodeEncodeError as exc:
            raise ValueError(f"app_id is not valid unicode: {app_id!r}") from exc
        return cls(server if isinstance(server, Hosts) else hosts_under(server), app_id)

    def websocket(self, user_id: str, client_id: str, now_ms: int) -> str:
        """Return the URL of the realtime connection of a user."""
        query = urlencode(
            {
                "talkjs-client-build": BUILD,
                "talkjs-client-id": client_id,
                "talkjs-time": now_ms,
            }
        )
        return f"{self.hosts.realtime}/{_quoted(self.app_id)}/realtime/{_quoted(user_id)}?{query}"

    def boken(self, user_id: str) -> str:
        """Return the URL that gives a development-mode token for a user."""
        app = _quoted(self.app_id)
        return f"{self.hosts.internal}/{app}/bokens/{_quoted(user_id)}?signature="

    def rest(self, *path: str) -> str:
        """Return the URL of a place under the app's REST base."""
        return "/".join((self.hosts.rest, *map(_quoted, (self.app_id, *path))))


def hosts_under(base: str) -> Hosts:
    """Return the base URLs of an rtflow server. Raises as `Address.of`."""
    if not isinstance(base, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users
        raise TypeError(
            "the server is a URL such as 'http://localhost:8080', or rtflow.TALKJS, "
            f"not {type(base).__name__}"
        )
    try:
        parts = urlsplit(base)
        _ = parts.port  # raises for one that is not a number
    except ValueError as exc:
        raise ValueError(f"the server's URL {base!r} cannot be read: {exc}") from exc
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"the server is a URL such as 'http://localhost:8080' or 'https://chat.example.com', "
            f"not {base!r}"
        )
    if parts.username is not None:  # not shown: it may hold a password
        raise ValueError("the server's URL holds a user name: pass a token= to the session instead")
    if parts.query or parts.fragment:
        raise ValueError(f"the server's URL has no query and no fragment, unlike {base!r}")
    if not base.isascii() or any(map(str.isspace, base)):
        raise ValueError(f"the server's URL is plain ASCII, unlike {base!r}")
    prefix = parts.path.rstrip("/")
    http = f"{parts.scheme}://{parts.netloc}{prefix}"
    ws = "ws" + http.removeprefix("http")
    return Hosts(f"{ws}/public_api/v1", f"{http}/api/v0", f"{http}/public_api/v1")


def _quoted(segment: str) -> str:
    if segment in (".", ".."):  # means "here" and "above" in a URL, unless quoted
        return "%2E" * len(segment)
    return quote(segment, safe="-_.!~*'()")


@lru_cache(maxsize=1)
def tls() -> ssl.SSLContext:
    """Return the context for all TLS connections; reading the certificates takes a while, once."""
    return ssl.create_default_context()
