# SPDX-License-Identifier: Apache-2.0
"""Hash and write the bytes of a resource.

Receiving and decompressing take about as long as hashing and writing, and all of them release the interpreter
lock. So a large resource is hashed and written in a second thread, which uses a second processor. The queue
between the two threads is bounded.
"""

from __future__ import annotations

from threading import Condition, Thread
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Callable

__all__ = ["Store"]

LARGE: Final = 4 * 2**20
"""Size in bytes from which a thread is used."""

MOST_WAITING: Final = 2**20
"""Bytes that may be queued for the thread; it may hold as many again."""


class Store:
    """Hashes and writes decompressed bytes; `function` is the name of the hash function, empty for none.

    `put`, `digest` and `restart` also raise errors of bytes that were put earlier, usually an `OSError`.
    `close` must be called at the end.
    """

    def __init__(self, into: BinaryIO, function: str) -> None:
        self._into = into
        self._function = function
        self._start = into.tell()
        self._writer: _Writer | None = None
        self._size = 0
        self._hash = self._new_hash()

    def put(self, data: bytes) -> None:
        """Hash and write the next bytes, or queue them for the thread."""
        self._size += len(data)
        if self._writer is None and self._size >= LARGE:
            self._writer = _Writer(self._store)
        if self._writer is None:
            self._store(data)
        else:
            self._writer.put(data)

    def digest(self) -> str:
        """Wait until all bytes are written; return their digest in hexadecimal, empty without a function."""
        self._wait()
        return "" if self._hash is None else self._hash.hexdigest()

    def restart(self) -> None:
        """Discard all bytes: seek to the start position and truncate."""
        self._wait()
        if self._size:
            self._into.seek(self._start)
            self._into.truncate()
        self._size = 0
        self._hash = self._new_hash()

    def close(self) -> None:
        """Stop the thread; queued bytes are discarded."""
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None

    def _wait(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.finish()

    def _store(self, data: bytes) -> None:
        if self._hash is not None:
            self._hash.update(data)
        self._into.write(data)

    def _new_hash(self) -> hashlib._Hash | None:
        if not self._function:
            return None
        import hashlib

        return hashlib.new(self._function)


class _Writer:
    """The thread and its queue."""

    def __init__(self, store: Callable[[bytes], None]) -> None:
        self._store = store
        self._change = Condition()
        self._queue: list[bytes] = []
        self._size = 0
        self._ended = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        """Queue bytes; blocks while `MOST_WAITING` bytes are queued."""
        with self._change:
            self._change.wait_for(lambda: self._size < MOST_WAITING or self._error is not None)
            self._raise_error()
            self._queue.append(data)
            self._size += len(data)
            self._change.notify_all()

    def finish(self) -> None:
        """Write all queued bytes and stop the thread."""
        self._end()
        self._raise_error()

    def abandon(self) -> None:
        """Discard queued bytes and stop the thread."""
        with self._change:
            self._queue.clear()
        self._end()

    def _end(self) -> None:
        with self._change:
            self._ended = True
            self._change.notify_all()
        self._thread.join()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        try:
            while pieces := self._take_queue():
                for piece in pieces:
                    self._store(piece)
        except BaseException as caught:  # noqa: BLE001 (raised again in the calling thread)
            with self._change:
                self._error = caught
                self._change.notify_all()

    def _take_queue(self) -> list[bytes]:
        """Wait for queued bytes and return them; an empty list at the end."""
        with self._change:
            self._change.wait_for(lambda: bool(self._queue) or self._ended)
            pieces, self._queue, self._size = self._queue, [], 0
            self._change.notify_all()
            return pieces
