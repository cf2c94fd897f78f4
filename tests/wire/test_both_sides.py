"""The two sides of the wire, joined with no socket: what one says is what the other understands."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rtflow.errors import NotFound, RequestRefused, TooManyRequests, Unauthorized
from rtflow.model.events import Event, SessionExpiredEvent
from rtflow.model.params import CreateUser, Empty, GetConversation, Renew, UserIds
from rtflow.wire import client, codec, endpoints, server

from . import strategies as some


class BothSides(RuleBasedStateMachine):
    """A client and a server talk through two pipes that keep order and deliver when they like."""

    def __init__(self) -> None:
        super().__init__()
        self.client, self.server = client.ClientProtocol(), server.ServerProtocol()
        self.up: list[bytes] = []
        self.down: list[bytes] = []
        self.asked: dict[int, tuple[str, tuple[str, ...], Any]] = {}
        self.calls: list[server.Call] = []
        self.told: list[Event] = []
        self.heard: list[Event] = []
        self.answered: set[int] = set()
        self.forgotten: set[int] = set()

    @initialize()
    def the_client_authenticates(self) -> None:
        self.ask(endpoints.RENEW, (), Renew(token="t"))
        self.everything_arrives()
        (call,) = self.calls
        self.calls.clear()
        self.server.accept()
        self.server.answer(call.seq, endpoints.Renewed(None))
        self.everything_arrives()
        assert self.client.state is client.State.READY

    def ask(self, endpoint: endpoints.AnyEndpoint, ids: tuple[str, ...], what: Any) -> None:
        seq = self.client.call(endpoint, ids, what)
        assert seq not in self.asked
        self.asked[seq] = (endpoint.name, ids, what)

    @precondition(lambda self: self.client.state is client.State.READY)
    @rule(user=some.ids, what=some.create_users)
    def the_client_creates_a_user(self, user: str, what: CreateUser) -> None:
        self.ask(endpoints.CREATE_USER, (user,), what)

    @precondition(lambda self: self.client.state is client.State.READY)
    @rule(conversation=some.ids)
    def the_client_reads(self, conversation: str) -> None:
        expand = GetConversation(expand=("lastMessage",))
        self.ask(endpoints.GET_CONVERSATION, (conversation,), expand)

    @rule()
    def the_client_pings(self) -> None:
        self.ask(endpoints.PING, (), Empty())

    @rule(data=st.data())
    def the_client_gives_up(self, data: st.DataObject) -> None:
        open_calls = sorted(self.asked.keys() - self.answered)
        if open_calls:
            seq = data.draw(st.sampled_from(open_calls))
            self.client.forget(seq)
            self.forgotten.add(seq)

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def the_server_answers_one(self, data: st.DataObject) -> None:
        call = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1)))
        match call.endpoint:
            case endpoints.GET_CONVERSATION if data.draw(st.booleans()):
                self.server.answer(call.seq, data.draw(some.conversations))
            case endpoints.GET_CONVERSATION:
                self.server.refuse(call.seq, NotFound("CONVERSATION_NOT_FOUND"))
            case _:
                self.server.answer(call.seq, endpoints.Done())

    @rule(happened=st.lists(some.known_events, min_size=1, max_size=3))
    def the_server_publishes(self, happened: list[Event]) -> None:
        self.server.publish([codec.encode(event) for event in happened])
        self.told += happened

    @rule()
    def the_server_publishes_what_the_client_does_not_know(self) -> None:
        self.server.publish([b'{"type":"tea.served","cups":2}'])

    @rule()
    def everything_arrives(self) -> None:
        self.up += self.client.data_to_send()
        for message in self.up:
            call = self.server.receive(message)
            if call is not None:
                assert self.asked[call.seq] == (call.endpoint.name, call.ids, call.params)
                self.calls.append(call)
        self.up.clear()
        self.down += self.server.data_to_send()
        for message in self.down:
            match self.client.receive(message):
                case client.Answer() as answer:
                    assert answer.seq not in self.answered | self.forgotten
                    assert answer.endpoint.name == self.asked[answer.seq][0]
                    assert answer.error is None or isinstance(answer.error, NotFound)
                    self.answered.add(answer.seq)
                case client.Published(events):
                    self.heard += events
                case None:
                    pass
        self.down.clear()
        assert self.heard == self.told

    @invariant()
    def what_is_heard_was_told_in_that_order(self) -> None:
        assert self.heard == self.told[: len(self.heard)]


TestBothSides = BothSides.TestCase
TestBothSides.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def ready() -> tuple[client.ClientProtocol, server.ServerProtocol]:
    both = BothSides()
    both.the_client_authenticates()
    return both.client, both.server


def exchange(c: client.ClientProtocol, s: server.ServerProtocol) -> list[object]:
    """Carry what the client has to say to the server, and return what the client then learns."""
    for message in c.data_to_send():
        s.receive(message)
    return [c.receive(message) for message in s.data_to_send()]


def test_events_handed_in_before_an_answer_arrive_before_it() -> None:
    c, s = ready()
    seq = c.call(endpoints.PING, (), Empty())
    exchange(c, s)
    s.publish([b'{"type":"side.deleted","conversationId":"a"}'])
    s.publish([b'{"type":"side.deleted","conversationId":"b"}'])
    s.answer(seq, endpoints.Done())
    first, second = exchange(c, s)
    assert isinstance(first, client.Published)
    assert len(first.events) == 2
    assert isinstance(second, client.Answer)


def test_what_is_published_now_comes_after_all_that_waits() -> None:
    s = server.ServerProtocol()
    one, two, three = (b'{"n":%d}' % n for n in (1, 2, 3))
    assert s.publish_now([one]) == [codec.encode_publish(1, [one])]
    s.answer(7, endpoints.Done())
    s.publish([two])
    assert s.publish_now([three]) == [
        codec.encode_response(7, 200, endpoints.Done()),
        codec.encode_publish(2, [two, three]),
    ]
    assert s.data_to_send() == []


def test_before_authentication_only_the_session_can_be_asked_about() -> None:
    c, s = client.ClientProtocol(), server.ServerProtocol()
    with pytest.raises(RuntimeError, match="not authenticated"):
        c.call(endpoints.GET_USERS, (), UserIds(ids=("a",)))
    c.call(endpoints.PING, (), Empty())
    (message,) = c.data_to_send()
    call = s.receive(message)
    assert call is not None
    assert call.endpoint is endpoints.PING
    assert s.receive(b'[7,"GET","/users",{"ids":["a"]},{}]') is None
    (refused,) = s.data_to_send()
    assert msgspec.json.decode(refused)[:2] == [7, 401]
    assert b"NOT_AUTHENTICATED" in refused


def test_a_refused_token_leads_back_to_not_authenticated() -> None:
    c, s = client.ClientProtocol(), server.ServerProtocol()
    seq = c.call(endpoints.RENEW, (), Renew(token="bad"))
    assert c.state.value == "authenticating"
    for message in c.data_to_send():
        s.receive(message)
    s.refuse(seq, Unauthorized("TOKEN_INVALID", "signed by another key"))
    (answer,) = exchange(c, s)
    assert isinstance(answer, client.Answer)
    assert isinstance(answer.error, Unauthorized)
    assert "another key" in str(answer.error)
    assert c.state is client.State.OPEN


def test_an_expired_session_has_to_authenticate_again() -> None:
    c, s = ready()
    s.publish([codec.encode(SessionExpiredEvent())])
    s.expire()
    exchange(c, s)
    assert c.state is client.State.OPEN
    with pytest.raises(RuntimeError):
        c.call(endpoints.GET_USERS, (), UserIds(ids=("a",)))


def test_a_fresh_token_on_a_live_connection_interrupts_nothing() -> None:
    c, s = ready()
    seq = c.call(endpoints.RENEW, (), Renew(token="fresh"))
    assert c.state is client.State.READY
    c.call(endpoints.GET_USERS, (), UserIds(ids=("a",)))
    exchange(c, s)
    s.answer(seq, endpoints.Renewed(3600))
    exchange(c, s)
    assert c.state is client.State.READY


def test_publishes_are_acknowledged_unless_the_server_says_otherwise() -> None:
    c, s = ready()
    s.publish([b'{"type":"side.deleted","conversationId":"a"}'])
    exchange(c, s)
    assert c.data_to_send() == [b'[1,"ACK"]']
    seq = c.call(endpoints.RENEW, (), Renew(token="t"))
    exchange(c, s)
    s.answer(seq, endpoints.Renewed(None, acks=False))
    exchange(c, s)
    s.publish([b'{"type":"side.deleted","conversationId":"b"}'])
    exchange(c, s)
    assert c.data_to_send() == []


def test_a_publish_that_was_seen_already_is_ignored() -> None:
    c, _ = ready()
    event = b'{"type":"side.deleted","conversationId":"a"}'
    assert c.receive(b'[5,"PUBLISH",%b]' % event) is not None
    assert c.receive(b'[5,"PUBLISH",%b]' % event) is None
    assert c.receive(b'[4,"PUBLISH",%b]' % event) is None
    assert c.receive(b'[6,"PUBLISH",%b]' % event) is not None


def test_the_answer_to_nobody_is_ignored() -> None:
    c, _ = ready()
    assert c.receive(b"[99,200,{}]") is None


def test_an_answer_of_the_wrong_type_fails_that_call_alone() -> None:
    c, _ = ready()
    seq = c.call(endpoints.GET_USERS, (), UserIds(ids=("a",)))
    answer = c.receive(b'[%d,200,{"a":{"id":3}}]' % seq)
    assert isinstance(answer, client.Answer)
    assert "GET /users" in str(answer.error)
    assert "$[...].id" in str(answer.error)
    assert c.state is client.State.READY


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        (b'{"errorCode":"X","reasons":["a","b"]}', ("a", "b")),
        (b'{"errorCode":"X","reasons":{"a":1}}', ("{'a': 1}",)),
        (b"{}", ()),
    ],
)
def test_refusals_are_understood_whatever_their_reasons_look_like(
    data: bytes, reasons: tuple[str, ...]
) -> None:
    c, _ = ready()
    seq = c.call(endpoints.PING, (), Empty())
    answer = c.receive(b"[%d,418,%b]" % (seq, data))
    assert isinstance(answer, client.Answer)
    assert isinstance(answer.error, RequestRefused)
    assert (answer.error.status, answer.error.reasons) == (418, reasons)


def test_a_full_publish_is_followed_by_a_second_one() -> None:
    c, s = ready()
    event = b'{"type":"tea.served","note":"%b"}' % (b"x" * 100_000)
    for _ in range(5):
        s.publish([event])
    frames = s.data_to_send()
    assert len(frames) == 3
    assert all(len(frame) < codec.MAX_FRAME for frame in frames)
    assert [c.receive(frame) is not None for frame in frames] == [True] * 3


@given(st.lists(some.known_events, min_size=1, max_size=4))
def test_events_survive_the_wire(happened: list[Event]) -> None:
    frame = codec.encode_publish(1, [codec.encode(event) for event in happened])
    understood = client.ClientProtocol().receive(frame)
    assert understood == client.Published(tuple(happened))


def refusals(s: server.ServerProtocol, messages: list[bytes]) -> list[int]:
    """Hand messages to the server; return which it has refused by itself."""
    return [seq for seq, message in enumerate(messages) if s.receive(message) is None]


def test_what_was_asked_in_ignorance_of_a_refusal_does_not_overtake_it() -> None:
    c, s = ready()
    busy = TooManyRequests("TOO_BUSY")
    first, *_ = [c.call(endpoints.GET_USERS, (), UserIds(ids=(id,))) for id in "abc"]
    one, *others = c.data_to_send()
    assert s.receive(one) is not None
    s.refuse(first, busy)
    assert refusals(s, others) == [0, 1]
    c.call(endpoints.PING, (), Empty())
    assert refusals(s, c.data_to_send()) == [], "about the session is something else"
    c.forget(first)  # also when nobody waits for it any more
    heard = exchange(c, s)
    assert [it.error is not None for it in heard if isinstance(it, client.Answer)] == [True] * 2
    again = c.call(endpoints.GET_USERS, (), UserIds(ids=("a",)))
    c.call(endpoints.GET_USERS, (), UserIds(ids=("b",)))
    both = c.data_to_send()
    assert refusals(s, both) == []
    s.refuse(again, busy)
    c.call(endpoints.GET_USERS, (), UserIds(ids=("c",)))
    assert refusals(s, c.data_to_send()) == [0], "it knows an older one only"


@pytest.mark.parametrize("headers", ["", ",{}", ',{"rtflow-refused":7}', ',{"rtflow-refused":"x"}'])
def test_a_client_that_says_nothing_of_refusals_is_taken_as_it_comes(headers: str) -> None:
    s = server.ServerProtocol()
    s.accept()
    s.refuse(7, TooManyRequests("TOO_BUSY"))
    message = f'[8,"GET","/users",{{"ids":["a"]}}{headers}]'
    assert s.receive(message) is not None
