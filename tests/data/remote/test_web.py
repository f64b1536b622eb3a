"""GET for addresses from outside: where it may lead, how far, how much."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from threading import Event, Thread
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.data.remote import web
from acclimate.data.remote.faults import UnreachableError, one_line, shown
from acclimate.data.remote.web import Answer, get, is_public

PUBLIC = "93.184.215.14"


def _get(url: str, *, allow_private: bool = True, max_bytes: int = 1000) -> Answer:
    return get(url, {}, allow_private=allow_private, max_bytes=max_bytes)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, website: Any) -> Callable[..., list[str]]:
    """Lets names stand for addresses, and the public one for the server of the test; returns who was connected to."""

    def stand_for(**names: list[str]) -> list[str]:
        connected: list[str] = []
        real_lookup, real_connection = socket.getaddrinfo, socket.create_connection

        def lookup(host: str, *args: Any, **options: Any) -> Any:
            addresses = names.get(host.partition(".")[0])
            if addresses is None:
                return real_lookup(host, *args, **options)
            return real_lookup(addresses.pop(0) if len(addresses) > 1 else addresses[0], *args, **options)

        def connection(address: tuple[str, int], **options: Any) -> socket.socket:
            connected.append(address[0])
            return real_connection(website.server_address if address[0] == PUBLIC else address, **options)

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        monkeypatch.setattr(socket, "create_connection", connection)
        return connected

    return stand_for


@pytest.mark.parametrize(
    ("address", "public"),
    [
        (PUBLIC, True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),  # noqa: S104
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("64:ff9b:1::a9fe:a9fe", False),
        ("::7f00:1", False),
        ("fec0::1", False),
        ("2002:7f00:1::", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
    ],
)
def test_addresses_that_are_not_the_public_internets_are_known_in_every_dress(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) == public


def test_a_private_address_is_asked_only_where_that_is_allowed(website: Any) -> None:
    website.pages["/feed"] = (200, {}, b"entries")
    with pytest.raises(UserError, match=r"leads to 127\.0\.0\.1, which is not a public address"):
        _get(f"{website.url}/feed", allow_private=False)
    assert website.asked == []
    assert _get(f"{website.url}/feed").body == b"entries"


@pytest.mark.parametrize("allow_private", [False, True])
def test_a_public_feed_cannot_redirect_into_the_network(
    website: Any, elsewhere: Callable[..., list[str]], allow_private: bool
) -> None:
    elsewhere(feed=[PUBLIC])
    website.pages["/feed"] = (302, {"Location": f"{website.url}/secret"}, b"")
    with pytest.raises(UserError, match="not a public address"):
        _get("http://feed.example/feed", allow_private=allow_private)
    assert [path for path, _ in website.asked] == ["/feed"]


def test_the_connection_goes_to_the_address_that_was_checked(elsewhere: Callable[..., list[str]], website: Any) -> None:
    """A name that stands for another address when it is resolved once more (DNS rebinding) gains nothing."""
    website.pages["/feed"] = (200, {}, b"entries")
    connected = elsewhere(feed=[PUBLIC, "127.0.0.1"])
    assert _get("http://feed.example/feed", allow_private=False).body == b"entries"
    assert connected == [PUBLIC]
    assert website.asked[0][1]["host"] == "feed.example"


def test_redirects_are_followed_relative_and_not_for_ever(website: Any) -> None:
    website.pages |= {"/a": (301, {"Location": "b?x=1"}, b""), "/b?x=1": (200, {}, b"here")}
    assert _get(f"{website.url}/a").body == b"here"
    website.pages["/loop"] = (307, {"Location": "/loop"}, b"")
    with pytest.raises(UserError, match="redirects more than 5 times"):
        _get(f"{website.url}/loop")


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://example.org/x", "gopher://127.0.0.1:6379/x"])
def test_only_http_and_https_are_followed(website: Any, location: str) -> None:
    website.pages["/a"] = (302, {"Location": location}, b"")
    with pytest.raises(UserError, match="only http and https are followed"):
        _get(f"{website.url}/a")


@pytest.mark.parametrize("location", ["http://[", "http://me:secret@[::1/x?key=secret"])
def test_a_redirect_to_what_is_no_address_is_told_without_its_secrets(website: Any, location: str) -> None:
    website.pages["/a"] = (302, {"Location": location}, b"")
    with pytest.raises(UserError, match=r"/a redirects to 'http://\[") as fault:
        _get(f"{website.url}/a")
    assert "secret" not in str(fault.value)


def test_too_much_content_is_refused_before_it_is_all_there(website: Any) -> None:
    website.pages["/feed"] = (200, {}, b"x" * 1001)
    with pytest.raises(UserError, match="is larger than"):
        _get(f"{website.url}/feed")


def test_packed_content_that_was_not_asked_for_is_refused(website: Any) -> None:
    website.pages["/feed"] = (200, {"Content-Encoding": "gzip"}, b"x")
    with pytest.raises(UserError, match=r"is packed \(gzip\)"):
        _get(f"{website.url}/feed")


@pytest.mark.parametrize(("status", "passing"), [(401, False), (403, False), (410, False), (429, True), (503, True)])
def test_a_status_that_may_pass_is_told_from_one_that_stays(website: Any, status: int, passing: bool) -> None:
    website.pages["/feed?key=secret"] = (status, {}, b"")
    with pytest.raises(UserError, match=f"answers with status {status}") as fault:
        _get(f"{website.url}/feed?key=secret")
    assert isinstance(fault.value, UnreachableError) == passing
    assert "secret" not in str(fault.value)


def test_a_body_cut_short_is_no_answer(website: Any) -> None:
    website.pages["/feed"] = (200, {"Content-Length": "100"}, b"half")
    with pytest.raises(UnreachableError, match=r"no whole answer \(IncompleteRead\)"):
        _get(f"{website.url}/feed")


def test_a_server_that_says_nothing_is_given_up(website: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "STEP_S", 0.2)
    website.pages["/feed"] = (200, {"Content-Length": "100"}, b"half")
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UnreachableError, match="TimeoutError"):
        _get(f"http://127.0.0.1:{silent.getsockname()[1]}/feed")


@contextmanager
def _dripping(beginning: bytes) -> Iterator[str]:
    """Where a server listens that says `beginning`, then a byte every 20 ms for as long as anybody listens."""
    over = Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(beginning)
            while not over.wait(0.02):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=drip, args=(server,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize(
    ("scheme", "beginning"),
    [
        ("https", b"\x16\x03\x03\x3f\xff"),  # a handshake of 16,383 bytes
        ("http", b"HTTP/1.1 "),
        ("http", b"HTTP/1.1 200 OK\r\nServer: "),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n"),  # such a body ends with the connection: it must not look whole
    ],
    ids=["handshake", "status", "header", "body", "body without a length"],
)
def test_one_byte_at_a_time_is_no_way_around_the_limit(
    scheme: str, beginning: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "WHOLE_S", 0.3)
    with _dripping(beginning) as server:
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="takes longer than"):
            _get(f"{scheme}://{server}/feed", max_bytes=100_000)
        assert time.monotonic() - began < 3  # it would go on for half an hour


def test_connecting_counts_for_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed: list[float] = []

    def nobody(_: object, timeout: float) -> socket.socket:
        allowed.append(timeout)
        time.sleep(0.1)
        raise TimeoutError

    monkeypatch.setattr(web, "WHOLE_S", 0.25)
    monkeypatch.setattr(socket, "create_connection", nobody)
    monkeypatch.setattr(web, "_checked_addresses", lambda *_, **__: [ip_address("127.0.0.1")] * 100)
    with pytest.raises(UnreachableError, match=r"no whole answer \(TimeoutError\)"):
        _get("http://feed.example/")
    assert 0 < len(allowed) <= 3
    assert max(allowed) <= 0.25


def test_nobody_there_and_no_such_name_may_be_gone_in_a_minute() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UnreachableError, match="ConnectionRefusedError"):
        _get(f"http://127.0.0.1:{port}/feed")
    with pytest.raises(UnreachableError, match="the host cannot be found"):
        _get("http://no-such-host.invalid/feed")


def test_what_is_shown_of_an_address_holds_no_secret() -> None:
    assert shown("https://me:pw@example.org:8443/f?token=t#x") == "https://example.org:8443/f"
    assert shown("https://me:pw@[::1/f?token=t#x") == "https://[::1/f"
    assert one_line(OSError("no http://me:pw@[ here")) == "no http://[ here"
    assert one_line(OSError("GET 'https://me:pw@example.org/f?sig=s' failed\nmore")) == (
        "GET 'https://example.org/f' failed"
    )
