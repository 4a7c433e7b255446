# SPDX-License-Identifier: Apache-2.0
"""Decompression and verification in bounded memory."""

from __future__ import annotations

import gzip
import hashlib
import io
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.errors import FetchError, VerificationFailed
from ignition.host.source import Source
from ignition.resource.store import MOST_WAITING
from ignition.resource.stream import PIECE, Gunzip, NotGzip, Sink

URL = "http://user:secret@h/file"
DATA = bytes(range(256)) * 500
PACKED = gzip.compress(DATA, mtime=0)


def take(data: bytes, *, compression: str = "", hash: str = "", step: int = 1000) -> bytes:  # noqa: A002
    into = io.BytesIO()
    sink = Sink(Source(URL, compression=compression, hash=hash), into)
    for start in range(0, len(data), step):
        sink.write(data[start : start + step])
    sink.finish()
    return into.getvalue()


@pytest.mark.parametrize("function", ["sha512", "sha256"])
@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_digest_is_of_decompressed_bytes_in_either_case(function: str, change: type[str]) -> None:
    digest = change(hashlib.new(function, DATA).hexdigest())
    assert take(PACKED, compression="gzip", hash=f"{function}-{digest}") == DATA


def test_digest_mismatch_shows_both_digests() -> None:
    with pytest.raises(VerificationFailed) as caught:
        take(DATA, hash="sha256-" + "0" * 64)
    message = str(caught.value)
    assert hashlib.sha256(DATA).hexdigest() in message
    assert "0" * 64 in message
    assert "http://user:***@h/file" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"  <!DOCTYPE html><html>", "HTML page"),
        (b"<html><body>log in", "HTML page"),
        (PACKED, "`compression` to gzip"),
        (b"other", "may have been replaced"),
    ],
    ids=["doctype", "page", "packed", "other"],
)
def test_digest_mismatch_hint_names_detected_content(data: bytes, hint: str) -> None:
    with pytest.raises(VerificationFailed) as caught:
        take(data, hash="sha256-" + "0" * 64)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "nothing came"),
        (b"plain text", "the data is not gzip"),
        (PACKED[:-1], "the compressed data is truncated"),
        (PACKED[:5], "the compressed data is truncated"),
        (PACKED + b"garbage", "other data follows"),
        (PACKED + b"\0", "other data follows"),
        (PACKED[:-8] + bytes(8), "is damaged"),
    ],
    ids=["empty", "text", "no end", "hardly a start", "text behind", "padding", "wrong sum"],
)
def test_invalid_gzip_is_refused_with_reason(data: bytes, why: str) -> None:
    with pytest.raises(FetchError, match=why):
        take(data, compression="gzip")


@pytest.mark.parametrize("step", [1, 7, 1_000_000])
def test_gzip_members_are_concatenated(step: int) -> None:
    parts = [b"first", b"", DATA, b"last"]
    assert take(b"".join(map(gzip.compress, parts)), compression="gzip", step=step) == b"".join(parts)


@given(st.lists(st.binary(max_size=2000)), st.integers(1, 300))
def test_gunzip_accepts_input_split_at_any_byte(parts: list[bytes], step: int) -> None:
    packed = b"".join(gzip.compress(part, 1) for part in parts)
    gunzip = Gunzip()
    got = b"".join(
        piece
        for start in range(0, len(packed), step)
        for piece in gunzip.unpack(packed[start : start + step])
    )
    if parts:
        gunzip.finish()
    else:
        with pytest.raises(NotGzip):
            gunzip.finish()
    assert got == b"".join(parts)


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE])
def test_gzip_around_piece_size_is_decompressed_completely(size: int) -> None:
    assert take(gzip.compress(bytes(size)), compression="gzip", step=size) == bytes(size)


class Counter(io.RawIOBase):
    """Counts the written bytes without storing them."""

    size = 0
    largest = 0

    def tell(self) -> int:
        return 0

    def write(self, data: object) -> int:
        assert isinstance(data, bytes)
        self.size += len(data)
        self.largest = max(self.largest, len(data))
        return len(data)


def test_highly_compressed_data_is_decompressed_in_bounded_memory() -> None:
    size = 100 * 2**20
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(size // 2**20)) + packer.flush()
    into = Counter()
    tracemalloc.start()
    try:
        sink = Sink(Source(URL, compression="gzip"), into)  # type: ignore[arg-type]
        for start in range(0, len(packed), 2**16):
            sink.write(packed[start : start + 2**16])
        sink.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert into.size == size
    assert into.largest <= PIECE
    assert peak < 2 * MOST_WAITING + 2**20


def test_restart_discards_data_after_start_position() -> None:
    into = io.BytesIO(b"before")
    into.seek(6)
    sink = Sink(Source(URL, compression="gzip", hash=f"sha256-{hashlib.sha256(b'new').hexdigest()}"), into)
    sink.write(PACKED[:300])
    sink.restart()
    assert sink.received == 0
    sink.write(gzip.compress(b"new"))
    sink.finish()
    assert into.getvalue() == b"beforenew"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (Source(URL, compression="xz"), 'unknown compression "xz"'),
        (Source(URL, hash="md5-00"), 'unknown hash function "md5"'),
        (Source(URL, hash="sha256-xyz"), "not hexadecimal"),
    ],
)
def test_unknown_compression_or_hash_is_refused(source: Source, why: str) -> None:
    with pytest.raises(FetchError, match=why):
        Sink(source, io.BytesIO())


class Full(io.BytesIO):
    def write(self, _: object) -> int:
        raise OSError(28, "No space left on device")


def test_write_error_is_reported_as_no_space_left() -> None:
    with pytest.raises(FetchError, match="cannot write the received data: no space left on device"):
        Sink(Source(URL), Full()).write(b"x")
