"""A token to who you are. Nothing about what you may do.

With a secret, tokens are JWTs: HS256 and nothing else, `iss` the app, `sub` the user, `tokenType`
"user", optionally `exp` and `nbf`. Without one the server is in development mode: anybody on this
machine is whoever he says he is, so every token is good, the empty one too, and none expires. There
a plain HTTP request, which has nothing but its token to say whose it is, needs one that names
somebody: a boken, or any JWT.

Not here: what a connection does with the answer (gateway/session.py).
Invariant: no message, log line or exception holds a token.
"""

import time
from typing import Any, Final
from urllib.parse import quote, unquote

import jwt
from jwt.types import Options
from msgspec import Struct

from rtflow.errors import Unauthorized
from rtflow.model.ids import checked_id

__all__ = ["SHORTEST_SECRET", "Authenticator", "Identity", "mint_token"]

ALGORITHM: Final = "HS256"
OPTIONS: Final[Options] = {"verify_aud": False, "verify_iat": False, "verify_jti": False}
SHORTEST_SECRET: Final = 32  # bytes; a shorter one can be guessed (RFC 7518, 3.2)
FOREVER: Final = 10**11  # an expiry that a float holds, some thousand years away
DEVELOPMENT: Final = "development:"  # what a boken begins with; the user follows
UNCHECKED: Final[Options] = {"verify_signature": False}


class Identity(Struct, frozen=True):
    """Who somebody is, and for how many seconds from now that holds; None: without end."""

    user_id: str
    seconds: float | None = None


class Authenticator:
    """Knows the tokens of one app. `leeway`: seconds by which clocks may differ."""

    def __init__(self, app_id: str, secret: str | None, *, leeway: float = 5) -> None:
        self.app_id = app_id
        self._key = None if secret is None else _key(secret)
        self._leeway = leeway

    @property
    def is_development(self) -> bool:
        """Whether every token is good."""
        return self._key is None

    def boken(self, user_id: str) -> str:
        """Make the token that names somebody in development mode, where nobody has to prove it."""
        return DEVELOPMENT + quote(user_id, safe="")

    def identify(self, token: str, user_id: str) -> Identity:
        """Say who holds this token, who must be `user_id`. Raises `Unauthorized`."""
        if self._key is None:
            return Identity(user_id)
        identity = self.holder(token)
        if identity.user_id != user_id:
            raise Unauthorized("TOKEN_OF_ANOTHER_USER", f"the token's sub is not {user_id!r}")
        return identity

    def holder(self, token: str) -> Identity:
        """Say who holds this token, from the token alone. Raises `Unauthorized`."""
        if self._key is None:
            return Identity(_named_in(token))
        claims = _verified(token, self._key, self._leeway)
        if claims.get("iss") != self.app_id:
            raise Unauthorized("TOKEN_OF_ANOTHER_APP", f"the token's iss is not {self.app_id!r}")
        if claims.get("tokenType") != "user":
            raise Unauthorized("TOKEN_INVALID", "the token's tokenType is not 'user'")
        user_id = _subject(claims)
        if (expires := claims.get("exp")) is None:
            return Identity(user_id)
        return Identity(user_id, min(int(expires), FOREVER) + self._leeway - time.time())


def _named_in(token: str) -> str:
    """Return whom a token names, believing it."""
    if token.startswith(DEVELOPMENT):
        return _subject({"sub": unquote(token.removeprefix(DEVELOPMENT))})
    try:
        claims = jwt.decode(  # pyright: ignore[reportUnknownMemberType]  see _verified
            token, options=UNCHECKED
        )
    except Exception:  # as in _verified
        raise Unauthorized(
            "TOKEN_INVALID", "the token names nobody: ask for one at /api/v0/{app}/bokens/{user}"
        ) from None
    return _subject(claims)


def _subject(claims: dict[str, Any]) -> str:  # Any: claims are JSON
    try:
        return checked_id(claims.get("sub"), "the token's sub")
    except (TypeError, ValueError):
        raise Unauthorized("TOKEN_INVALID", "the token's sub is not the id of a user") from None


def _key(secret: str) -> bytes:
    """Return the secret as a key. HMAC fills up with zeros; done here, PyJWT warns of nothing
    short."""
    return secret.encode().ljust(SHORTEST_SECRET, b"\0")


def _verified(token: str, key: bytes, leeway: float) -> dict[str, Any]:  # Any: claims are JSON
    """Return the claims of a token whose signature and times are right."""
    try:
        # PyJWT's types name those of cryptography, which HMAC does without
        return jwt.decode(  # pyright: ignore[reportUnknownMemberType]
            token, key, algorithms=[ALGORITHM], leeway=leeway, options=OPTIONS
        )
    except jwt.ExpiredSignatureError:
        raise Unauthorized("TOKEN_EXPIRED", "the token has expired") from None
    except jwt.ImmatureSignatureError:
        raise Unauthorized("TOKEN_NOT_YET_VALID", "the token is not valid yet (nbf)") from None
    except jwt.InvalidAlgorithmError:
        raise Unauthorized("TOKEN_INVALID", f"the token's alg is not {ALGORITHM}") from None
    except jwt.InvalidSignatureError:
        raise Unauthorized("TOKEN_INVALID", "the token was signed with another secret") from None
    except Exception:  # PyJWT lets through what odd claims raise, such as an infinite exp
        raise Unauthorized("TOKEN_INVALID", "the token is not a JWT") from None


def mint_token(app_id: str, user_id: str, secret: str, *, expires: float | None = 3600) -> str:
    """Make a token for a user.

    `app_id` and `user_id` are who it is for, `secret` is the server's. It is valid for `expires`
    seconds; None: without end.
    """
    claims: dict[str, Any] = {"tokenType": "user", "iss": app_id, "sub": user_id}  # Any: JSON
    if expires is not None:
        claims["exp"] = int(time.time() + expires)
    return jwt.encode(  # pyright: ignore[reportUnknownMemberType]  as above
        claims, _key(secret), ALGORITHM
    )
