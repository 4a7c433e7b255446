"""From what a library raised to what a user can act on.

requests wraps urllib3, which wraps http.client, ssl and the kernel. The truth is
at the bottom of that chain; the texts on top hold whole URLs, so none of them is
ever shown.
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
TUNNEL_REFUSED: Final = re.compile(r"Tunnel connection failed: (\d{3})\b")
"""What http.client says, with the proxy's answer behind it."""

CERTIFICATE_TEXTS: Final[Mapping[int, tuple[str, str]]] = {
    # Codes of OpenSSL's X509_V_ERR_…
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
    """An exchange ended without a complete answer; what happened is `__cause__`, and `explain` reads it."""


def explain(error: BaseException, *, host: str, silence: str) -> Cause:
    """Why a request failed.

    `host` is who was asked, though what failed may be the way to a proxy; `silence` is
    what a time-out means at this point ("no answer within 10 s").
    """
    chain = tuple(_chain(error))
    for find in (_name, _certificate, _connection, _protocol):
        for each in chain:
            cause = find(each, host)
            if cause is not None:
                return cause
    waited = [str(each) for each in chain if isinstance(each, TimeoutError)]
    if any("handshake" in text for text in waited):
        return Cause(f"{host} does not answer the TLS handshake", "check the port, and that it serves https")
    if waited:
        return Cause(silence, "check the server's load, and packet loss on the way")
    return Cause(f"the request failed ({type(chain[-1]).__name__})")


def explain_status(status: int) -> Cause:
    """Why an answer with this status is none."""
    return Cause(f"the server answered {status_text(status)}", STATUS_HINTS.get(status, ""))


def status_text(status: int) -> str:
    """`404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was raised from, the outermost first."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [getattr(each, "reason", None), each.__cause__, each.__context__, *each.args]


def _name(error: BaseException, host: str) -> Cause | None:
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


def _certificate(error: BaseException, host: str) -> Cause | None:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error.verify_code, error.verify_message, host)
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


def _distrust(code: int, message: str, host: str) -> Cause:
    text, hint = CERTIFICATE_TEXTS.get(code, (f"its certificate was rejected ({message})", ""))
    shown = ""
    if code in {NOT_YET_VALID, EXPIRED}:
        shown = f"(the clock shows {tls.clock()})"
    if code == NOT_YET_VALID and not tls.clock_is_plausible():
        text, hint = f"{text}, because this machine's clock is wrong", CLOCK_HINT
    return Cause(f"{host} is not trusted: {text}", hint, shown)


def _connection(error: BaseException, host: str) -> Cause | None:
    import http.client

    if isinstance(error, http.client.RemoteDisconnected):
        return Cause(f"{host} closed the connection without an answer", "check that the service is running")
    if isinstance(error, ConnectFailed) and len(error.attempts) > 1:
        causes = [_os_cause(why) for _, why in error.attempts]
        tried = "; ".join(
            f"{endpoint}: {cause.text}" for (endpoint, _), cause in zip(error.attempts, causes, strict=True)
        )
        whose = error.filename or host
        return Cause(f"none of the addresses of {whose} can be reached ({tried})", causes[0].hint)
    if isinstance(error, ConnectFailed) or (isinstance(error, OSError) and error.errno in ERRNO_CAUSES):
        return _os_cause(error)
    return None


def _os_cause(error: OSError) -> Cause:
    known = ERRNO_CAUSES.get(error.errno or 0)
    return known or Cause(error.strerror or type(error).__name__)


def _protocol(error: BaseException, host: str) -> Cause | None:
    import http.client

    refusal = TUNNEL_REFUSED.match(str(error)) if type(error) is OSError else None
    if refusal is not None:
        # The proxy's own words stay where they are: they would go to a terminal.
        status = int(refusal[1])
        text = f"the proxy refused a connection to {host}: {status_text(status)}"
        return Cause(text, STATUS_HINTS.get(status, ""))
    if isinstance(error, http.client.IncompleteRead):
        return Cause("the body is incomplete", "check the server, and proxies and firewalls on the way")
    if isinstance(error, http.client.HTTPException):
        return Cause(f"{host} does not speak HTTP ({type(error).__name__})", "check the port")
    return None
