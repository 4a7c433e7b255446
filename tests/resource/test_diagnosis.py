# SPDX-License-Identifier: Apache-2.0
"""Causes and hints for exceptions of the HTTP libraries."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl

import pytest

from ignition.resource.diagnosis import ExchangeFailed, explain, explain_status
from ignition.resource.http.happy_eyeballs import ConnectFailed, Endpoint, NoSuchHost

SILENCE = "no response within 10 s"


def wrapped(cause: BaseException) -> ExchangeFailed:
    """Wrap a cause as the libraries do, in exceptions whose messages contain URLs."""
    middle = ConnectionError("HTTPConnectionPool: Max retries exceeded with url: /?sig=secret")
    middle.__context__ = cause
    outer = ExchangeFailed()
    outer.__cause__ = middle
    return outer


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def tls_error(code: int, message: str = "") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    return error


def at(address: str) -> Endpoint:
    return Endpoint(socket.AF_INET, (address, 80))


NO_ROUTE = (at("2001:db8::1"), os_error(errno.ENETUNREACH))
REFUSED = (at("192.0.2.1"), os_error(errno.ECONNREFUSED))
BOTH = "2001:db8::1: no route to the network; 192.0.2.1: connection refused"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NoSuchHost(socket.EAI_NONAME, "?"), "cannot resolve h.example: no such name"),
        (NoSuchHost(socket.EAI_AGAIN, "?"),
         "cannot resolve h.example: no name server answers"),
        (os_error(errno.ECONNREFUSED), "connection refused"),
        (os_error(errno.ENETUNREACH), "no route to the network"),
        (os_error(errno.EHOSTUNREACH), "no route to the host"),
        (os_error(errno.ETIMEDOUT), "the host does not answer"),
        (os_error(errno.ECONNRESET), "the connection was reset"),
        (NoSuchHost(socket.EAI_NONAME, "?", "proxy.example"), "cannot resolve proxy.example: no such name"),
        (NoSuchHost(socket.EAI_NONAME, "?", "fe80::1%eth7"),
         "fe80::1%eth7 names an interface that does not exist on this machine"),
        (os_error(errno.EACCES), "this machine's own routes or packet filters forbid the connection"),
        (os_error(errno.EINVAL), "this machine cannot connect to that address"),
        (ConnectFailed((REFUSED,)), "connection refused"),
        (ConnectFailed(((at("192.0.2.1"), os_error(errno.EPERM)),)), "Operation not permitted"),
        (
            ConnectFailed((NO_ROUTE, REFUSED)),
            f"none of the addresses of h.example can be reached ({BOTH})",
        ),
        (TimeoutError("timed out"), SILENCE),
        (http.client.RemoteDisconnected("?"), "h.example closed the connection without an answer"),
        (http.client.IncompleteRead(b"", 5), "the body is incomplete"),
        (http.client.BadStatusLine("secret"), "h.example does not speak HTTP (BadStatusLine)"),
        (OSError("Tunnel connection failed: 403 \x1b[2J"),
         "the proxy refused a connection to h.example: 403 Forbidden"),
        (tls_error(19), "h.example is not trusted: the root of its certificate chain is not trusted"),
        (tls_error(23), "h.example is not trusted: its certificate was revoked"),
        (tls_error(66, "EE certificate key too weak"),
         "h.example is not trusted: its certificate was rejected (EE certificate key too weak)"),
        (RuntimeError("secret"), "the request failed (RuntimeError)"),
    ],
)  # fmt: skip
def test_explain_wrapped_error_returns_innermost_cause(error: BaseException, text: str) -> None:
    assert explain(wrapped(error), host="h.example", silence=SILENCE).text == text


def test_explain_tls_alert_names_openssl_reason() -> None:
    error = ssl.SSLError(1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version (_ssl.c:1)")
    error.reason = "TLSV1_ALERT_PROTOCOL_VERSION"
    cause = explain(wrapped(error), host="h.example", silence=SILENCE)
    assert cause.text == "TLS handshake with h.example failed (TLSV1_ALERT_PROTOCOL_VERSION)"


@pytest.mark.parametrize(
    ("status", "text", "hint"),
    [
        (401, "the server answered 401 Unauthorized", "Authorization header"),
        (403, "the server answered 403 Forbidden", "permissions"),
        (404, "the server answered 404 Not Found", "path of the URL"),
        (503, "the server answered 503 Service Unavailable", "reduce its load"),
        (599, "the server answered 599", ""),
    ],
)
def test_explain_status_returns_text_and_hint(status: int, text: str, hint: str) -> None:
    cause = explain_status(status)
    assert cause.text == text
    assert hint in cause.hint
