# SPDX-License-Identifier: Apache-2.0
"""The guards of `conftest.py` and the doubles that it offers."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.guards import Guarded, RealCommand, RealNetwork
from tests.lab.server import Answer, HttpServer

if TYPE_CHECKING:
    from tests.lab.programs import Programs


def test_guard_refuses_real_program_by_each_interface() -> None:
    with pytest.raises(RealCommand, match=r"real_commands\('true'\)"):
        subprocess.run(["true"], check=True)
    with pytest.raises(RealCommand):
        os.system("true")
    with pytest.raises(RealCommand):
        os.posix_spawn("/bin/true", ["true"], {})


def test_guarded_is_no_exception_subclass() -> None:
    assert not issubclass(Guarded, Exception)


def test_guard_in_worker_thread_raises_in_test() -> None:
    with ThreadPoolExecutor() as pool, pytest.raises(RealCommand):
        pool.submit(subprocess.run, ["true"]).result()


def test_guard_missing_program_is_file_not_found() -> None:
    with pytest.raises(FileNotFoundError):
        subprocess.run(["there-is-no-such-program"], check=True)


@pytest.mark.real_commands("true")
def test_real_commands_marker_permits_named_programs_only() -> None:
    assert subprocess.run(["true"], check=True).returncode == 0
    with pytest.raises(RealCommand):
        subprocess.run(["false"], check=True)


@pytest.mark.real_commands
def test_real_commands_marker_without_names_permits_all_programs() -> None:
    assert subprocess.run(["false"], check=False).returncode == 1


@given(st.integers())
def test_guard_applies_to_hypothesis_examples(number: int) -> None:
    with pytest.raises(RealCommand):
        subprocess.run(["true", str(number)], check=True)


@pytest.mark.parametrize("address", [("192.0.2.1", 9), ("2001:db8::1", 9)])
def test_guard_refuses_sockets_outside_loopback(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as outside:
        with pytest.raises(RealNetwork):
            outside.connect(address)
        with pytest.raises(RealNetwork):
            outside.sendto(b"", address)


def test_guard_refuses_name_lookup_outside_loopback() -> None:
    assert socket.getaddrinfo("localhost", 80)
    with pytest.raises(RealNetwork):
        socket.getaddrinfo("example.invalid", 80)


@pytest.mark.real_network
def test_real_network_marker_permits_binding_to_any_address() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside:
        outside.bind(("0.0.0.0", 0))
        assert outside.getsockname()[0] == "0.0.0.0"


def test_guard_refuses_binding_to_any_address() -> None:
    with socket.socket() as outside, pytest.raises(RealNetwork):
        outside.bind(("0.0.0.0", 0))


def test_fake_program_answers_and_records_call(programs: Programs) -> None:
    programs.add("mkfs.ext4", stdout="done\n", stderr="it's slow\n", status=3)
    ran = subprocess.run(["mkfs.ext4", "-L", "a b", ""], input="key", capture_output=True, text=True)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("done\n", "it's slow\n", 3)
    [call] = programs.calls
    assert call.argv == ("mkfs.ext4", "-L", "a b", "")
    assert call.stdin == "key"


def test_fake_program_runs_script(programs: Programs) -> None:
    made = programs.directory / "made"
    programs.add("mkswap", script=f'echo "$1" > {made}')
    subprocess.run(["mkswap", "/dev/vdb"], stdin=subprocess.DEVNULL, check=True)
    assert made.read_text() == "/dev/vdb\n"
    assert programs.argvs == [("mkswap", "/dev/vdb")]


def read(url: str, **headers: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as response:
        return bytes(response.read())


def test_server_gives_answers_in_order_and_repeats_last(server: HttpServer) -> None:
    url = server.answer("/config", Answer(status=503), b"hello")
    with pytest.raises(urllib.error.HTTPError, match="503") as refused:
        read(url)
    refused.value.close()
    assert [read(url), read(url + "?again")] == [b"hello", b"hello"]
    assert server.asked("/config") == 3


def test_server_responds_by_request_and_method(server: HttpServer) -> None:
    server.answer("/token", b"put", method="PUT")
    server.respond("/echo", lambda request: Answer(request.headers["x-mark"].encode()))
    assert read(server.url("/echo"), **{"X-Mark": "1"}) == b"1"
    with pytest.raises(urllib.error.HTTPError, match="404") as missing:
        read(server.url("/token"))
    missing.value.close()


def test_server_sends_redirect(server: HttpServer) -> None:
    target = server.answer("/target", b"there")
    assert read(server.answer("/from", Answer.redirect(target))) == b"there"


def test_server_drops_connection_or_truncates_body(server: HttpServer) -> None:
    with pytest.raises(OSError, match="Remote end closed connection"):
        read(server.answer("/dropped", Answer(drop=True)))
    with pytest.raises(Exception, match="IncompleteRead"):
        read(server.answer("/short", Answer(b"half", claim=8)))


def read_and_ignore_errors(url: str) -> None:
    with pytest.raises(Exception, match="IncompleteRead"):
        read(url)


def test_server_stop_ends_stalled_answer() -> None:
    with HttpServer() as server:
        url = server.answer("/stalled", Answer(b"never", stall=600.0))
        client = threading.Thread(target=read_and_ignore_errors, args=[url])
        client.start()
        while not server.asked():
            pass
    client.join(timeout=5)
    assert not client.is_alive()


def test_server_listens_on_ipv6() -> None:
    with HttpServer(host="::1") as server:
        assert read(server.answer("/", b"six")) == b"six"
