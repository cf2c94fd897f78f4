"""What cannot be read is refused with a place and a reason, and costs nothing else."""

import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rtflow.errors import BadRequest, InvalidFrame, MethodNotAllowed, NotFound, RequestRefused
from rtflow.wire import client, codec, endpoints, server

DEEP = b"[" * 100_000


def ready_server() -> server.ServerProtocol:
    protocol = server.ServerProtocol()
    protocol.accept()
    return protocol


def refused(message: bytes | str) -> tuple[int, int, str, str]:
    """Return number, status, code and reason of the server's answer to a message."""
    protocol = ready_server()
    assert protocol.receive(message) is None
    (frame,) = protocol.data_to_send()
    seq, status, problem = json.loads(frame)
    return seq, status, problem["errorCode"], "; ".join(problem["reasons"])


@pytest.mark.parametrize(
    ("message", "seq", "status", "code", "hint"),
    [
        (b"", -1, 400, "INVALID_FRAME", "`$`"),
        (b"nonsense", -1, 400, "INVALID_FRAME", "malformed"),
        (b"{}", -1, 400, "INVALID_FRAME", "array"),
        (b"[]", -1, 400, "INVALID_FRAME", "2 elements"),
        (b'["x","GET","/ping"]', -1, 400, "INVALID_FRAME", "$[0]"),
        (b'[-1,"GET","/ping"]', -1, 400, "INVALID_FRAME", "$[0]"),
        (b'[9007199254740992,"GET","/ping"]', -1, 400, "INVALID_FRAME", "$[0]"),
        (b'[1.5,"GET","/ping"]', -1, 400, "INVALID_FRAME", "$[0]"),
        (b'[1,7,"/ping"]', 1, 400, "INVALID_FRAME", "$[1]"),
        (b'[1,"\xff","/ping"]', 1, 400, "INVALID_FRAME", "$[1]"),
        (b'[1,"GET"]', 1, 400, "INVALID_FRAME", "$[2]"),
        (b'[1,"GET",7]', 1, 400, "INVALID_FRAME", "$[2]"),
        (b'[1,"GET","/%b"]' % (b"x" * 9_000), 1, 400, "INVALID_FRAME", "8192"),
        (b"[1,%b" % DEEP, -1, 400, "INVALID_FRAME", "too deep"),
        (b'[1,"GET","ping"]', 1, 400, "INVALID_PATH", "starts with"),
        (b'[1,"GET","/users/%ff"]', 1, 400, "INVALID_PATH", "UTF-8"),
        (b'[1,"GET","/nowhere"]', 1, 404, "UNKNOWN_PATH", "/nowhere"),
        (b'[1,"GET","/me"]', 1, 404, "UNKNOWN_PATH", "/me"),
        (b'[1,"GET","/"]', 1, 404, "UNKNOWN_PATH", "/"),
        (b'[1,"BREW","/users"]', 1, 405, "METHOD_NOT_ALLOWED", "GET, SUBSCRIBE"),
        (b'[1,"PUT","/users/",{"name":"x"}]', 1, 400, "INVALID_ID", "1 to 255"),
        (b'[1,"PUT","/users/%b",{}]' % (b"x" * 256), 1, 400, "INVALID_ID", "256"),
        (b'[1,"GET","/users",{"ids":[7]}]', 1, 400, "INVALID_PARAMETERS", "$.ids[0]"),
        (b'[1,"GET","/users",{"ids":[""]}]', 1, 400, "INVALID_PARAMETERS", "$.ids[0]"),
        (b'[1,"GET","/users",{}]', 1, 400, "INVALID_PARAMETERS", "ids"),
        (b'[1,"GET","/users",[]]', 1, 400, "INVALID_PARAMETERS", "object"),
        (b'[1,"GET","/users",{"ids":["\xff"]}]', 1, 400, "INVALID_PARAMETERS", "utf-8"),
        (b'[1,"POST","/users/a",{"name":""}]', 1, 400, "INVALID_PARAMETERS", "$.name"),
        (
            b'[1,"POST","/users/a",{"name":"x","custom":{"a":1}}]',
            1,
            400,
            "INVALID_PARAMETERS",
            "$.c",
        ),
        (b'[1,"GET","/me/conversations",{"limit":0}]', 1, 400, "INVALID_PARAMETERS", "$.limit"),
        (
            b'[1,"GET","/me/conversations",{"filter":{"access":["oneOf","x"]}}]',
            1,
            400,
            "INVALID_PARAMETERS",
            "must be a tuple",
        ),
    ],
)
def test_the_server_says_what_is_wrong_and_where(
    message: bytes, seq: int, status: int, code: str, hint: str
) -> None:
    got_seq, got_status, got_code, reason = refused(message)
    assert (got_seq, got_status, got_code) == (seq, status, code)
    assert hint in reason


def test_a_message_over_the_limit_is_refused() -> None:
    *_, code, reason = refused(b"[1,%b]" % (b" " * codec.MAX_FRAME))
    assert code == "INVALID_FRAME"
    assert str(codec.MAX_FRAME) in reason


def test_deep_parameters_are_refused() -> None:
    deep = b'{"content":[%b%b]}' % (b"[" * 900, b"]" * 900)
    *_, code, _ = refused(b'[1,"POST","/conversations/c/messages",%b,{}]' % deep)
    assert code == "INVALID_PARAMETERS"


