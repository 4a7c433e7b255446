# SPDX-License-Identifier: Apache-2.0
"""Stream received data through decompression, verification and storage, in pieces.

    source → gunzip (if `compression` is gzip) → digest and destination

The digest is that of the decompressed bytes. Memory use is bounded: a small piece of gzip data can expand to
gigabytes, so the decompressed data is also handled in pieces.

Source: docs/reference/fetching.md, "Data flow"; docs/reference/config-language.md, "Compression" and
"Hashes".
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
"""Bytes that are received or decompressed at once."""

GZIP_MAGIC: Final = b"\x1f\x8b"
HASH_FUNCTIONS: Final = ("sha512", "sha256")


class Sink:
    """The destination of the received bytes of one resource.

    Call `write` for each piece, then `finish`, which verifies the digest. `restart` discards all data, for a
    transfer that cannot be resumed. As a context manager it stops its thread at the end.

    Raises:
        FetchError: the compression or the hash function is unknown.
    """

    def __init__(self, source: Source, into: BinaryIO) -> None:
        self.name = redact(source.url)
        self.received = 0
        """Bytes received since the start or the last `restart`, before decompression."""
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
        """Discard all data.

        Raises:
            FetchError: the data could not be written.
        """
        try:
            self._store.restart()
        except OSError as caught:
            raise self._not_stored(caught) from caught
        self.received = 0
        self._head = b""
        self._gunzip = self._unpacker()

    def write(self, data: bytes) -> None:
        """Process the next received bytes.

        Raises:
            FetchError: the data cannot be decompressed or written.
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
        """End the data and verify it.

        Raises:
            FetchError: the compressed data is incomplete, or cannot be written.
            VerificationFailed: the digest does not match.
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
        """Return a hint if the first bytes show an HTML page or unexpected gzip data, else ""."""
        start = self._head.lstrip().lower()
        wanted = self.name.partition("?")[0].endswith((".html", ".htm"))
        if start.startswith((b"<!doctype html", b"<html")) and not wanted:
            return "check the URL: the server sent an HTML page (login, error or directory listing)"
        if self._compression == "" and self._head.startswith(GZIP_MAGIC):
            return "set `compression` to gzip: the data is gzip-compressed"
        return ""


class NotGzip(ValueError):
    """The data is not valid or not complete gzip data (RFC 1952); the message says why."""


class Gunzip:
    """Decompresses gzip data with any number of members, in pieces of bounded size."""

    def __init__(self) -> None:
        self._member: zlib._Decompress | None = None
        self._members = 0

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed bytes of `data`, in pieces of at most `PIECE`.

        Raises:
            NotGzip: the data cannot be decompressed.
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
        """Check the end of the data.

        Raises:
            NotGzip: the last member is incomplete, or there is no member.
        """
        if not self._members:
            raise NotGzip("nothing came")
        if self._member is not None:
            raise NotGzip("the compressed data is truncated")

    def _check_start(self, data: bytes) -> None:
        """Check the magic number, to tell other data from damaged gzip data; `data` may be a single byte."""
        if GZIP_MAGIC.startswith(data[:2]):
            return
        if self._members == 1:
            raise NotGzip("the data is not gzip")
        raise NotGzip("other data follows the compressed data")
