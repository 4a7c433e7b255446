# SPDX-License-Identifier: Apache-2.0
"""S3: `s3://bucket/key` and `arn:` URLs of buckets and access points.

    parse URL ─▶ region (looked up by HEAD of the bucket, unless the ARN has one) ─▶ object URL ─▶ GET

Each attempt is signed with the current keys of the machine's role. Without keys, access is anonymous.

Source: docs/reference/fetching.md, "S3".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Self

from ignition import log
from ignition.errors import FetchError
from ignition.host.source import Source
from ignition.resource import diagnosis
from ignition.resource.clock import SYSTEM_CLOCK, Clock, Deadline
from ignition.resource.credentials import AwsKeys, Credentials
from ignition.resource.http.client import Http
from ignition.resource.http.request import Request, Response
from ignition.resource.objectstore import aws
from ignition.resource.redact import redact
from ignition.resource.retry_log import Cause
from ignition.resource.stream import Sink
from ignition.url import MalformedUrl, Url, parse_url

__all__ = ["S3", "S3Object"]

DEFAULT_REGION: Final = "us-east-1"

PARTITION_REGIONS: Final[Mapping[str, str]] = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
}
"""The region that the bucket lookup starts with, by the partition of the ARN."""

ACCESS_POINT: Final = "accesspoint/"

FOUND_STATUSES: Final = frozenset({200, 301, 307, 400, 403, 404})
"""Statuses of the bucket lookup whose response may have the region."""

NOT_FOUND: Final = 404

_CODE: Final = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")

KEYS_HINT: Final = "check that the role is still attached to this machine"

EXPLANATIONS: Final[Mapping[str, Cause]] = {
    "NoSuchBucket": Cause("bucket not found", "check the spelling, and that the bucket exists"),
    "NoSuchKey": Cause("object not found in the bucket", "check the whole path, which is case sensitive"),
    "NoSuchVersion": Cause("version of the object not found", "check versionId"),
    "NoSuchAccessPoint": Cause("access point not found", "check region, account and name in the ARN"),
    "MethodNotAllowed": Cause("this version of the object is a delete marker", "set another versionId"),
    "InvalidObjectState": Cause("the object is archived", "restore it from its storage class"),
    "RequestTimeTooSkewed": Cause(
        "S3 rejected the request because this machine's clock is wrong", diagnosis.CLOCK_HINT
    ),
    "ExpiredToken": Cause("this machine's keys have expired", diagnosis.CLOCK_HINT),
    "InvalidAccessKeyId": Cause("S3 does not know this machine's keys", KEYS_HINT),
    "InvalidToken": Cause("S3 rejected this machine's keys", KEYS_HINT),
    "SignatureDoesNotMatch": Cause("S3 rejected this machine's keys", KEYS_HINT),
    "KMS.DisabledException": Cause("the KMS key of the object is disabled", "enable the key in KMS"),
}
"""Causes by S3's error codes."""

DENIED_ANONYMOUS: Final = Cause(
    "S3 denied anonymous access (HTTP 403)",
    "make the object public, run on EC2 with a role that may read it, or use a signed https:// URL. "
    "S3 gives the same answer for a missing object if listing the bucket is not allowed",
)
DENIED_ROLE: Final = Cause(
    "S3 denied access to this machine's role (HTTP 403)",
    "give the role s3:GetObject on the object (s3:GetObjectVersion for a version, kms:Decrypt for its key). "
    "S3 gives the same answer for a missing object if listing the bucket is not allowed",
)


@dataclass(frozen=True)
class S3Object:
    """An S3 object.

    Attributes:
        bucket: the bucket name, or the ARN of an access point.
        key: the object's key.
        version: the version ID; empty for the latest.
        region: the region of an access point; empty if the URL has none.
        hint: the region that the bucket lookup starts with; empty if the URL has no partition.
    """

    bucket: str
    key: str
    version: str = ""
    region: str = ""
    hint: str = ""

    @classmethod
    def of(cls, url: str) -> Self:
        """Parse an `s3:` or `arn:` URL.

        Raises:
            FetchError: the URL is invalid or names no object.
        """
        try:
            parts = parse_url(url)
        except MalformedUrl as caught:
            raise FetchError(f"{redact(url)} is not a URL: {caught}") from caught
        parsed = cls._of_arn(parts, url) if parts.scheme == "arn" else cls._of_s3(parts)
        if not parsed.bucket or not parsed.key:
            raise FetchError(f"{redact(url)}: the URL names no object", hint="use the form s3://BUCKET/KEY")
        return parsed

    @classmethod
    def _of_s3(cls, parts: Url) -> Self:
        from urllib.parse import unquote

        return cls(parts.host, unquote(parts.path).lstrip("/"), parts.first("versionId") or "")

    @classmethod
    def _of_arn(cls, parts: Url, url: str) -> Self:
        """Parse `arn:PARTITION:s3:REGION:ACCOUNT:RESOURCE`, which is not percent-decoded."""
        fields = f"arn:{parts.opaque}".split(":", 5)
        if len(fields) != 6 or fields[2] != "s3":
            raise FetchError(f"{redact(url)} is not an S3 ARN", hint="use the form arn:aws:s3:::BUCKET/KEY")
        _, partition, _, region, _, resource = fields
        version = parts.first("versionId") or ""
        if not resource.startswith(ACCESS_POINT):
            names, _, key = resource.partition("/")
            bucket = names.rpartition(":")[2]
            return cls(bucket, key, version, hint=PARTITION_REGIONS.get(partition, ""))
        name, _, rest = resource.removeprefix(ACCESS_POINT).partition("/")
        resource_type, _, key = rest.partition("/")
        if not region or not name or resource_type != "object":
            raise FetchError(
                f"{redact(url)}: the URL names no object of an access point in a region",
                hint="use the form arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME/object/KEY",
            )
        return cls(":".join([*fields[:5], f"{ACCESS_POINT}{name}"]), key, version, region)


