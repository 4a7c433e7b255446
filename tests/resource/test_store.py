"""A resource's bytes on their way to disk: in order, complete, and by a helper where there are many."""

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


def helpers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "store"]


class Slow(io.BytesIO):
    """Storing waits until `go` is set; `begun` tells that it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.begun = threading.Event()

    def write(self, data: object) -> int:
        assert isinstance(data, bytes)
        if threading.current_thread().name == "store":
            self.begun.set()
            assert self.go.wait(60)
        return super().write(data)


class Full(io.BytesIO):
    """Has room for as much as is stored without help, and no more."""

    def write(self, data: object) -> int:
        if threading.current_thread().name == "store":
            raise OSError(28, "No space left on device")
        assert isinstance(data, bytes)
        return super().write(data)


def test_small_resource_is_stored_without_thread() -> None:
    into = io.BytesIO()
    store = Store(into, "sha256")
    store.put(b"abc")
    assert helpers() == []
    assert store.digest() == hashlib.sha256(b"abc").hexdigest()
    assert into.getvalue() == b"abc"


def test_large_resource_is_stored_by_thread_in_order() -> None:
    into = io.BytesIO()
    store = Store(into, "sha512")
    for piece in MANY:
        store.put(piece)
    assert len(helpers()) == 1
    assert store.digest() == hashlib.sha512(b"".join(MANY)).hexdigest()
    assert into.getvalue() == b"".join(MANY)
    assert helpers() == []


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
    brought = 0

    def bring_all() -> None:
        nonlocal brought
        for piece in MANY:
            store.put(piece)
            brought += len(piece)

    bringing = threading.Thread(target=bring_all)
    bringing.start()
    assert into.begun.wait(60)
    bringing.join(0.3)
    assert bringing.is_alive()
    assert brought <= LARGE + 2 * MOST_WAITING + 2 * PIECE < len(MANY) * PIECE
    into.go.set()
    bringing.join()
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


def bring(sink: Sink, pieces: list[bytes]) -> None:
    for piece in pieces:
        sink.write(piece)


def test_error_in_thread_is_raised_to_caller() -> None:
    with Sink(Source("http://h/large"), Full()) as sink:
        with pytest.raises(FetchError, match="cannot write the received data: no space left on device"):
            bring(sink, [*MANY, *MANY])
        with pytest.raises(FetchError, match="no space left"):
            sink.finish()
    assert helpers() == []


def test_sink_exit_stops_thread() -> None:
    with Sink(Source("http://h/large"), io.BytesIO()) as sink:
        bring(sink, MANY)
        assert len(helpers()) == 1
    assert helpers() == []
