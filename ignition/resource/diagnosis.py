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

AUTHORITY_HINT: Final = "add its authority to ignition.security.tls.certificateAuthorities"

ERRNO_CAUSES: Final[Mapping[int, Cause]] = {
    errno.ECONNREFUSED: Cause(
        "connection refused", "nothing listens on that port, or a firewall refuses; is the service up?"
    ),
    errno.ENETUNREACH: Cause("no route to that network", NETWORK_HINT),
    errno.EHOSTUNREACH: Cause("no route to the host", NETWORK_HINT),
    errno.ETIMEDOUT: Cause(
        "the host does not answer", "a firewall may drop the packets, or the host is down"
    ),
    errno.ECONNRESET: Cause("the connection was reset", "something between here and the server cut it"),
    errno.ECONNABORTED: Cause("the connection was aborted", "something between here and the server cut it"),
    errno.EPIPE: Cause("the server closed the connection", ""),
    errno.EADDRNOTAVAIL: Cause("there is no address of that kind on this machine yet", NETWORK_HINT),
    errno.EACCES: Cause("this machine's own routes or filters forbid it", NETWORK_HINT),
    errno.EINVAL: Cause(
        "this machine cannot connect to that address",
        "a link-local address needs its interface, as in http://[fe80::1%25eth0]/",
    ),
    errno.EAFNOSUPPORT: Cause(
        "this machine does not speak that kind of address (IPv6 may be off)", NETWORK_HINT
    ),
}

STATUS_HINTS: Final[Mapping[int, str]] = {
    401: "the server wants credentials: set an Authorization header, or user and password in the URL",
    403: "the server knows the request and refuses it: check permissions; a signed URL may have expired",
    404: "check the path of the URL; the server answered, so the name and the network are right",
    405: "the server does not let this be read with that method",
    407: "the proxy wants credentials: put them into the proxy's URL",
    410: "the server says it is gone for good",
    429: "the server is asked too often",
    502: "the server in front is up, the one behind it is not",
    503: "the service is not available yet, or overloaded",
    504: "the server in front is up, the one behind it does not answer",
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
        "set this machine's clock, or the server's when it made the certificate",
    ),
    EXPIRED: (
        "its certificate has expired",
        "the server needs a new certificate; or this machine's clock is fast",
    ),
    18: ("its certificate is signed by itself and not trusted", "add it to ignition.security.tls"),
    19: ("the root of its certificate chain is not trusted", AUTHORITY_HINT),
    20: ("its certificate comes from an authority that is not trusted", AUTHORITY_HINT),
    21: ("its certificate cannot be verified", AUTHORITY_HINT),
    23: ("its certificate was revoked", "the server needs a new certificate"),
    62: ("its certificate is for another name", "use the name that the certificate was made for"),
    64: ("its certificate is not for this address", "use the name that the certificate was made for"),
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
        return Cause(f"{host} does not answer the TLS handshake", "is it the right port, and https:// there?")
    if waited:
        return Cause(silence, "the server is up but slow, or something between here and it swallows packets")
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
            f"{host} names an interface that this machine does not have", "check its name, behind the %25"
        )
    if error.errno == socket.EAI_AGAIN:
        return Cause(
            f"the name {host} could not be looked up: no name server answers",
            "check the name servers (nameserver=… on the kernel command line, DHCP)",
        )
    return Cause(f"the name {host} does not resolve", "check the spelling, and the name servers in use")


def _certificate(error: BaseException, host: str) -> Cause | None:
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error.verify_code, error.verify_message, host)
    if not isinstance(error, ssl.SSLError) or isinstance(error, TimeoutError):
        return None
    if error.reason == "WRONG_VERSION_NUMBER":
        return Cause(
            f"{host} does not speak TLS on that port",
            "is it http:// in place of https://, or the wrong port?",
        )
    if isinstance(error, ssl.SSLEOFError):
        return Cause(f"{host} ended the TLS connection", "")
    return Cause(
        f"no TLS connection with {host} ({error.reason or 'unknown reason'})",
        "the server's TLS versions, ciphers or certificates may be too old for this machine's policy",
    )


def _distrust(code: int, message: str, host: str) -> Cause:
    text, hint = CERTIFICATE_TEXTS.get(code, (f"its certificate was refused ({message})", ""))
    shown = ""
    if code in {NOT_YET_VALID, EXPIRED}:
        shown = f"(the clock shows {tls.clock()})"
    if code == NOT_YET_VALID and not tls.clock_is_plausible():
        text, hint = f"{text}, and this machine's clock is wrong", CLOCK_HINT
    return Cause(f"{host} is not trusted: {text}", hint, shown)


def _connection(error: BaseException, host: str) -> Cause | None:
    import http.client

    if isinstance(error, http.client.RemoteDisconnected):
        return Cause(
            f"{host} closed the connection without an answer", "the service may be starting or stopping"
        )
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
        text = f"the proxy refused to connect to {host}: {status_text(status)}"
        return Cause(text, STATUS_HINTS.get(status, ""))
    if isinstance(error, http.client.IncompleteRead):
        return Cause("the body broke off", "the server, or something between here and it, cut the connection")
    if isinstance(error, http.client.HTTPException):
        return Cause(f"what {host} answered is not HTTP ({type(error).__name__})", "is it the right port?")
    return None
