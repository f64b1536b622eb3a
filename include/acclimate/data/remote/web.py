"""GET over HTTP for an address that came from outside: limited in time, size and redirects, and in where it leads.

A feed's host may redirect to whatever it likes: to a cloud's metadata service, to a router, to a database without a
password. So every hop's name is resolved here, each address is checked, and the connection goes to the very address
that was checked: resolving the name once more would let it change in between (DNS rebinding). Proxies named in the
environment are not used, because then the proxy would resolve the name.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from acclimate.core.errors import UserError
from acclimate.data.remote.faults import UnreachableError, shown

STEP_S = 20.0
"""For connecting, and for each piece of an answer."""
WHOLE_S = 120.0
"""Until the body must be there, redirects included, so that one byte at a time is no way around STEP_S.

Only a name that is being resolved cannot be hurried: for that the resolver's own limits hold.
"""
REDIRECTS = 5
BLOCK = 1 << 16

_REDIRECTING = {301, 302, 303, 307, 308}
_FOR_NOW = {408, 425, 429}
_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST = IPv6Network("2000::/3")
"""All that is given out of the public internet (IANA, IPv6 address space); is_global has deprecated ranges too."""
Address = IPv4Address | IPv6Address

_WHY = "its documents would be missing from the corpus, or be those of the last fetch"


@dataclass(frozen=True)
class Answer:
    """What the last hop said; `body` is empty unless the status is 200."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    url: str


def get(url: str, headers: Mapping[str, str], *, allow_private: bool, max_bytes: int) -> Answer:
    """The answer to GET `url`, redirects followed: 200 or 304.

    Args:
        url: http or https.
        headers: sent on every hop; no secrets therefore.
        allow_private: whether `url` itself may lie in a private network or on this machine. Redirects may lead to
            such a place only if `url` lies in one.
        max_bytes: of the body.

    Raises:
        UserError: for any other status that will stay, an address that may not be asked, too much content.
        UnreachableError: if nobody answers, not in time, or that they are busy.
    """
    until = time.monotonic() + WHOLE_S
    hop, private = url, allow_private
    for _ in range(REDIRECTS + 1):
        addresses = _checked_addresses(hop, allow_private=private)
        private = not all(is_public(address) for address in addresses)
        answer = _asked(hop, addresses, headers, max_bytes, until)
        if answer.status not in _REDIRECTING:
            _require_success(answer)
            return answer
        hop = _redirected(hop, answer.headers.get("location", ""))
    raise UserError(
        f"{shown(url)} redirects more than {REDIRECTS} times, last to {shown(hop)}",
        why=_WHY,
        fix="open it in a browser and use the address where it ends",
    )


def is_public(address: Address) -> bool:
    """Whether `address`, and the IPv4 address that may be packed into it, belongs to the public internet."""
    if isinstance(address, IPv6Address):
        packed = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            packed = IPv4Address(int(address) & 0xFFFFFFFF)
        if packed is not None:
            return is_public(packed)
        if address.teredo is not None or address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast


def _redirected(hop: str, location: str) -> str:
    """Where `location`, relative to `hop`, leads."""
    try:
        following = urljoin(hop, location)
        followed = urlsplit(following).scheme in {"http", "https"}
    except ValueError:
        following, followed = location, False
    if not followed:
        raise UserError(
            f"{shown(hop)} redirects to {shown(following)!r}",
            why="only http and https are followed",
            fix="mend the `url`",
        )
    return following


def _checked_addresses(url: str, *, allow_private: bool) -> list[Address]:
    parts = _parts(url)
    try:
        found = socket.getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise UnreachableError(
            f"{shown(url)}: the host cannot be found ({fault})", why=_WHY, fix="see that its name is right, try again"
        ) from None
    addresses = [ip_address(entry[4][0]) for entry in found]
    # All of them: a name with a public and a private address is not to be trusted with either.
    private = [address for address in addresses if not is_public(address)]
    if private and not allow_private:
        raise UserError(
            f"{shown(url)} leads to {private[0]}, which is not a public address",
            why="what a public feed points to inside your network is not its to read",
            fix="if it is your own feed, name it directly in `url` and set `allow_private: true`",
        )
    return addresses


