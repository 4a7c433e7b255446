# SPDX-License-Identifier: Apache-2.0
"""URLs of S3 objects and signatures of requests to S3, by boto3 and botocore.

boto3 sends nothing here. Requests are sent by `http.client.Http`, with the timeouts, retries, proxies, TLS
trust and resumption of all other fetches. boto3 reads settings and credentials from the environment and the
home directory by default; the session here reads neither.

Source: docs/reference/fetching.md, "S3".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Final

from ignition.errors import FetchError
from ignition.lazy import requires
from ignition.resource.credentials import AwsKeys

if TYPE_CHECKING:
    from boto3.session import Session
    from types_boto3_s3 import S3Client

__all__ = ["Addresses", "signature"]

PACKAGES: Final = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3")
"""boto3 and the packages that it imports."""

OPTIONS: Final[Mapping[str, object]] = {
    "config_file": os.devnull,
    "credentials_file": os.devnull,
    "ignore_configured_endpoint_urls": True,
    "use_dualstack_endpoint": True,
    "s3": {"use_arn_region": True},
}
"""Settings that differ from boto3's defaults: no configuration files, and dual-stack endpoints."""


class Addresses:
    """URLs of buckets and objects, by region. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._session: Session | None = None
        self._clients: dict[str, S3Client] = {}

    def bucket(self, region: str, bucket: str) -> str:
        """Return the URL of a bucket.

        Raises:
            FetchError: the bucket name or the region is invalid.
        """
        return self._url(region, "head_bucket", {"Bucket": bucket})

    def object(self, region: str, bucket: str, key: str, version: str) -> str:
        """Return the URL of an object; `bucket` may be the ARN of an access point, `version` may be empty.

        Raises:
            FetchError: the bucket name, the ARN or the region is invalid.
        """
        names = {"Bucket": bucket, "Key": key}
        return self._url(region, "get_object", {**names, "VersionId": version} if version else names)

    def _url(self, region: str, method: str, names: Mapping[str, str]) -> str:
        with requires("s3 sources", *PACKAGES):
            from botocore.exceptions import BotoCoreError, ParamValidationError

        try:
            with self._lock, requires("s3 sources", *PACKAGES):
                client = self._client(region)
                # With an unsigned client, the "presigned" URL is the URL without a signature.
                return client.generate_presigned_url(method, Params=dict(names))
        except ParamValidationError as caught:
            raise FetchError(
                f"{names['Bucket']!r} is not a valid S3 bucket or access point name",
                hint="use letters, digits, dots and hyphens only",
            ) from caught
        except (BotoCoreError, ValueError) as caught:
            why = " ".join(str(caught).split())
            raise FetchError(
                f"no S3 endpoint for {names['Bucket']} in region {region!r}: {why}",
                hint="check the region in the ARN",
            ) from caught

    def _client(self, region: str) -> S3Client:
        if region not in self._clients:
            self._session = self._session or _session()
            self._clients[region] = _anonymous(self._session, region)
        return self._clients[region]


def signature(keys: AwsKeys, region: str, url: str) -> dict[str, str]:
    """Return the headers that sign a GET of the URL at the current time (Signature Version 4)."""
    with requires("s3 sources", *PACKAGES):
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

    request = AWSRequest(method="GET", url=url)
    credentials = Credentials(keys.access, keys.secret, keys.token or None)
    S3SigV4Auth(credentials, "s3", region).add_auth(request)
    return dict(request.headers.items())


def _session() -> Session:
    """Create a session with boto3's defaults, without settings and credentials of this machine."""
    import boto3.session
    from botocore.configprovider import ConfigValueStore, ConstantProvider
    from botocore.credentials import CredentialResolver
    from botocore.session import Session as Core

    defaults = {name: default for name, (_, _, default, _) in Core.SESSION_VARIABLES.items()}
    fixed = {name: ConstantProvider(value) for name, value in {**defaults, **OPTIONS}.items()}
    core = Core()
    core.register_component("config_store", ConfigValueStore(fixed))
    core.register_component("credential_provider", CredentialResolver(providers=[]))
    return boto3.session.Session(botocore_session=core)


def _anonymous(session: Session, region: str) -> S3Client:
    """Create an unsigned client."""
    from botocore import UNSIGNED
    from botocore.config import Config

    return session.client("s3", region_name=region, config=Config(signature_version=UNSIGNED))