class S3:
    """Fetches objects. Thread-safe.

    `total` is the time limit in seconds for all requests of one fetch, 0 for no limit.
    """

    def __init__(
        self, http: Http, credentials: Credentials, *, total: float = 0.0, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._total = total
        self._clock = clock
        self._addresses = aws.Addresses()
        self._regions: dict[str, str] = {}

    def fetch(self, source: Source, sink: Sink) -> None:
        """Fetch the object into the sink, completely; the caller verifies it (`Sink.finish`).

        Raises:
            NotFound: the object does not exist.
            TimedOut: the total time expired.
            FetchError: the failure is not transient.
        """
        if source.compression:
            raise FetchError(
                f"{sink.name}: compression is not supported for S3 objects",
                hint="store the file uncompressed and remove `compression`, or use https://",
            )
        wanted = S3Object.of(source.url)
        deadline = Deadline(self._clock, self._total)
        region = wanted.region or self._region(wanted, deadline)
        address = self._addresses.object(region, wanted.bucket, wanted.key, wanted.version)
        service = _Service(self._keys, region, address)
        self._http.fetch(Request(address), sink, service=service, deadline=deadline)

    def _region(self, wanted: S3Object, deadline: Deadline) -> str:
        """Return the region of the bucket, looked up once; the lookup needs no permissions."""
        if wanted.bucket not in self._regions:
            hint = wanted.hint or self._own_region() or DEFAULT_REGION
            self._regions[wanted.bucket] = self._look_up_region(wanted.bucket, hint, deadline)
        return self._regions[wanted.bucket]

    def _look_up_region(self, bucket: str, hint: str, deadline: Deadline) -> str:
        request = Request(self._addresses.bucket(hint, bucket), verb="HEAD", accept=FOUND_STATUSES)
        name = f"s3://{bucket}"
        answer = self._http.fetch(request, Sink(Source(name), BytesIO()), deadline=deadline)
        region = answer.headers.get("x-amz-bucket-region", "")
        if region:
            log.debug(f"{name} is in {region!r}")
            return region
        if answer.status == NOT_FOUND:
            raise FetchError(
                f"{name}: bucket not found",
                hint="check the spelling; use an ARN with the partition for buckets in China and GovCloud",
            )
        return hint

    def _own_region(self) -> str | None:
        """Return this machine's region, where most of its buckets are; None if it cannot be determined."""
        try:
            return self._credentials.aws_region()
        except FetchError as caught:
            log.info(
                f"cannot determine this machine's region ({caught}); asking {DEFAULT_REGION} for the bucket"
            )
            return None

    def _keys(self) -> AwsKeys | None:
        """Return the keys of the machine's role; None for anonymous access."""
        try:
            return self._credentials.aws_keys()
        except FetchError as caught:
            log.info(f"no keys of this machine's role ({caught}); using anonymous access to S3")
            return None


class _Service:
    """S3 for one object URL; `keys` returns the keys of the machine's role, or None for anonymous access."""

    def __init__(self, keys: Callable[[], AwsKeys | None], region: str, address: str) -> None:
        self._keys = keys
        self._region = region
        self._address = address
        self._signed = False

    def auth_headers(self) -> Mapping[str, str]:
        """Return the signature headers, which S3 accepts for 15 minutes; empty without keys."""
        keys = self._keys()
        self._signed = keys is not None
        return {} if keys is None else aws.signature(keys, self._region, self._address)

    def explain(self, answer: Response) -> Cause | None:
        """Return the cause for S3's error code; None if the body has none."""
        match = _CODE.search(answer.body)
        code = match[1].decode("ascii") if match else ""
        if code in {"AccessDenied", "AllAccessDisabled"} or (not code and answer.status == 403):
            return DENIED_ROLE if self._signed else DENIED_ANONYMOUS
        if code in EXPLANATIONS:
            return EXPLANATIONS[code]
        return Cause(f"S3 returned {diagnosis.status_text(answer.status)} ({code})") if code else None
