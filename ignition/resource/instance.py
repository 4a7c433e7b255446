"""Asking a cloud's metadata service for the credentials of the machine that runs in it.

One function per cloud, for the platforms to put into an `Identity`:

    fetcher.with_identity(Identity(aws_keys=lambda: aws_keys(fetcher)))

Each returns None for a machine that has none, and gives up after some seconds: a
service that does not answer must not hold a boot that may do without.

Source: providers.md sections 5.4, 5.5 and 5.11.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ignition.errors import FetchError, NotFound
from ignition.resource.identity import AwsKeys
from ignition.resource.request import Request

if TYPE_CHECKING:
    from ignition.resource import Fetcher

__all__ = ["METADATA", "aws_keys", "azure_authorization", "google_authorization"]

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


def aws_keys(fetcher: Fetcher, service: str = METADATA) -> AwsKeys | None:
    """The keys of an EC2 instance's role; None without a role.

    Raises:
        FetchError: the service does not answer, or not as it should.
    """
    ask = _Service(fetcher, f"{service}/latest")
    ttl = ("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", HOLDS)
    token = ask.get("/api/token", ttl, verb="PUT", refused=frozenset({403, 404, 405}))
    header = [("X-Aws-Ec2-Metadata-Token", token.strip())] if token.strip() else []
    path = "/meta-data/iam/security-credentials/"
    try:
        role = ask.get(path, *header).strip().partition("\n")[0].strip()
    except NotFound:
        return None
    if not role:
        return None
    found = ask.values(path + role, *header)
    if found.get("Code", "Success") != "Success":
        raise FetchError(
            "the metadata service has no keys for this instance's role",
            hint="check the role's trust policy: ec2.amazonaws.com has to be allowed to assume it",
        )
    return AwsKeys(
        ask.text(found, "AccessKeyId"), ask.text(found, "SecretAccessKey"), ask.text(found, "Token")
    )


def google_authorization(fetcher: Fetcher, service: str = METADATA) -> str | None:
    """The `Authorization` of a GCE instance's service account; None if it has none that may read.

    Raises:
        FetchError: there is one, but no token for it.
    """
    ask = _Service(fetcher, f"{service}/computeMetadata/v1/instance/service-accounts/default")
    flavor = ("Metadata-Flavor", "Google")
    try:
        scopes = ask.get("/scopes", flavor).split()
    except FetchError:
        return None
    if not STORAGE_SCOPES.intersection(scopes):
        return None
    from urllib.parse import quote

    found = ask.values(f"/token?scopes={quote(READ_ONLY, safe='')}", flavor)
    return f"{ask.text(found, 'token_type')} {ask.text(found, 'access_token')}"


def azure_authorization(fetcher: Fetcher, service: str = METADATA) -> str | None:
    """The `Authorization` of an Azure machine's managed identity; None if it has none.

    Raises:
        FetchError: the service does not answer, or not as it should.
    """
    ask = _Service(fetcher, f"{service}/metadata/identity/oauth2")
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

        # The service is on the link; neither proxies nor authorities of a config are its business.
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
        except ValueError as caught:
            raise self._unexpected() from caught
        if not isinstance(found, dict):
            raise self._unexpected()
        return found

    def text(self, found: dict[str, Any], name: str) -> str:
        """One text of an object."""
        value = found.get(name)
        if not isinstance(value, str) or not value:
            raise self._unexpected()
        return value

    def _unexpected(self) -> FetchError:
        return FetchError(f"{self._base}: the metadata service answered something else than credentials")
