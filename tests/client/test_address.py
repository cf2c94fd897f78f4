"""Where a server is found."""

from typing import Any

import pytest

from rtflow.client.address import TALKJS, Address


@pytest.mark.parametrize(
    ("server", "realtime", "internal"),
    [
        ("http://localhost:8080", "ws://localhost:8080/public_api/v1", "http://localhost:8080/api/v0"),
        ("https://chat.example.com/", "wss://chat.example.com/public_api/v1", "https://chat.example.com/api/v0"),
        ("http://[::1]:80/chat/", "ws://[::1]:80/chat/public_api/v1", "http://[::1]:80/chat/api/v0"),
        (TALKJS, "wss://realtime.talkjs.com/v1", "https://app.talkjs.com/api/v0"),
    ],
)  # fmt: skip
def test_a_server_is_found_by_its_base_url(server: str, realtime: str, internal: str) -> None:
    hosts = Address.of(server, "demo").hosts
    assert (hosts.realtime, hosts.internal) == (realtime, internal)


@pytest.mark.parametrize(
    ("server", "error"),
    [
        (8080, TypeError),
        ("localhost:8080", ValueError),
        ("ws://localhost", ValueError),
        ("http://", ValueError),
        ("http://localhost:port", ValueError),
        ("http://localhost?app=demo", ValueError),
        ("http://alice:geheim@localhost", ValueError),
        ("http://loc alhost", ValueError),
        ("http://[::1", ValueError),
    ],
)
def test_what_is_no_base_url_is_refused(server: str, error: type[Exception]) -> None:
    with pytest.raises(error) as refused:
        Address.of(server, "demo")
    assert "geheim" not in str(refused.value)


def test_ids_are_quoted_in_urls() -> None:
    address = Address.of("http://localhost", "demo")
    assert "/realtime/a%2Fb%20%C3%A9?" in address.websocket("a/b é", "1", 2)
    assert address.boken("a/b").endswith("/bokens/a%2Fb?signature=")


@pytest.mark.parametrize(
    ("segment", "quoted"), [(".", "%2E"), ("..", "%2E%2E"), ("...", "..."), ("a.b", "a.b")]
)
def test_what_means_a_place_in_a_url_is_quoted(segment: str, quoted: str) -> None:
    address = Address.of("http://localhost", segment)
    assert f"/v1/{quoted}/realtime/{quoted}?" in address.websocket(segment, "1", 2)
    assert address.rest("users", segment).endswith(f"/{quoted}/users/{quoted}")


@pytest.mark.parametrize(
    ("app_id", "error", "why"),
    [
        (7, TypeError, "app_id is a str, not int"),
        ("", ValueError, "app_id is empty"),
        ("\ud800", ValueError, "app_id is not valid unicode"),
    ],
)
def test_what_cannot_be_an_app_is_refused(app_id: Any, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        Address.of("http://localhost", app_id)
