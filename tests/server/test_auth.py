"""A token to who you are, or a refusal that says why and never repeats the token."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtflow.errors import Unauthorized
from rtflow.server.auth import Authenticator, mint_token

SECRET = "a secret of more than thirty-two bytes"
AUTHENTICATOR = Authenticator("demo", SECRET, leeway=5)


def signed(
    secret: str = SECRET, alg: Any = "HS256", head: dict[str, Any] | None = None, **claims: Any
) -> str:
    """Make a token by hand, so that it can be wrong in any way. Any: claims and heads are JSON."""
    import hashlib
    import hmac

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    all_claims = {"iss": "demo", "sub": "alice", "tokenType": "user", **claims}
    given = {key: value for key, value in all_claims.items() if value is not None}
    header = {"alg": alg, "typ": "JWT", **(head or {})}
    body = ".".join(part(json.dumps(it).encode()) for it in (header, given))
    if alg == "none":
        return f"{body}."
    digest = hashlib.sha512 if alg == "HS512" else hashlib.sha256
    return f"{body}.{part(hmac.digest(secret.encode(), body.encode(), digest))}"


def unsigned(token: str, head: str | None = None) -> str:
    """Take the signature away, and put another head in front."""
    first, claims, _ = token.split(".")
    if head is not None:
        first = base64.urlsafe_b64encode(head.encode()).rstrip(b"=").decode()
    return f"{first}.{claims}."


def test_a_good_token_says_who_and_for_how_long() -> None:
    identity = AUTHENTICATOR.identify(mint_token("demo", "alice", SECRET), "alice")
    assert identity.user_id == "alice"
    assert identity.seconds == pytest.approx(3605, abs=2)


def test_a_token_without_an_end_never_expires() -> None:
    token = mint_token("demo", "alice", SECRET, expires=None)
    assert AUTHENTICATOR.identify(token, "alice").seconds is None


def test_a_token_made_by_others_is_as_good() -> None:
    assert AUTHENTICATOR.identify(signed(), "alice").seconds is None
    odd = signed(exp=time.time() + 100.5, iat=time.time() + 1000, aud="somebody", jti=7)
    assert AUTHENTICATOR.identify(odd, "alice").seconds is not None
    assert AUTHENTICATOR.identify(signed(exp=10**400), "alice").seconds is not None


@pytest.mark.parametrize("secret", ["s", "short", "x" * 64, "y" * 65, "ü" * 40])
def test_a_secret_may_have_any_length(secret: str) -> None:
    token = signed(secret)
    assert Authenticator("demo", secret).identify(token, "alice").user_id == "alice"
    with pytest.raises(Unauthorized):
        Authenticator("demo", secret + "x").identify(token, "alice")


OWN_KEY: dict[str, str] = {"kty": "oct", "k": "bWluZW1pbmVtaW5lbWluZW1pbmVtaW5lbWluZW1pbmU"}
BAD: list[tuple[str, Callable[[], str], str]] = [
    ("expired", lambda: signed(exp=time.time() - 60), "TOKEN_EXPIRED"),
    ("not yet valid", lambda: signed(nbf=time.time() + 60), "TOKEN_NOT_YET_VALID"),
    ("another app", lambda: signed(iss="other"), "TOKEN_OF_ANOTHER_APP"),
    ("no app", lambda: signed(iss=None), "TOKEN_OF_ANOTHER_APP"),
    ("another user", lambda: signed(sub="bob"), "TOKEN_OF_ANOTHER_USER"),
    ("no user", lambda: signed(sub=None), "TOKEN_INVALID"),
    ("no id of a user", lambda: signed(sub=""), "TOKEN_INVALID"),
    ("a user that is no string", lambda: signed(sub=7), "TOKEN_INVALID"),
    ("another type", lambda: signed(tokenType="app"), "TOKEN_INVALID"),
    ("another key", lambda: signed("another"), "TOKEN_INVALID"),
    ("alg none", lambda: signed(alg="none"), "TOKEN_INVALID"),
    ("another alg", lambda: signed(alg="HS512"), "TOKEN_INVALID"),
    ("an alg in other letters", lambda: signed(alg="hs256"), "TOKEN_INVALID"),
    ("none in other letters", lambda: unsigned(signed(), '{"alg":"NoNe"}'), "TOKEN_INVALID"),
    ("no alg", lambda: unsigned(signed(), '{"typ":"JWT"}'), "TOKEN_INVALID"),
    ("two algs", lambda: unsigned(signed(), '{"alg":"HS256","alg":"none"}'), "TOKEN_INVALID"),
    ("no signature", lambda: unsigned(signed()), "TOKEN_INVALID"),
    ("a list of algs", lambda: signed(alg=["HS256", "none"]), "TOKEN_INVALID"),
    ("an alg with a public key", lambda: signed(alg="RS256"), "TOKEN_INVALID"),
    ("an alg with a curve", lambda: signed(alg="ES256"), "TOKEN_INVALID"),
    ("an alg with an edwards curve", lambda: signed(alg="EdDSA"), "TOKEN_INVALID"),
    ("its own key", lambda: signed("mine" * 8, head={"jwk": OWN_KEY}), "TOKEN_INVALID"),
    ("a key that it names", lambda: signed("\0" * 32, head={"kid": "/dev/null"}), "TOKEN_INVALID"),
    ("a key elsewhere", lambda: signed("mine" * 8, head={"jku": "http://x"}), "TOKEN_INVALID"),
    ("a demand", lambda: signed(head={"crit": ["x"], "x": 1}), "TOKEN_INVALID"),
    ("a detached payload", lambda: signed(head={"b64": False}), "TOKEN_INVALID"),
    ("five parts", lambda: signed() + ".x.y", "TOKEN_INVALID"),
    ("exp as text, long ago", lambda: signed(exp="7"), "TOKEN_EXPIRED"),
    ("an exp that is true", lambda: signed(exp=True), "TOKEN_EXPIRED"),
    ("an exp before all time", lambda: signed(exp=-(10**400)), "TOKEN_EXPIRED"),
    ("an exp that is a list", lambda: signed(exp=[10**11]), "TOKEN_INVALID"),
    ("an app that is a list", lambda: signed(iss=["demo"]), "TOKEN_OF_ANOTHER_APP"),
    ("a user that is a list", lambda: signed(sub=["alice"]), "TOKEN_INVALID"),
    ("a user with a lone surrogate", lambda: signed(sub="\ud800"), "TOKEN_INVALID"),
    ("the same user, denormal", lambda: signed(sub="alic\u0065\u200b"), "TOKEN_OF_ANOTHER_USER"),
    ("an odd exp", lambda: signed(exp="soon"), "TOKEN_INVALID"),
    ("an infinite exp", lambda: signed(exp=float("inf")), "TOKEN_INVALID"),
    ("an odd nbf", lambda: signed(nbf=[]), "TOKEN_INVALID"),
    ("nothing", lambda: "", "TOKEN_INVALID"),
    ("no JWT", lambda: "let me in", "TOKEN_INVALID"),
    ("half a JWT", lambda: signed().rpartition(".")[0], "TOKEN_INVALID"),
    ("not ASCII", lambda: "ü.é.\ud800", "TOKEN_INVALID"),
]


@pytest.mark.parametrize(("make", "code"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
def test_a_bad_token_is_refused_with_its_code(make: Callable[[], str], code: str) -> None:
    token = make()
    with pytest.raises(Unauthorized) as refused:
        AUTHENTICATOR.identify(token, "alice")
    assert refused.value.code == code
    assert refused.value.status == 401
    assert refused.value.reasons
    if token:
        assert token not in f"{refused.value!r} {refused.value}"
        assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_what_a_head_says_of_keys_means_nothing() -> None:
    """There is one key. Who has it may write there what he likes."""
    head: dict[str, Any] = {
        "kid": "../../etc/passwd' OR 1=1",
        "jku": "http://localhost:9",
        "x5u": "x",
        "jwk": {},
    }
    assert AUTHENTICATOR.identify(signed(head=head), "alice").user_id == "alice"


def test_a_secret_that_is_a_public_key_makes_no_other_alg_good() -> None:
    pem = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ\n-----END PUBLIC KEY-----\n"
    with pytest.raises(Unauthorized):
        Authenticator("demo", pem).identify(signed(pem, alg="RS256"), "alice")


@given(st.text() | st.tuples(st.text(), st.text(), st.text()).map(".".join))
def test_no_string_is_a_token_by_accident_or_an_error_of_ours(token: str) -> None:
    with pytest.raises(Unauthorized):
        AUTHENTICATOR.identify(token, "alice")


def test_the_leeway_forgives_a_clock_that_is_a_little_off() -> None:
    token = signed(exp=int(time.time()) - 2, nbf=int(time.time()) + 2)
    identity = AUTHENTICATOR.identify(token, "alice")
    assert identity.seconds is not None
    assert 0 < identity.seconds <= 5
    with pytest.raises(Unauthorized):
        Authenticator("demo", SECRET, leeway=0).identify(token, "alice")


def test_without_a_secret_everybody_is_whoever_he_says() -> None:
    development = Authenticator("demo", None)
    assert development.is_development
    assert development.identify("", "alice").seconds is None
    assert development.identify("anything", "bob").user_id == "bob"


@pytest.mark.parametrize("user", ["alice", "we/ird %41 ü", "development:", "x" * 255])
def test_a_token_alone_says_who(user: str) -> None:
    assert AUTHENTICATOR.holder(mint_token("demo", user, SECRET)).user_id == user
    development = Authenticator("demo", None)
    assert development.holder(development.boken(user)).user_id == user
    assert development.holder(signed("any secret", sub=user)).user_id == user


@pytest.mark.parametrize("token", ["", "development:", "alice", signed(sub=None), "a.b.c"])
def test_without_a_secret_a_token_alone_must_name_somebody(token: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        Authenticator("demo", None).holder(token)
    assert refused.value.code == "TOKEN_INVALID"


def test_a_boken_is_nothing_to_a_server_with_a_secret() -> None:
    with pytest.raises(Unauthorized):
        AUTHENTICATOR.holder(AUTHENTICATOR.boken("alice"))
