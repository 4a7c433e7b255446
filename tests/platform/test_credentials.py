# SPDX-License-Identifier: Apache-2.0
"""Credentials from metadata services on loopback; errors do not quote the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ignition.errors import FetchError
from ignition.platform import credentials
from ignition.resource import Fetcher
from ignition.resource.credentials import CACHE_TIME, AwsKeys, Cached
from tests.lab.logged import Log
from tests.lab.server import NEVER, Answer, HttpServer, Request, Responder
from tests.resource.conftest import FakeClock

ROLE = "/latest/meta-data/iam/security-credentials/"
GOOGLE = "/computeMetadata/v1/instance/service-accounts/default"
AZURE = "/metadata/identity/oauth2/token"
KEYS = {"Code": "Success", "AccessKeyId": "AKID", "SecretAccessKey": "geheim", "Token": "geheimer"}


def service(server: HttpServer) -> str:
    return server.url("").rstrip("/")


def keys_of(server: HttpServer, **more: Any) -> AwsKeys | None:
    return credentials.aws(Fetcher(**more), service(server)).aws_keys()


def region_of(server: HttpServer) -> str | None:
    return credentials.aws(Fetcher(), service(server)).aws_region()


def google_of(server: HttpServer) -> str | None:
    return credentials.google(Fetcher(), service(server)).google()


def azure_of(server: HttpServer) -> str | None:
    return credentials.azure(Fetcher(), service(server)).azure()


@pytest.mark.parametrize("token", [b"tok\n", Answer(status=403), Answer(status=404), Answer(status=405)])
def test_aws_keys_of_role_are_returned(server: HttpServer, token: bytes | Answer, logged: Log) -> None:
    server.answer("/latest/api/token", token, method="PUT")
    server.answer(ROLE, b"role\nother\n")
    server.answer(ROLE + "role", json.dumps(KEYS).encode())
    keys = keys_of(server)
    assert keys is not None
    assert (keys.access, keys.secret, keys.token) == ("AKID", "geheim", "geheimer")
    assert server.requests[0].headers["x-aws-ec2-metadata-token-ttl-seconds"] == "300"
    sent = [request.headers.get("x-aws-ec2-metadata-token") for request in server.requests[1:]]
    assert sent == (["tok"] * 2 if isinstance(token, bytes) else [None] * 2)
    assert "geheim" not in logged.text + repr(keys)


def test_instance_without_role_has_no_keys(server: HttpServer) -> None:
    server.answer("/latest/api/token", b"tok")
    assert keys_of(server) is None
    server.answer(ROLE, b"")
    assert keys_of(server) is None


def with_token(answer: bytes, token: str = "tok") -> Responder:
    """Answer like a service that requires tokens."""

    def respond(request: Request) -> Answer:
        known = request.headers.get("x-aws-ec2-metadata-token") == token
        return Answer(answer) if known else Answer(status=401)

    return respond


def test_aws_region_is_returned(server: HttpServer) -> None:
    server.answer("/latest/api/token", b"tok", method="PUT")
    server.respond("/latest/meta-data/placement/region", with_token(b"eu-west-1\n"))
    assert region_of(server) == "eu-west-1"


@pytest.mark.parametrize("answer", [b"", b"<html>", Answer(status=404)])
def test_malformed_region_is_an_error(server: HttpServer, answer: bytes | Answer) -> None:
    server.answer("/latest/api/token", b"tok", method="PUT")
    server.answer("/latest/meta-data/placement/region", answer)
    with pytest.raises(FetchError):
        region_of(server)


def test_lost_token_falls_back_to_requests_without(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service sends the token with a hop limit of 1, which keeps it from containers."""
    monkeypatch.setattr("ignition.platform.metadata.ANSWER", 0.1)
    server.answer("/latest/api/token", Answer(b"tok", delay=NEVER), method="PUT")
    server.answer(ROLE, b"role")
    server.answer(ROLE + "role", json.dumps(KEYS).encode())
    keys = keys_of(server, clock=FakeClock())
    assert keys is not None
    assert keys.access == "AKID"


def test_credentials_are_not_asked_before_use(server: HttpServer) -> None:
    for make in (credentials.aws, credentials.google, credentials.azure):
        Fetcher().with_credentials(make(Fetcher(), service(server)))
    assert server.asked() == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>geheim",
        b"[]",
        b"{}",
        json.dumps({**KEYS, "Token": 1}).encode(),
        b'{"Code": "Failed"}',
        b"[" * 100_000,
    ],
)
def test_malformed_keys_are_an_error(server: HttpServer, answer: bytes) -> None:
    server.answer("/latest/api/token", b"tok")
    server.answer(ROLE, b"role")
    server.answer(ROLE + "role", answer)
    with pytest.raises(FetchError) as caught:
        keys_of(server)
    assert "geheim" not in f"{caught.value}"


def test_google_service_account_token_is_returned(server: HttpServer) -> None:
    server.answer(f"{GOOGLE}/scopes", b"https://www.googleapis.com/auth/devstorage.read_only\nx\n")
    server.answer(f"{GOOGLE}/token", b'{"access_token": "geheim", "token_type": "Bearer", "expires_in": 9}')
    assert google_of(server) == "Bearer geheim"
    assert all(request.headers["metadata-flavor"] == "Google" for request in server.requests)
    scope = "?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fdevstorage.read_only"
    assert server.requests[-1].target.endswith(scope)


def test_service_account_without_read_scope_is_none(server: HttpServer) -> None:
    assert google_of(server) is None
    server.answer(f"{GOOGLE}/scopes", b"https://www.googleapis.com/auth/logging.write")
    assert google_of(server) is None
    assert not server.asked(f"{GOOGLE}/token")


def test_azure_managed_identity_token_is_returned(server: HttpServer) -> None:
    server.answer(AZURE, b'{"access_token": "geheim"}')
    assert azure_of(server) == "Bearer geheim"
    assert server.requests[0].headers["metadata"] == "true"
    assert "resource=https%3A%2F%2Fstorage.azure.com%2F" in server.requests[0].target


@pytest.mark.parametrize("status", [400, 404])
def test_missing_managed_identity_is_none(server: HttpServer, status: int) -> None:
    server.answer(AZURE, Answer(b"no", status))
    assert azure_of(server) is None


@pytest.mark.parametrize("fails", [True, False])
def test_answers_are_cached_for_a_minute(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    now = 1000.0
    asked = 0
    monkeypatch.setattr("time.monotonic", lambda: now)

    def ask() -> None:
        nonlocal asked
        asked += 1
        if fails:
            raise FetchError("not now")

    remembered: Callable[[], None] = Cached(ask)
    for later in (0, CACHE_TIME - 1, 1):
        now += later
        if fails:
            with pytest.raises(FetchError):
                remembered()
        else:
            remembered()
    assert asked == 2
