"""Errors say what, with which value, and the next step; and they survive pickling."""

import pickle

import pytest

from rtflow import errors

EXAMPLES = [
    errors.refusal(403, "NOT_A_PARTICIPANT", ("join first",), "POST /conversations/c/messages"),
    errors.refusal(404, "X", ()),
    errors.refusal(503, "X", ()),
    errors.refusal(418, "TEAPOT", ("short", "stout")),
    errors.RequestTimedOut("GET /users", 10.0),
    errors.RequestTimedOut("GET /users", 10.0, "connection refused"),
    errors.OutcomeUnknown("POST /files"),
    errors.SessionClosed(),
    errors.SessionExpired("every token was refused"),
    errors.ProtocolError("what?"),
    errors.InvalidFrame("expected int", "$[0]", 7),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=repr)
def test_an_error_survives_pickling(error: errors.RtflowError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_a_refusal_says_what_was_asked_and_why_it_was_refused() -> None:
    assert str(EXAMPLES[0]) == (
        "POST /conversations/c/messages was refused with 403 NOT_A_PARTICIPANT: join first"
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (405, errors.MethodNotAllowed),
        (409, errors.Conflict),
        (429, errors.TooManyRequests),
        (500, errors.ServerFailed),
        (503, errors.ServerFailed),
        (418, errors.RequestRefused),
    ],
)
def test_a_status_becomes_the_error_that_says_what_to_do(
    status: int, kind: type[errors.RequestRefused]
) -> None:
    assert type(errors.refusal(status, "X", ())) is kind
