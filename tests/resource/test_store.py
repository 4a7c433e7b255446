# SPDX-License-Identifier: Apache-2.0
"""Hashing and writing of resources, with a thread for large ones."""

from __future__ import annotations

import hashlib
import io
import threading

import pytest

from ignition.errors import FetchError
from ignition.host.source import Source
from ignition.resource.store import LARGE, MOST_WAITING, Store
from ignition.resource.stream import Sink

PIECE = 2**18
MANY = [bytes([number]) * PIECE for number in range(2 * LARGE // PIECE)]


def store_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "store"]


class Slow(io.BytesIO):
    """Writes of the thread block until `go` is set; `blocked` is set when the first one blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.blocked = threading.Event()

    def write(self, data: object) -> int:
        assert isinstance(data, bytes)
        if threading.current_thread().name == "store":
            self.blocked.set()
            assert self.go.wait(60)
        return super().write(data)


class Full(io.BytesIO):
    """Writes of the thread fail with ENOSPC; others succeed."""

    def write(self, data: object) -> int:
        if threading.current_thread().name == "store":
            raise OSError(28, "No space left on device")
        assert isinstance(data, bytes)
        return super().write(data)


def test_small_resource_is_stored_without_thread() -> None:
    into = io.BytesIO()
    store = Store(into, "sha256")
    store.put(b"abc")
    assert store_threads() == []
    assert store.digest() == hashlib.sha256(b"abc").hexdigest()
    assert into.getvalue() == b"abc"


def test_large_resource_is_stored_by_thread_in_order() -> None:
    into = io.BytesIO()
    store = Store(into, "sha512")
    for piece in MANY:
        store.put(piece)
    assert len(store_threads()) == 1
    assert store.digest() == hashlib.sha512(b"".join(MANY)).hexdigest()
    assert into.getvalue() == b"".join(MANY)
    assert store_threads() == []


def test_store_without_hash_function_writes_all_bytes() -> None:
    into = io.BytesIO()
    store = Store(into, "")
    for piece in MANY:
        store.put(piece)
    assert store.digest() == ""
    assert into.getvalue() == b"".join(MANY)


def test_put_blocks_while_queue_is_full() -> None:
    into = Slow()
    store = Store(into, "")
    accepted = 0

    def put_all() -> None:
        nonlocal accepted
        for piece in MANY:
            store.put(piece)
            accepted += len(piece)

    putting = threading.Thread(target=put_all)
    putting.start()
    assert into.blocked.wait(60)
    putting.join(0.3)
    assert putting.is_alive()
    assert accepted <= LARGE + 2 * MOST_WAITING + 2 * PIECE < len(MANY) * PIECE
    into.go.set()
    putting.join()
    store.digest()
    assert into.getvalue() == b"".join(MANY)


def test_restart_discards_queued_and_written_bytes() -> None:
    into = io.BytesIO(b"before")
    into.seek(6)
    store = Store(into, "sha256")
    for piece in MANY:
        store.put(piece)
    store.restart()
    assert into.getvalue() == b"before"
    store.put(b"new")
    assert store.digest() == hashlib.sha256(b"new").hexdigest()
    assert into.getvalue() == b"beforenew"


def write_all(sink: Sink, pieces: list[bytes]) -> None:
    for piece in pieces:
        sink.write(piece)


def test_error_in_thread_is_raised_to_caller() -> None:
    with Sink(Source("http://h/large"), Full()) as sink:
        with pytest.raises(FetchError, match="cannot write the received data: no space left on device"):
            write_all(sink, [*MANY, *MANY])
        with pytest.raises(FetchError, match="no space left"):
            sink.finish()
    assert store_threads() == []


def test_sink_exit_stops_thread() -> None:
    with Sink(Source("http://h/large"), io.BytesIO()) as sink:
        write_all(sink, MANY)
        assert len(store_threads()) == 1
    assert store_threads() == []
