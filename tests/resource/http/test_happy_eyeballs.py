# SPDX-License-Identifier: Apache-2.0
"""Name lookup and parallel connection attempts."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from ignition.resource.http.happy_eyeballs import ConnectFailed, Endpoint, NoSuchHost, Race, dial, endpoints


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def silent() -> Iterator[Endpoint]:
    """An address that never answers: the listen backlog is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield Endpoint(socket.AF_INET, listening.getsockname())
        for filler in fillers:
            filler.close()


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def refusing() -> Endpoint:
    """Return an address that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as short_lived:
        return Endpoint(socket.AF_INET, short_lived.getsockname())


def seconds_from_now(seconds: float = 30) -> float:
    return time.monotonic() + seconds


def resolve_to(monkeypatch: pytest.MonkeyPatch, *found: Endpoint) -> None:
    answers = [(each.family, socket.SOCK_STREAM, 6, "", each.address) for each in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)


def test_dial_sets_timeout_and_keepalive(listener: socket.socket) -> None:
    with dial("127.0.0.1", port_of(listener), 7) as connection:
        assert connection.getpeername() == listener.getsockname()
        assert connection.gettimeout() == 7
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_dial_resolves_name(listener: socket.socket) -> None:
    with dial("localhost", port_of(listener), 5) as connection:
        assert connection.getpeername() == listener.getsockname()


def test_endpoints_alternate_address_families(monkeypatch: pytest.MonkeyPatch) -> None:
    ipv6 = [Endpoint(socket.AF_INET6, (f"2001:db8::{n}", 80, 0, 0)) for n in (1, 2)]
    ipv4 = [Endpoint(socket.AF_INET, (f"192.0.2.{n}", 80)) for n in (1, 2, 3)]
    resolve_to(monkeypatch, *ipv6, *ipv4)
    assert list(map(str, endpoints("example.com", 80, 5))) == [
        "2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3",
    ]  # fmt: skip


def test_unknown_name_raises_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NoSuchHost) as caught:
        dial("nowhere.example", 80, 5)
    assert caught.value.errno == socket.EAI_NONAME


def test_hanging_resolver_is_abandoned_after_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(10) and [])
    started = time.monotonic()
    with pytest.raises(NoSuchHost) as caught:
        endpoints("slow.example", 80, 0.05)
    released.set()
    assert time.monotonic() - started < 10
    assert caught.value.errno == socket.EAI_AGAIN


def test_silent_address_delays_next_by_stagger_only(listener: socket.socket, silent: Endpoint) -> None:
    alive = Endpoint(socket.AF_INET, listener.getsockname())
    started = time.monotonic()
    with Race(seconds_from_now(), stagger=0.05).run((silent, alive)) as winner:
        assert winner.getpeername() == listener.getsockname()
    assert 0.05 <= time.monotonic() - started < 10


def test_refused_address_starts_next_at_once(listener: socket.socket) -> None:
    alive = Endpoint(socket.AF_INET, listener.getsockname())
    started = time.monotonic()
    with Race(seconds_from_now(), stagger=20).run((refusing(), alive)) as winner:
        assert winner.getpeername() == listener.getsockname()
    assert time.monotonic() - started < 10


def test_race_closes_other_connections(silent: Endpoint, listener: socket.socket) -> None:
    race = Race(seconds_from_now(), stagger=0.01)
    race.run((silent, Endpoint(socket.AF_INET, listener.getsockname()))).close()
    assert [connection.fileno() for connection in race._running] == [-1]


def test_connect_failed_lists_all_attempts() -> None:
    unusable = Endpoint(12345, ("nothing", 1))
    first, second = refusing(), refusing()
    with pytest.raises(ConnectFailed) as caught:
        Race(seconds_from_now()).run((first, second, unusable))
    assert caught.value.errno == errno.ECONNREFUSED
    assert [(endpoint, why.errno) for endpoint, why in caught.value.attempts] == [
        (first, errno.ECONNREFUSED),
        (second, errno.ECONNREFUSED),
        (unusable, errno.EAFNOSUPPORT),
    ]


def test_connect_failed_names_dialled_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dialled host may be a proxy, not the host of the URL."""
    resolve_to(monkeypatch, refusing(), refusing())
    with pytest.raises(ConnectFailed) as caught:
        dial("proxy.example", 80, 5)
    assert caught.value.filename == "proxy.example"


def test_race_timeout_covers_all_addresses(silent: Endpoint) -> None:
    started = time.monotonic()
    with pytest.raises(ConnectFailed) as caught:
        Race(seconds_from_now(0.2), stagger=0.05).run((silent, silent, silent))
    assert time.monotonic() - started < 10
    assert caught.value.errno == errno.ETIMEDOUT
    assert {why.errno for _, why in caught.value.attempts} == {errno.ETIMEDOUT}


def test_ascii_name_is_resolved_as_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    real = socket.getaddrinfo

    def spy(host: object, *rest: object, **options: object) -> object:
        asked.append(host)
        return real("127.0.0.1", 80)

    monkeypatch.setattr(socket, "getaddrinfo", spy)
    endpoints("example.com", 80, 5)
    assert asked == [b"example.com"]
