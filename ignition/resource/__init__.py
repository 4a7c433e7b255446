# SPDX-License-Identifier: Apache-2.0
"""Fetch resources by URL, for configs and for platform providers.

    fetcher = Fetcher(Settings(total=120))
    contents = fetcher.bytes(Source("https://example.com/a.ign", hash="sha512-…"))

Each URL scheme has a module; `Fetcher` dispatches by scheme. Data is decompressed, hashed and written in
pieces; files are never held in memory as a whole. The settings of a fetcher are fixed; a config with other
settings gets another fetcher. Environment variables are not read.

Source: docs/reference/fetching.md, "HTTP and HTTPS" and "Data flow".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, Final

from ignition.errors import FetchError, NeedNetwork
from ignition.host.source import Source
from ignition.resource import tls
from ignition.resource.clock import SYSTEM_CLOCK, Clock
from ignition.resource.credentials import ANONYMOUS, Credentials, no_credentials
from ignition.resource.http.request import Request, Response
from ignition.resource.redact import redact
from ignition.resource.settings import DEFAULT_SETTINGS, Settings
from ignition.resource.stream import Sink

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

    from ignition.resource.http.client import Http
    from ignition.resource.objectstore.azure_blob import BlobStorage
    from ignition.resource.objectstore.gcs import CloudStorage
    from ignition.resource.objectstore.s3 import S3

__all__ = ["Credentials", "Fetcher", "Request", "Response", "Settings", "redact"]

HTTP: Final = frozenset({"http", "https"})

MOST_IN_MEMORY: Final = 256 * 2**20
"""Size limit in bytes of resources that are held in memory (configs, keys): a small gzip file can expand to
more than the machine has."""


@dataclass(frozen=True)
class Fetcher:
    """Fetches resources by URL. Thread-safe.

    Requests to object stores are anonymous unless `credentials` are set. With `offline`, every URL that needs
    the network raises `NeedNetwork` before any traffic. `clock` is for tests.

    Raises:
        FetchError: a bundle of certificate authorities is invalid.
    """

    settings: Settings = DEFAULT_SETTINGS
    offline: bool = False
    credentials: Credentials = ANONYMOUS
    clock: Clock = field(default=SYSTEM_CLOCK, repr=False, compare=False)

    def __post_init__(self) -> None:
        for bundle in self.settings.certificate_authorities:
            tls.certificates(bundle)

    def with_settings(self, settings: Settings) -> Fetcher:
        """Return a copy of the fetcher with other settings."""
        return replace(self, settings=settings)

    def with_credentials(self, credentials: Credentials) -> Fetcher:
        """Return a copy of the fetcher with credentials for object stores."""
        return replace(self, credentials=credentials)

    def bytes(self, source: Source) -> bytes:
        """Return the whole resource, decompressed and verified.

        Raises:
            NeedNetwork: the URL needs the network, and this fetcher is offline.
            NotFound: the resource does not exist (for example HTTP 404).
            VerificationFailed: the digest does not match.
            TimedOut: the total time expired.
            FetchError: the resource cannot be fetched for another reason.
        """
        contents = _Memory(redact(source.url))
        self.file(source, contents)
        return contents.getvalue()

    def file(self, source: Source, into: BinaryIO) -> None:
        """Stream the resource into `into`, decompressed and verified; errors are those of `bytes`.

        `into` must be seekable, because a retry may truncate it. After an error it holds incomplete data.
        An empty URL means zero bytes, which are neither decompressed nor verified, as in the reference.
        """
        if not source.url:
            return
        scheme = self._checked_scheme(source.url) if not source.url.startswith("data:") else "data"
        with Sink(source, into) as sink:
            self._dispatch(scheme, source, sink)
            sink.finish()

    def _dispatch(self, scheme: str, source: Source, sink: Sink) -> None:
        """Fetch with the module of the scheme."""
        match scheme:
            case "data":
                from ignition.resource.data import read

                read(source.url, sink)
            case "tftp":
                from ignition.resource.tftp import Tftp

                Tftp(self.settings, clock=self.clock).fetch(source.url, sink)
            case "s3" | "arn":
                self._s3.fetch(source, sink)
            case "gs":
                self._cloud_storage.fetch(source.url, sink)
            case _ if self.credentials.azure is not no_credentials and self._is_blob(source.url):
                self._blob_storage.fetch(source, sink)
            case _:
                self._http.fetch(Request(source.url, headers=source.headers), sink)

    def request(self, request: Request) -> Response:
        """Send a request to a metadata service and return the response; retried, never decompressed.

        Raises:
            NotFound: status 404, unless the request accepts it.
            NeedNetwork, TimedOut, FetchError: as for `bytes`.
        """
        self._checked_scheme(request.url, HTTP)
        body = _Memory(redact(request.url))
        with Sink(Source(request.url), body) as sink:
            answer = self._http.fetch(request, sink)
            sink.finish()
        return replace(answer, body=body.getvalue())

    def _checked_scheme(self, url: str, schemes: frozenset[str] | None = None) -> str:
        """Return the scheme of the URL.

        Raises:
            NeedNetwork: the fetcher is offline and the scheme is not `data`.
            FetchError: the scheme is not in `schemes` (by default all schemes of sources).
        """
        from ignition.url import SCHEMES

        schemes = SCHEMES if schemes is None else schemes
        scheme = url.partition(":")[0].lower() if ":" in url else ""
        if self.offline and scheme != "data":
            raise NeedNetwork(f"{redact(url)} needs the network")
        if scheme in schemes:
            return scheme
        raise FetchError(
            f"{redact(url)}: {f'unsupported URL scheme {scheme}:' if scheme else 'not a URL'}",
            hint=f"use one of {', '.join(f'{each}:' for each in sorted(schemes))}",
        )

    @staticmethod
    def _is_blob(url: str) -> bool:
        from ignition.resource.objectstore.azure_blob import is_blob

        return is_blob(url)

    @cached_property
    def _http(self) -> Http:
        from ignition.resource.http.client import Http

        return Http(self.settings, clock=self.clock)

    @cached_property
    def _s3(self) -> S3:
        from ignition.resource.objectstore.s3 import S3

        return S3(self._http, self.credentials, total=self.settings.total, clock=self.clock)

    @cached_property
    def _cloud_storage(self) -> CloudStorage:
        from ignition.resource.objectstore.gcs import CloudStorage

        return CloudStorage(self._http, self.credentials)

    @cached_property
    def _blob_storage(self) -> BlobStorage:
        from ignition.resource.objectstore.azure_blob import BlobStorage

        return BlobStorage(self._http, self.credentials, total=self.settings.total, clock=self.clock)


class _Memory(BytesIO):
    """An in-memory destination with a size limit; `name` is the resource's name in the error."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def write(self, data: Buffer) -> int:
        size = self.tell() + memoryview(data).nbytes
        if size > MOST_IN_MEMORY:
            raise FetchError(
                f"{self._name}: larger than {MOST_IN_MEMORY // 2**20} MiB",
                hint="check the URL: configs, keys and certificates must fit into memory",
            )
        return super().write(data)
