# SPDX-License-Identifier: Apache-2.0
"""The credentials that metadata services give to the machine that asks.

One function for each cloud returns credentials that are asked for when they are needed:

    fetcher.with_credentials(aws(fetcher))

Protocols: docs/reference/platforms.md, "Metadata services".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.errors import FetchError, NotFound, TimedOut
from ignition.platform.metadata import METADATA, MetadataService
from ignition.resource.credentials import AwsKeys, Cached, Credentials

if TYPE_CHECKING:
    from ignition.resource import Fetcher

__all__ = ["aws", "azure", "google"]

HOLDS: Final = "300"
"""Lifetime of a session token of the metadata service, in seconds."""

READ_ONLY: Final = "https://www.googleapis.com/auth/devstorage.read_only"
STORAGE_SCOPES: Final = frozenset(
    {
        READ_ONLY,
        "https://www.googleapis.com/auth/devstorage.read_write",
        "https://www.googleapis.com/auth/devstorage.full_control",
        "https://www.googleapis.com/auth/cloud-platform",
        "https://www.googleapis.com/auth/cloud-platform.read-only",
    }
)
"""Scopes of a service account that allow reading from Cloud Storage."""


def aws(fetcher: Fetcher, service: str = METADATA) -> Credentials:
    """Return the credentials of an EC2 instance's role, and its region."""
    ask = MetadataService(fetcher, f"{service}/latest")
    return Credentials(
        aws_keys=Cached(lambda: aws_keys(ask)),
        aws_region=Cached(lambda: aws_region(ask)),
    )


def google(fetcher: Fetcher, service: str = METADATA) -> Credentials:
    """Return the credentials of a GCE instance's service account."""
    ask = MetadataService(fetcher, f"{service}/computeMetadata/v1/instance/service-accounts/default")
    return Credentials(google=Cached(lambda: google_authorization(ask)))


def azure(fetcher: Fetcher, service: str = METADATA) -> Credentials:
    """Return the credentials of an Azure machine's managed identity."""
    ask = MetadataService(fetcher, f"{service}/metadata/identity/oauth2")
    return Credentials(azure=Cached(lambda: azure_authorization(ask)))


def aws_token(ask: MetadataService) -> tuple[tuple[str, str], ...]:
    """Return the header with a session token (IMDSv2); none where the service has no tokens.

    The answer with a token has a hop limit of 1 and never reaches a guest behind another hop; the question
    then times out, and the older protocol without a token is used.
    """
    ttl = ("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", HOLDS)
    try:
        token = ask.get("/api/token", ttl, verb="PUT", refused=frozenset({403, 404, 405})).strip()
    except TimedOut:
        return ()
    return (("X-Aws-Ec2-Metadata-Token", token),) if token else ()


def aws_keys(ask: MetadataService) -> AwsKeys | None:
    """Return the keys of the instance's role; None without a role."""
    token = aws_token(ask)
    path = "/meta-data/iam/security-credentials/"
    try:
        role = ask.get(path, *token).strip().partition("\n")[0].strip()
    except NotFound:
        return None
    if not role:
        return None
    found = ask.object(path + role, *token)
    if found.get("Code", "Success") != "Success":
        raise FetchError(
            "the metadata service has no keys for this instance's role",
            hint="allow ec2.amazonaws.com to assume the role in its trust policy",
        )
    return AwsKeys(
        ask.string(found, "AccessKeyId"), ask.string(found, "SecretAccessKey"), ask.string(found, "Token")
    )


def aws_region(ask: MetadataService) -> str:
    """Return the region of the instance."""
    region = ask.get("/meta-data/placement/region", *aws_token(ask)).strip()
    if not region.replace("-", "").isalnum():
        raise ask.unexpected()
    return region


def google_authorization(ask: MetadataService) -> str | None:
    """Return the `Authorization` header of the service account; None without read access."""
    flavor = ("Metadata-Flavor", "Google")
    try:
        scopes = ask.get("/scopes", flavor).split()
    except FetchError as caught:
        log.info(f"no service account ({caught}); using anonymous access to Cloud Storage")
        return None
    if not STORAGE_SCOPES.intersection(scopes):
        return None
    from urllib.parse import quote

    found = ask.object(f"/token?scopes={quote(READ_ONLY, safe='')}", flavor)
    return f"{ask.string(found, 'token_type')} {ask.string(found, 'access_token')}"


def azure_authorization(ask: MetadataService) -> str | None:
    """Return the `Authorization` header of the managed identity; None if there is none."""
    query = "api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F"
    refused = frozenset({400, 404})  # statuses for machines without a managed identity
    answer = ask.get(f"/token?{query}", ("Metadata", "true"), refused=refused)
    if not answer:
        return None
    return f"Bearer {ask.string(ask.parse(answer), 'access_token')}"
