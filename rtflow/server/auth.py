"""A token to who you are. Nothing about what you may do.

With a secret, tokens are JWTs: HS256 and nothing else, `iss` the app, `sub` the user, `tokenType`
"user", optionally `exp` and `nbf`. Without one the server is in development mode: anybody on this
machine is whoever he says he is, so every token is good, the empty one too, and none expires.

Not here: what a connection does with the answer (gateway/session.py).
Invariant: no message, log line or exception holds a token.
"""

import time
from typing import Any, Final

import jwt
from jwt.types import Options
from msgspec import Struct

from rtflow.errors import Unauthorized

__all__ = ["DEVELOPMENT_TOKEN", "SHORTEST_SECRET", "Authenticator", "Identity", "mint_token"]

ALGORITHM: Final = "HS256"
OPTIONS: Final[Options] = {"verify_aud": False, "verify_iat": False, "verify_jti": False}
SHORTEST_SECRET: Final = 32  # bytes; a shorter one can be guessed (RFC 7518, 3.2)
FOREVER: Final = 10**11  # an expiry that a float holds, some thousand years away
DEVELOPMENT_TOKEN: Final = "development"


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

    def identify(self, token: str, user_id: str) -> Identity:
        """Say who holds this token, who must be `user_id`. Raises `Unauthorized`."""
        if self._key is None:
            return Identity(user_id)
        claims = _verified(token, self._key, self._leeway)
        if claims.get("iss") != self.app_id:
            raise Unauthorized("TOKEN_OF_ANOTHER_APP", f"the token's iss is not {self.app_id!r}")
        if claims.get("tokenType") != "user":
            raise Unauthorized("TOKEN_INVALID", "the token's tokenType is not 'user'")
        if claims.get("sub") != user_id:
            raise Unauthorized("TOKEN_OF_ANOTHER_USER", f"the token's sub is not {user_id!r}")
        if (expires := claims.get("exp")) is None:
            return Identity(user_id)
        return Identity(user_id, min(int(expires), FOREVER) + self._leeway - time.time())


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
