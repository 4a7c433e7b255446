# SPDX-License-Identifier: Apache-2.0
"""Translate transport exceptions into causes and hints for users.

requests wraps urllib3, which wraps http.client, ssl and the kernel. The innermost exception of that chain has
the cause. The messages of the outer exceptions contain whole URLs with their secrets, so they are never
shown.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final

from ignition.resource import tls
from ignition.resource.http.happy_eyeballs import ConnectFailed, NoSuchHost
from ignition.resource.retry_log import Cause

__all__ = ["ExchangeFailed", "explain", "explain_status", "status_text"]

NETWORK_HINT: Final = "check the network settings (ip=… on the kernel command line), cable and gateway"

AUTHORITY_HINT: Final = "add its certificate authority to ignition.security.tls.certificateAuthorities"

ERRNO_CAUSES: Final[Mapping[int, Cause]] = {
    errno.ECONNREFUSED: Cause("connection refused", "start the service, or open the port in the firewall"),
    errno.ENETUNREACH: Cause("no route to the network", NETWORK_HINT),
    errno.EHOSTUNREACH: Cause("no route to the host", NETWORK_HINT),
    errno.ETIMEDOUT: Cause(
        "the host does not answer", "start the host, or allow the traffic in the firewall"
    ),
    errno.ECONNRESET: Cause(
        "the connection was reset", "check firewalls and proxies between this machine and the server"
    ),
    errno.ECONNABORTED: Cause(
        "the connection was aborted", "check firewalls and proxies between this machine and the server"
    ),
    errno.EPIPE: Cause("the server closed the connection", ""),
    errno.EADDRNOTAVAIL: Cause("this machine has no address of that kind yet", NETWORK_HINT),
    errno.EACCES: Cause("this machine's own routes or packet filters forbid the connection", NETWORK_HINT),
    errno.EINVAL: Cause(
        "this machine cannot connect to that address",
        "name the interface of a link-local address, as in http://[fe80::1%25eth0]/",
    ),
    errno.EAFNOSUPPORT: Cause(
        "this machine does not support that kind of address (IPv6 may be off)", NETWORK_HINT
    ),
}

STATUS_HINTS: Final[Mapping[int, str]] = {
    401: "set an Authorization header, or user and password in the URL",
    403: "check the permissions on the server; a signed URL may have expired",
    404: "check the path of the URL (host name and network work)",
    405: "use a URL that the server serves with GET",
    407: "put user and password into the proxy's URL",
    410: "the resource was removed; use another URL",
    429: "reduce the number of machines that fetch at the same time",
    502: "start the server behind the gateway",
    503: "start the service, or reduce its load",
    504: "check the server behind the gateway",
}

CLOCK_HINT: Final = "set the clock: in the firmware, or by NTP before this stage"

NOT_YET_VALID: Final = 9
EXPIRED: Final = 10
_TUNNEL_REFUSED: Final = re.compile(r"Tunnel connection failed: (\d{3})\b")
"""See `_tunnel_status`."""

CERTIFICATE_TEXTS: Final[Mapping[int, tuple[str, str]]] = {
    # OpenSSL's X509_V_ERR_… codes, see X509_STORE_CTX_get_error(3ssl).
    NOT_YET_VALID: (
        "its certificate is not yet valid",
        "set this machine's clock, or renew the certificate",
    ),
    EXPIRED: (
        "its certificate has expired",
        "renew the server's certificate, or correct this machine's clock",
    ),
    18: ("its certificate is self-signed and not trusted", "add it to ignition.security.tls"),
    19: ("the root of its certificate chain is not trusted", AUTHORITY_HINT),
    20: ("its certificate comes from an untrusted authority", AUTHORITY_HINT),
    21: ("its certificate cannot be verified", AUTHORITY_HINT),
    23: ("its certificate was revoked", "renew the server's certificate"),
    62: ("its certificate is for another name", "use the name in the certificate"),
    64: ("its certificate is not for this address", "use the name in the certificate"),
}


class ExchangeFailed(Exception):
    """An exchange without a complete response; `__cause__` is the library's exception (see `explain`)."""


def explain(error: BaseException, *, host: str, silence: str) -> Cause:
    """Return the cause of a failed request.

    Args:
        error: the outermost exception.
        host: the host of the URL; the failure may also be of the connection to a proxy.
        silence: the text of the cause if the request timed out ("no response within 10 s").
    """
    chain = tuple(_chain(error))
    for find in (_name_cause, _tls_cause, _connection_cause, _protocol_cause):
        for each in chain:
            cause = find(each, host)
            if cause is not None:
                return cause
    timeouts = [each for each in chain if isinstance(each, TimeoutError)]
    if any(map(_is_handshake_timeout, timeouts)):
        return Cause(f"{host} does not answer the TLS handshake", "check the port, and that it serves https")
    if timeouts:
        return Cause(silence, "check the server's load, and packet loss on the way")
    return Cause(f"the request failed ({type(chain[-1]).__name__})")