def _asked(url: str, addresses: list[Address], headers: Mapping[str, str], max_bytes: int, until: float) -> Answer:
    """One hop: asked at one of `addresses`, whatever the host's name stands for by now."""
    parts = _parts(url)
    host, port = parts.hostname or "", _port(parts)
    connection = http.client.HTTPConnection(host, port)
    try:
        stream = connection.sock = _connected(addresses, port, until)
        with _hung_up_at(until, stream, url):
            if parts.scheme == "https":
                connection.sock = ssl.create_default_context().wrap_socket(stream, server_hostname=host)
            connection.request("GET", _target(parts), headers={"Accept-Encoding": "identity", **headers})
            response = connection.getresponse()
            body = _read(response, url, max_bytes) if response.status == 200 else b""
            found = {name.lower(): value for name, value in response.getheaders()}
    except ssl.SSLCertVerificationError as fault:
        raise UserError(
            f"{shown(url)}: {fault.verify_message}", why="somebody else may be answering", fix="mend the certificate"
        ) from None
    except (OSError, http.client.HTTPException) as fault:
        raise UnreachableError(
            f"{shown(url)}: no whole answer ({type(fault).__name__})", why=_WHY, fix="see that it is up, then try again"
        ) from None
    finally:
        connection.close()
    return Answer(response.status, found, body, url)


def _connected(addresses: list[Address], port: int, until: float) -> socket.socket:
    """A connection to the first address that takes one: a host may have an IPv6 address that leads nowhere."""
    fault: OSError = TimeoutError()
    for address in addresses:
        if (left := until - time.monotonic()) <= 0:
            break
        try:
            stream = socket.create_connection((str(address), port), timeout=min(STEP_S, left))
        except OSError as failed:
            fault = failed
        else:
            stream.settimeout(STEP_S)
            return stream
    raise fault


@contextmanager
def _hung_up_at(until: float, stream: socket.socket, url: str) -> Iterator[None]:
    """End the connection at `until`, whatever waits for it: a socket's timeout begins anew with each byte.

    Raises:
        UnreachableError: if it was ended. What was read by then may look whole: a body without a length ends so.
    """
    line = stream.dup()  # wrapping it in TLS takes the descriptor away from `stream`
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        with suppress(OSError):  # the other side may have been faster
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(until - time.monotonic(), hang_up)
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if not late.is_set():
            raise
    finally:
        timer.cancel()
        timer.join()
        line.close()
    if late.is_set():
        raise UnreachableError(f"{shown(url)} takes longer than {WHOLE_S:.0f} s", why=_WHY, fix="try again later")


def _read(response: http.client.HTTPResponse, url: str, max_bytes: int) -> bytes:
    if (packed := response.getheader("Content-Encoding", "identity")) != "identity":
        raise UserError(
            f"{shown(url)} is packed ({packed}) although that was not asked for",
            why="unpacking what nobody asked for is how bombs get in",
            fix="ask whoever runs it to heed Accept-Encoding",
        )
    body = bytearray()
    while block := response.read1(BLOCK):
        body += block
        if len(body) > max_bytes:
            raise UserError(
                f"{shown(url)} is larger than {max_bytes // 1_000_000} MB",
                why="a feed is a list of the latest entries; this is something else, or has no end",
                fix="raise the source's `max_mb` in params.yaml if it is right",
            )
    if response.length:  # read1() says nothing when the other side hangs up early
        raise http.client.IncompleteRead(bytes(body), response.length)
    return bytes(body)


def _require_success(answer: Answer) -> None:
    if answer.status in {200, 304}:
        return
    what = f"{shown(answer.url)} answers with status {answer.status}"
    if answer.status in _FOR_NOW or answer.status >= 500:
        raise UnreachableError(what, why=_WHY, fix="try again later")
    raise UserError(what, why=_WHY, fix="open it in a browser; mend the `url`, or take the source out of params.yaml")


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise UserError(f"{shown(url)!r} is no address", why=_WHY, fix="mend the `url`, or where it redirects to") from None


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _target(parts: SplitResult) -> str:
    """Path and query as they go over the wire; what is escaped stays as it is."""
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return f"{path}?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else path
