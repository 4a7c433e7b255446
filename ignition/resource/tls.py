"""Whom to believe: the system's certificate authorities and those of the config.

The system's own bundle is used, never one that a Python package carries. A
config may add bundles; they come on top, for as long as its settings are in force.

Source: engine.md section 7.1 (CAs), section 14 points 17 and 19.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Final

from ignition import log
from ignition.errors import FetchError

if TYPE_CHECKING:
    import ssl

__all__ = ["built", "certificates", "clock", "clock_is_plausible", "context", "system_bundle"]

BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Gentoo, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL, older
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine
    "/etc/pki/tls/cacert.pem",  # OpenELEC
)
"""Where distributions keep the bundle, when the interpreter's own default is not there."""

WRITTEN: Final = 1_735_689_600
"""2025-01-01: this engine was written after it, so a clock that shows less is wrong."""

ASN1_SEQUENCE: Final = b"\x30"
"""With which a certificate in DER form begins."""

_PEM_BLOCK: Final = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----\s*(?P<body>[A-Za-z0-9+/=\s]*?)\s*-----END (?P=label)-----"
)


def certificates(bundle: bytes) -> tuple[bytes, ...]:
    """The certificates of a PEM bundle, in DER form.

    Text and blank lines before, between and after the blocks mean nothing. A bundle without
    a byte has no certificates, as in the reference.

    Raises:
        FetchError: it holds no certificate, something that is not one, or a damaged block.
    """
    from binascii import Error, a2b_base64

    found = []
    for block in _PEM_BLOCK.finditer(bundle):
        label = block["label"].decode("ascii")
        if label not in {"CERTIFICATE", "X509 CERTIFICATE"}:
            raise _bad_bundle(f"contains a {label.lower()}, expected certificates only")
        try:
            found.append(a2b_base64(b"".join(block["body"].split()), strict_mode=True))
        except Error as caught:
            raise _bad_bundle(f"contains a damaged block ({caught})") from caught
    if bundle.count(b"-----BEGIN ") != len(found):
        raise _bad_bundle("contains an unterminated or damaged block")
    if bundle and not found:
        binary = bundle.startswith(ASN1_SEQUENCE)
        raise _bad_bundle("is DER, expected PEM" if binary else "contains no PEM certificate")
    return tuple(found)


def context(extra: tuple[bytes, ...] = ()) -> ssl.SSLContext:
    """What connections are checked with: the system's roots and the bundles' certificates.

    Making it costs some 20 ms on a fast machine, so it is made only for https.

    Raises:
        FetchError: a bundle cannot be used.
    """
    import ssl

    from ignition.resource.http.deadline_socket import DeadlineTlsSocket

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.sslsocket_class = DeadlineTlsSocket
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.hostname_checks_common_name = False
    made.set_alpn_protocols(["http/1.1"])
    # As in the reference, a certificate that was added is trusted as it is, be it a root or not.
    made.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    _add_system_roots(made)
    for bundle in extra:
        _add(made, bundle)
    return made


def system_bundle() -> str:
    """The system's bundle of authorities; empty if there is none."""
    import ssl

    default = ssl.get_default_verify_paths().cafile
    candidates = (default, *BUNDLES) if default else BUNDLES
    return next((path for path in candidates if os.path.isfile(path)), "")


def clock() -> str:
    """What this machine takes for the time."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def clock_is_plausible() -> bool:
    """Whether the clock shows a time at which this engine was installed, or packed for the initramfs."""
    return time.time() >= built()


def built() -> float:
    """When that was, in seconds since 1970, by the date of this module's own file.

    Images with all dates set to nought are taken for as old as the engine itself.
    """
    try:
        return max(WRITTEN, os.stat(__file__).st_mtime)
    except OSError:
        return WRITTEN


def _add_system_roots(made: ssl.SSLContext) -> None:
    import ssl

    bundle = system_bundle()
    directory = ssl.get_default_verify_paths().capath
    if directory is not None:  # looked into only when a certificate is sought, so this costs nothing
        made.load_verify_locations(capath=directory)
    if bundle:
        made.load_verify_locations(cafile=bundle)
    elif directory is None:
        log.info("no certificate authorities found on this system; trusting those of the config only")


def _add(made: ssl.SSLContext, bundle: bytes) -> None:
    import ssl

    for certificate in certificates(bundle):
        alone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            alone.load_verify_locations(cadata=certificate)
            made.load_verify_locations(cadata=certificate)
        except ssl.SSLError as caught:
            raise _bad_bundle(f"contains an invalid certificate ({caught.reason or 'malformed'})") from caught
        log.info(f"trusting certificate authority {_common_name(alone)}".rstrip())


def _common_name(alone: ssl.SSLContext) -> str:
    """The name of the one authority in a context; empty if it has none, or is no authority."""
    for certificate in alone.get_ca_certs():
        subject: tuple[tuple[tuple[str, str], ...], ...] = certificate["subject"]  # type: ignore[assignment]
        names = [value for part in subject for kind, value in part if kind == "commonName"]
        if names:
            return names[0]
    return ""


def _bad_bundle(what: str) -> FetchError:
    return FetchError(
        f"the certificate bundle {what}",
        hint="use a text of -----BEGIN CERTIFICATE----- blocks",
    )
