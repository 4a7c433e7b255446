"""Asking a cloud's metadata service for the credentials of the machine that runs in it.

One function per cloud makes an identity that asks when it is needed, and not before:

    fetcher.with_identity(aws(fetcher))

Each question is given up after some seconds: a service that does not answer must not hold a
boot that may do without. The services are on the link, and asked without the settings of a config.

Source: providers.md sections 5.4, 5.5 and 5.11.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ignition import log
from ignition.errors import FetchError, NotFound, TimedOut
from ignition.resource.credentials import AwsKeys, Identity, Remembered
from ignition.resource.http.request import Request

if TYPE_CHECKING:
    from ignition.resource import Fetcher

__all__ = ["METADATA", "aws", "azure", "google"]

METADATA: Final = "http://169.254.169.254"

WITHIN: Final = 15.0
"""Seconds for each question, with all attempts."""
ANSWER: Final = 5.0
"""Seconds for one answer."""

HOLDS: Final = "300"
"""Seconds that a token for the metadata service itself is to hold."""

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
"""Scopes of a service account with which it may read from Cloud Storage."""


def aws(fetcher: Fetcher, service: str = METADATA) -> Identity:
    """The role of an EC2 instance, and its region."""
    ask = _Service(fetcher, f"{service}/latest")
    return Identity(
        aws_keys=Remembered(lambda: aws_keys(ask)),
        aws_region=Remembered(lambda: aws_region(ask)),
    )


def google(fetcher: Fetcher, service: str = METADATA) -> Identity:
    """The service account of a GCE instance."""
    ask = _Service(fetcher, f"{service}/computeMetadata/v1/instance/service-accounts/default")
    return Identity(google=Remembered(lambda: google_authorization(ask)))


def azure(fetcher: Fetcher, service: str = METADATA) -> Identity:
    """The managed identity of an Azure machine."""
    ask = _Service(fetcher, f"{service}/metadata/identity/oauth2")
    return Identity(azure=Remembered(lambda: azure_authorization(ask)))


def aws_token(ask: _Service) -> tuple[tuple[str, str], ...]:
    """The header with which the service answers; none where it wants none, or where tokens get lost.

    The answer with a token reaches no container or guest that is one hop too far; others do.
    """
    ttl = ("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", HOLDS)
    try:
        token = ask.get("/api/token", ttl, verb="PUT", refused=frozenset({403, 404, 405})).strip()
    except TimedOut:
        return ()
    return (("X-Aws-Ec2-Metadata-Token", token),) if token else ()


def aws_keys(ask: _Service) -> AwsKeys | None:
    """The keys of the instance's role; None without a role."""
    token = aws_token(ask)
    path = "/meta-data/iam/security-credentials/"
    try:
        role = ask.get(path, *token).strip().partition("\n")[0].strip()
    except NotFound:
        return None
    if not role:
        return None
    found = ask.values(path + role, *token)
    if found.get("Code", "Success") != "Success":
        raise FetchError(
            "the metadata service has no keys for this instance's role",
            hint="check the role's trust policy: ec2.amazonaws.com has to be allowed to assume it",
        )
    return AwsKeys(
        ask.text(found, "AccessKeyId"), ask.text(found, "SecretAccessKey"), ask.text(found, "Token")
    )


def aws_region(ask: _Service) -> str:
    """The region that the instance runs in."""
    region = ask.get("/meta-data/placement/region", *aws_token(ask)).strip()
    if not region.replace("-", "").isalnum():
        raise ask.unexpected()
    return region


def google_authorization(ask: _Service) -> str | None:
    """The `Authorization` of the service account; None if there is none that may read."""
    flavor = ("Metadata-Flavor", "Google")
    try:
        scopes = ask.get("/scopes", flavor).split()
    except FetchError as caught:
        log.info(f"no service account of this machine ({caught}); asking Cloud Storage as anybody")
        return None
    if not STORAGE_SCOPES.intersection(scopes):
        return None
    from urllib.parse import quote

    found = ask.values(f"/token?scopes={quote(READ_ONLY, safe='')}", flavor)
    return f"{ask.text(found, 'token_type')} {ask.text(found, 'access_token')}"


def azure_authorization(ask: _Service) -> str | None:
    """The `Authorization` of the managed identity; None if there is none."""
    query = "api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F"
    refused = frozenset({400, 404})  # what it says to machines without an identity
    answer = ask.get(f"/token?{query}", ("Metadata", "true"), refused=refused)
    if not answer:
        return None
    return f"Bearer {ask.text(ask.parsed(answer), 'access_token')}"


class _Service:
    """The metadata service below one address; its answers are never quoted, for they are secret."""

    def __init__(self, fetcher: Fetcher, base: str) -> None:
        from ignition.resource import Settings

        self._fetcher = fetcher.with_settings(Settings(response_headers=ANSWER, total=WITHIN))
        self._base = base

    def get(
        self, path: str, *headers: tuple[str, str], verb: str = "GET", refused: frozenset[int] = frozenset()
    ) -> str:
        """What the service answers; nothing at all for a status in `refused`."""
        accept = frozenset({200}) | refused
        answer = self._fetcher.request(Request(self._base + path, verb, headers, accept=accept))
        return "" if answer.status in refused else answer.body.decode("utf-8", "replace")

    def values(self, path: str, *headers: tuple[str, str]) -> dict[str, Any]:
        """The object that the service answers."""
        return self.parsed(self.get(path, *headers))

    def parsed(self, answer: str) -> dict[str, Any]:
        """The object that is in an answer."""
        try:
            found = json.loads(answer)
        except (ValueError, RecursionError) as caught:
            raise self.unexpected() from caught
        if not isinstance(found, dict):
            raise self.unexpected()
        return found

    def text(self, found: dict[str, Any], name: str) -> str:
        """One text of an object."""
        value = found.get(name)
        if not isinstance(value, str) or not value:
            raise self.unexpected()
        return value

    def unexpected(self) -> FetchError:
        """The error for an answer that is none to the question."""
        return FetchError(f"{self._base}: the metadata service answered something else than was asked for")
