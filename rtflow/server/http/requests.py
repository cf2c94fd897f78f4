"""What of an HTTP request or a handshake matters, and refusals as HTTP responses.

Ids may hold anything, slashes too, so they are taken from `raw_path`: from what follows the place
where the app is mounted.
"""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from rtflow.errors import BadRequest, Forbidden, NotFound, RequestRefused, Unauthorized
from rtflow.model.ids import checked_id
from rtflow.server.auth import Authenticator
from rtflow.wire.codec import encode
from rtflow.wire.endpoints import Problem

__all__ = ["base_url", "caller", "ids_in", "is_local", "json", "refused", "require_app"]

RETRY_AFTER: Final = {429: 1, 503: 5}  # seconds
HOST = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")


def require_app(scope: Scope, app_id: str, authenticator: Authenticator) -> None:
    """Refuse a request for another app, and in development mode one from another machine."""
    if app_id != authenticator.app_id:
        raise NotFound("UNKNOWN_APP", f"there is no app {app_id[:100]!r} here")
    if authenticator.is_development and not is_local(scope):
        raise Forbidden(
            "DEVELOPMENT_MODE", "without a secret, this server serves its own machine only"
        )


def caller(request: Request, authenticator: Authenticator) -> str:
    """Return who asks, by the token of a request to an app. Raises for other apps and no token."""
    require_app(request.scope, request.path_params["app"], authenticator)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized("TOKEN_REQUIRED", "give a token: `Authorization: Bearer ...`")
    return authenticator.holder(token.strip()).user_id


def base_url(request: Request) -> str:
    """Return where the app is for this client: what it called the server, and where it is mounted.

    Raises `BadRequest` when the server was called something that is no name.
    """
    host = request.headers.get("host", "")
    if not HOST.fullmatch(host):
        raise BadRequest("INVALID_HOST", "the Host of the request is no name of a server")
    return f"{request.url.scheme}://{host}{request.scope.get('root_path', '').rstrip('/')}"


def ids_in(scope: Scope, *template: str | None) -> list[str]:
    """Return what stands at the places of None in a path. Raises `NotFound` for another path."""
    raw: bytes | None = scope.get("raw_path")
    path = quote(scope["path"]) if raw is None else raw.decode("latin-1")
    mounted_at: str = scope.get("root_path", "")
    segments = path.split("/")[1 + mounted_at.rstrip("/").count("/") :]
    if len(segments) != len(template) or any(
        part not in (None, segment) for part, segment in zip(template, segments, strict=True)
    ):
        raise NotFound("UNKNOWN_PATH", f"there is nothing at {scope['path'][:200]}")
    try:
        return [
            checked_id(unquote(segment, errors="strict"), "an id")
            for part, segment in zip(template, segments, strict=True)
            if part is None
        ]
    except ValueError as exc:
        raise BadRequest("INVALID_ID", str(exc)) from exc


def is_local(scope: Scope) -> bool:
    """Whether a request comes from this machine, as far as the host knows."""
    client = scope.get("client")
    try:
        return client is None or ip_address(client[0]).is_loopback
    except ValueError:
        return True  # not an address: in this process, or a socket in the file system


def json(value: object, status: int = 200) -> Response:
    """Build a response from a value of the model."""
    return Response(encode(value), status, media_type="application/json")


def refused(refusal: RequestRefused, retry_after: int | None = None) -> Response:
    """Build the response that tells of a refusal. `retry_after`: seconds; None: as is usual."""
    response = json(Problem(refusal.code, refusal.reasons), refusal.status)
    if refusal.status in RETRY_AFTER:
        seconds = RETRY_AFTER[refusal.status] if retry_after is None else retry_after
        response.headers["retry-after"] = str(seconds)
    elif refusal.status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response