def test_unknown_parameters_are_ignored() -> None:
    call = ready_server().receive(b'[1,"GET","/users",{"ids":["a"],"fromTheFuture":1},{}]')
    assert call is not None
    assert call.params.ids == ("a",)


def test_missing_data_and_surplus_elements_are_ignored() -> None:
    assert ready_server().receive(b'[1,"GET","/ping"]') is not None
    assert ready_server().receive(b'[1,"GET","/ping",{},{},"more"]') is not None


def test_an_acknowledgement_needs_no_answer() -> None:
    protocol = ready_server()
    assert protocol.receive(b'[1,"ACK"]') is None
    assert protocol.data_to_send() == []


@pytest.mark.parametrize("sent", ["autolink", "autoLink"])
def test_text_nodes_in_lower_case_are_understood(sent: str) -> None:
    node = b'{"type":"%b","url":"http://x","text":"x"}' % sent.encode()
    block = b'{"type":"text","children":["see ",%b]}' % node
    call = ready_server().receive(
        b'[1,"POST","/conversations/c/messages",{"content":[%b]}]' % block
    )
    assert call is not None
    assert b'"autoLink"' in codec.encode(call.params.content)


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        (b"nonsense", "`$`"),
        (b"[1]", "2 elements"),
        (b'["1",200,{}]', "$[0]"),
        (b'[1,"OK",{}]', "$[1]"),
        (b'[1,"PUBLISH",{"type":"side.deleted"}]', "$[2]"),
        (b'[1,"PUBLISH",{"type":"tea.served"},{"type":"side.deleted","conversationId":7}]', "$[3]"),
        (b'[1,"PUBLISH",7]', "$[2]"),
        (b'[1,"PUBLISH",{"no":"type"}]', "$[2]"),
        (b"[1,200,%b" % DEEP, "too deep"),
    ],
)
def test_the_client_says_what_is_wrong_and_where(message: bytes, hint: str) -> None:
    with pytest.raises(InvalidFrame, match=None) as caught:
        client.ClientProtocol().receive(message)
    assert hint in str(caught.value)


def test_an_unknown_event_does_not_cost_the_frame() -> None:
    seen = client.ClientProtocol().receive(
        b'[1,"PUBLISH",{"type":"tea.served"},{"type":"side.deleted","conversationId":"c","new":1}]'
    )
    assert isinstance(seen, client.Published)
    assert len(seen.events) == 1


@pytest.mark.parametrize("rest", [b"3", b'"side.deleted"', b"null", b'{"type":"side.deleted"}'])
def test_what_is_no_event_costs_the_frame(rest: bytes) -> None:
    with pytest.raises(InvalidFrame) as caught:
        codec.decode_server_frame(
            b'[1,"PUBLISH",{"type":"side.deleted","conversationId":"c"},' + rest + b"]"
        )
    assert caught.value.where.startswith("$[3]")


@pytest.mark.parametrize("number", [-2, 2**53])
def test_the_number_of_a_publish_is_one_that_counts(number: int) -> None:
    with pytest.raises(InvalidFrame):
        codec.decode_server_frame(
            b'[%d,"PUBLISH",{"type":"side.deleted","conversationId":"c"}]' % number
        )


def test_a_publish_means_the_same_however_it_is_spaced() -> None:
    tight = b'[1,"PUBLISH",{"type":"side.deleted","conversationId":"c"}]'
    spaced = b'\n[ 1,\t"PUBLISH" , { "type" : "side.deleted" , "conversationId" : "c" } ]'
    escaped = tight.replace(b"PUBLISH", b"PUBLIS\\u0048")
    first, *others = [codec.decode_server_frame(it) for it in (tight, spaced, tight.decode())]
    assert others == [first, first]
    with pytest.raises(InvalidFrame):
        codec.decode_server_frame(escaped)  # no server writes it so


@given(st.binary() | st.text())
@example('[1,"GET","/ping",{}]')
def test_no_message_can_break_either_side(message: bytes | str) -> None:
    protocol = ready_server()
    call = protocol.receive(message)
    assert call is not None or len(protocol.data_to_send()) <= 1
    with suppress(InvalidFrame):
        client.ClientProtocol().receive(message)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(endpoints.ALL), json_values)
def test_parameters_of_any_shape_are_read_or_refused(
    endpoint: endpoints.AnyEndpoint, value: object
) -> None:
    raw = codec.encode_response(0, 200, value)[len(b"[0,200,") : -1]
    with suppress(BadRequest):
        endpoint.decode_params(msgspec.Raw(raw))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=3))
def test_every_id_survives_the_path(ids: list[str]) -> None:
    for endpoint in endpoints.ALL:
        wanted = tuple(ids[: endpoint.template.count(None)])
        if len(wanted) == endpoint.template.count(None) and all(len(i) < 256 for i in wanted):
            assert endpoints.route(endpoint.method, endpoint.path(*wanted)) == (endpoint, wanted)


@given(st.text(), st.text())
def test_every_path_is_routed_or_refused(method: str, path: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        endpoints.route(method, path)
    assert isinstance(caught.value, (NotFound, BadRequest, MethodNotAllowed))