def explain_status(status: int) -> Cause:
    """Return the cause for a response status that is not accepted."""
    return Cause(f"the server answered {status_text(status)}", STATUS_HINTS.get(status, ""))


def status_text(status: int) -> str:
    """Return the status with its reason phrase, as in `404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all exceptions that it wraps, outermost first.

    requests and urllib3 put a wrapped exception into `args` or `reason`, not always into `__cause__`.
    """
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        each = queue.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        queue += [getattr(each, "reason", None), each.__cause__, each.__context__, *each.args]


def _name_cause(error: BaseException, host: str) -> Cause | None:
    import socket

    if not isinstance(error, (NoSuchHost, socket.gaierror)):
        return None
    host = error.filename or host
    if "%" in host:
        return Cause(
            f"{host} names an interface that does not exist on this machine",
            "correct the interface name after %25",
        )
    if error.errno == socket.EAI_AGAIN:
        return Cause(
            f"cannot resolve {host}: no name server answers",
            "check the name servers (nameserver=… on the kernel command line, DHCP)",
        )
    return Cause(f"cannot resolve {host}: no such name", "check the spelling and the name servers")


def _tls_cause(error: BaseException, host: str) -> Cause | None:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return _verification_cause(error.verify_code, error.verify_message, host)
    if not isinstance(error, ssl.SSLError) or isinstance(error, TimeoutError):
        return None
    if error.reason == "WRONG_VERSION_NUMBER":
        return Cause(
            f"{host} does not speak TLS on that port",
            "use http:// instead of https://, or correct the port",
        )
    if isinstance(error, ssl.SSLEOFError):
        return Cause(f"{host} closed the TLS connection", "")
    return Cause(
        f"TLS handshake with {host} failed ({error.reason or 'unknown reason'})",
        "update the server's TLS versions, ciphers or certificates to this machine's policy",
    )


def _verification_cause(code: int, message: str, host: str) -> Cause:
    """Return the cause of a failed certificate verification; `code` and `message` are OpenSSL's."""
    text, hint = CERTIFICATE_TEXTS.get(code, (f"its certificate was rejected ({message})", ""))
    detail = ""
    if code in {NOT_YET_VALID, EXPIRED}:
        detail = f"(the clock shows {tls.clock()})"
    if code == NOT_YET_VALID and not tls.clock_is_plausible():
        text, hint = f"{text}, because this machine's clock is wrong", CLOCK_HINT
    return Cause(f"{host} is not trusted: {text}", hint, detail)


def _is_handshake_timeout(error: TimeoutError) -> bool:
    """Whether a timeout occurred in the TLS handshake.

    CPython's `_ssl` module raises a plain `TimeoutError("_ssl.c:…: The handshake operation timed out")`. It
    has no errno and no attribute for the operation, so the message is the only way to tell it from a read
    timeout.
    """
    return "handshake" in str(error)


def _connection_cause(error: BaseException, host: str) -> Cause | None:
    import http.client

    if isinstance(error, http.client.RemoteDisconnected):
        return Cause(f"{host} closed the connection without an answer", "check that the service is running")
    if isinstance(error, ConnectFailed) and len(error.attempts) > 1:
        causes = [_os_cause(why) for _, why in error.attempts]
        tried = "; ".join(
            f"{endpoint}: {cause.text}" for (endpoint, _), cause in zip(error.attempts, causes, strict=True)
        )
        name = error.filename or host
        return Cause(f"none of the addresses of {name} can be reached ({tried})", causes[0].hint)
    if isinstance(error, ConnectFailed) or (isinstance(error, OSError) and error.errno in ERRNO_CAUSES):
        return _os_cause(error)
    return None


def _os_cause(error: OSError) -> Cause:
    known = ERRNO_CAUSES.get(error.errno or 0)
    return known or Cause(error.strerror or type(error).__name__)


def _protocol_cause(error: BaseException, host: str) -> Cause | None:
    import http.client

    status = _tunnel_status(error)
    if status is not None:
        text = f"the proxy refused a connection to {host}: {status_text(status)}"
        return Cause(text, STATUS_HINTS.get(status, ""))
    if isinstance(error, http.client.IncompleteRead):
        return Cause("the body is incomplete", "check the server, and proxies and firewalls on the way")
    if isinstance(error, http.client.HTTPException):
        return Cause(f"{host} does not speak HTTP ({type(error).__name__})", "check the port")
    return None


def _tunnel_status(error: BaseException) -> int | None:
    """Return the HTTP status with which a proxy refused CONNECT; None for other errors.

    `http.client.HTTPConnection._tunnel` raises a plain `OSError("Tunnel connection failed: 403 Forbidden")`.
    The exception has no errno and no attribute for the status, and the connection discards the response, so
    the message is the only source. The reason phrase in the message is the proxy's text and is not shown,
    because it could contain terminal control characters.
    """
    refusal = _TUNNEL_REFUSED.match(str(error)) if type(error) is OSError else None
    return None if refusal is None else int(refusal[1])
