"""Where the bytes of a resource end up: in their digest, and in the file that they are for.

Receiving and unpacking take about as long as hashing and writing, and all of them leave
the interpreter to others meanwhile. So a large resource is stored by a thread of its own,
and a second processor is made use of. What waits between the two threads is bounded.
"""

from __future__ import annotations

from threading import Condition, Thread
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Callable

__all__ = ["Store"]

LARGE: Final = 4 * 2**20
"""Bytes from which on a resource is worth a thread."""

MOST_WAITING: Final = 2**20
"""Bytes that may wait for that thread; as many again may be in its hands."""


class Store:
    """Takes unpacked bytes; `function` is the hash function's name, empty for none.

    `put`, `digest` and `restart` raise what went wrong with bytes that were put before,
    an `OSError` as a rule. At the end `close` has to be called.
    """

    def __init__(self, into: BinaryIO, function: str) -> None:
        self._into = into
        self._function = function
        self._start = into.tell()
        self._helper: _Helper | None = None
        self._size = 0
        self._hash = self._new_hash()

    def put(self, data: bytes) -> None:
        """Take the next bytes."""
        self._size += len(data)
        if self._helper is None and self._size >= LARGE:
            self._helper = _Helper(self._keep)
        if self._helper is None:
            self._keep(data)
        else:
            self._helper.put(data)

    def digest(self) -> str:
        """The digest of all bytes, in hexadecimal, once they are stored; empty without a function."""
        self._wait()
        return "" if self._hash is None else self._hash.hexdigest()

    def restart(self) -> None:
        """Take back all bytes."""
        self._wait()
        if self._size:
            self._into.seek(self._start)
            self._into.truncate()
        self._size = 0
        self._hash = self._new_hash()

    def close(self) -> None:
        """Leave nothing running; what still waits is not stored."""
        if self._helper is not None:
            self._helper.abandon()
            self._helper = None

    def _wait(self) -> None:
        helper, self._helper = self._helper, None
        if helper is not None:
            helper.finish()

    def _keep(self, data: bytes) -> None:
        if self._hash is not None:
            self._hash.update(data)
        self._into.write(data)

    def _new_hash(self) -> hashlib._Hash | None:
        if not self._function:
            return None
        import hashlib

        return hashlib.new(self._function)


class _Helper:
    """The thread, and what waits for it."""

    def __init__(self, keep: Callable[[bytes], None]) -> None:
        self._keep = keep
        self._change = Condition()
        self._waiting: list[bytes] = []
        self._size = 0
        self._ended = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        """Hand over; waits while too much waits already."""
        with self._change:
            self._change.wait_for(lambda: self._size < MOST_WAITING or self._error is not None)
            self._raise_error()
            self._waiting.append(data)
            self._size += len(data)
            self._change.notify_all()

    def finish(self) -> None:
        """Return when all is stored."""
        self._end()
        self._raise_error()

    def abandon(self) -> None:
        """Return when nothing is stored any more."""
        with self._change:
            self._waiting.clear()
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
            while pieces := self._taken():
                for piece in pieces:
                    self._keep(piece)
        except BaseException as caught:  # noqa: BLE001 (raised in the thread that brings the bytes)
            with self._change:
                self._error = caught
                self._change.notify_all()

    def _taken(self) -> list[bytes]:
        """All that waits; empty at the end."""
        with self._change:
            self._change.wait_for(lambda: bool(self._waiting) or self._ended)
            taken, self._waiting, self._size = self._waiting, [], 0
            self._change.notify_all()
            return taken
