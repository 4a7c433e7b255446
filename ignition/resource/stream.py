"""What happens to bytes on their way in: decompressed, hashed, written, a piece at a time.

    source → gunzip, if the config says gzip → digest and destination

The hash describes the decompressed bytes. Memory stays bounded whatever comes:
a small piece of gzip can stand for gigabytes, so it too is unpacked in pieces.

Source: engine.md section 7.6, config-spec sections 11.3 and 11.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Final, Self

from ignition.errors import FetchError, VerificationFailed
from ignition.host.source import Source
from ignition.resource.redact import redact
from ignition.resource.store import Store
from ignition.runcontext import check_cancelled
from ignition.text import strerror

if TYPE_CHECKING:
    import zlib

__all__ = ["PIECE", "Gunzip", "NotGzip", "Sink"]

PIECE: Final = 256 * 1024
"""Bytes that are read, or unpacked, at once."""

GZIP_MAGIC: Final = b"\x1f\x8b"
HASH_FUNCTIONS: Final = ("sha512", "sha256")


class Sink:
    """Where the bytes of one resource go; takes them as they come over the wire.

    Feed it with `write`, then call `finish`, which is what verifies. `restart`
    forgets everything: for a server that cannot continue where it broke off. As a
    context manager it leaves nothing running, however it ends.

    Raises:
        FetchError: compression or hash function are unknown.
    """

    def __init__(self, source: Source, into: BinaryIO) -> None:
        self.name = redact(source.url)
        self.received = 0
        """Bytes taken since the start, as they came: compressed ones if they are."""
        self._compression = source.compression
        self._function, self._expected = self._expectation(source.hash)
        self._store = Store(into, self._function)
        self._head = b""
        self._gunzip = self._unpacker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def restart(self) -> None:
        """Throw away what came so far.

        Raises:
            FetchError: it could not be stored.
        """
        try:
            self._store.restart()
        except OSError as caught:
            raise self._not_stored(caught) from caught
        self.received = 0
        self._head = b""
        self._gunzip = self._unpacker()

    def write(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            FetchError: they are not what the config says, or cannot be stored.
        """
        check_cancelled()
        if not self._head:
            self._head = data[:512]
        self.received += len(data)
        try:
            for piece in (data,) if self._gunzip is None else self._gunzip.unpack(data):
                self._store.put(piece)
        except NotGzip as caught:
            raise self._not_gzip(caught) from caught
        except OSError as caught:
            raise self._not_stored(caught) from caught

    def finish(self) -> None:
        """There is no more: check that it is complete and what it ought to be.

        Raises:
            FetchError: the compressed data is incomplete, or cannot be stored.
            VerificationFailed: the digest is another one.
        """
        if self._gunzip is not None:
            try:
                self._gunzip.finish()
            except NotGzip as caught:
                raise self._not_gzip(caught) from caught
        try:
            digest = self._store.digest()
        except OSError as caught:
            raise self._not_stored(caught) from caught
        if digest != self._expected:
            raise VerificationFailed(
                f"{self.name}: digest mismatch: found {self._function} {digest}, expected {self._expected}",
                hint=self._page_hint()
                or "compare with the digest of the file on the server, which may have been replaced; "
                "digests of compressed files are those of the decompressed bytes",
            )

    def _unpacker(self) -> Gunzip | None:
        if self._compression == "":
            return None
        if self._compression == "gzip":
            return Gunzip()
        raise FetchError(f'{self.name}: unknown compression "{self._compression}"', hint='use "gzip"')

    def _expectation(self, wanted: str) -> tuple[str, str]:
        function, _, digest = wanted.partition("-")
        if wanted and function not in HASH_FUNCTIONS:
            raise FetchError(
                f'{self.name}: unknown hash function "{function}"',
                hint=f"use {' or '.join(HASH_FUNCTIONS)}",
            )
        if not set(digest) <= set("0123456789abcdefABCDEF"):
            raise VerificationFailed(f"{self.name}: the expected hash is not hexadecimal")
        return function, digest.lower()

    def _not_stored(self, caught: OSError) -> FetchError:
        return FetchError(f"{self.name}: cannot write the received data: {strerror(caught)}")

    def _not_gzip(self, caught: NotGzip) -> FetchError:
        return FetchError(
            f"{self.name}: cannot decompress: {caught}",
            hint=self._page_hint() or "remove `compression` if the file is not compressed",
        )

    def _page_hint(self) -> str:
        """What came in place of the file, if that can be told from how it starts."""
        start = self._head.lstrip().lower()
        wanted = self.name.partition("?")[0].endswith((".html", ".htm"))
        if start.startswith((b"<!doctype html", b"<html")) and not wanted:
            return "check the URL: the server sent an HTML page (login, error or directory listing)"
        if self._compression == "" and self._head.startswith(GZIP_MAGIC):
            return "set `compression` to gzip: the data is gzip-compressed"
        return ""


class NotGzip(ValueError):
    """The data is not, or not completely, in gzip's format; the message says how."""


class Gunzip:
    """Unpacks gzip, any number of members in a row, in pieces of bounded size."""

    def __init__(self) -> None:
        self._member: zlib._Decompress | None = None
        self._members = 0

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """The bytes that `data` adds, in pieces of at most `PIECE`.

        Raises:
            NotGzip: it cannot be unpacked.
        """
        import zlib

        while data:
            if self._member is None:
                self._member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
                self._members += 1
                self._check_start(data)
            try:
                piece = self._member.decompress(data, PIECE)
            except zlib.error as caught:
                raise NotGzip("the compressed data is damaged") from caught
            if piece:
                yield piece
            if self._member.eof:
                data, self._member = self._member.unused_data, None
            else:
                data = self._member.unconsumed_tail

    def finish(self) -> None:
        """Say that there is no more.

        Raises:
            NotGzip: the last member is incomplete, or there is none.
        """
        if not self._members:
            raise NotGzip("nothing came")
        if self._member is not None:
            raise NotGzip("the compressed data is truncated")

    def _check_start(self, data: bytes) -> None:
        """Tell what is no gzip at all from what is damaged; `data` may be a single byte."""
        if GZIP_MAGIC.startswith(data[:2]):
            return
        if self._members == 1:
            raise NotGzip("the data is not gzip")
        raise NotGzip("other data follows the compressed data")
