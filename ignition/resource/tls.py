# SPDX-License-Identifier: Apache-2.0
"""TLS trust: the system's CA bundle plus the bundles of the config.

The bundle of a Python package (certifi) is never used. The bundles of a config are trusted in addition to the
system's, as long as its settings are in force.

Source: docs/reference/fetching.md, "TLS".
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
"""Paths of the bundle by distribution, used if the interpreter's default path does not exist."""

WRITTEN: Final = 1_735_689_600
"""2025-01-01 in seconds since 1970: the lower limit of the build time of this engine."""

ASN1_SEQUENCE: Final = b"\x30"
"""The first byte of a certificate in DER form."""

_PEM_BLOCK: Final = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----\s*(?P<body>[A-Za-z0-9+/=\s]*?)\s*-----END (?P=label)-----"
)


def certificates(bundle: bytes) -> tuple[bytes, ...]:
    """Return the certificates of a PEM bundle (RFC 7468), in DER form.

    Text and blank lines before, between and after the blocks are ignored. An empty bundle has no
    certificates, as in the reference.

    Raises:
        FetchError: the bundle has no certificate, a block that is not a certificate, or a damaged block.
    """
    from binascii import Error, a2b_base64

    decoded = []
    for block in _PEM_BLOCK.finditer(bundle):
        label = block["label"].decode("ascii")
        if label not in {"CERTIFICATE", "X509 CERTIFICATE"}:
            raise _bad_bundle(f"contains a {label.lower()}, expected certificates only")
        try:
            decoded.append(a2b_base64(b"".join(block["body"].split()), strict_mode=True))
        except Error as caught:
            raise _bad_bundle(f"contains a damaged block ({caught})") from caught
    if bundle.count(b"-----BEGIN ") != len(decoded):
        raise _bad_bundle("contains an unterminated or damaged block")
    if bundle and not decoded:
        binary = bundle.startswith(ASN1_SEQUENCE)
        raise _bad_bundle("is DER, expected PEM" if binary else "contains no PEM certificate")
    return tuple(decoded)


def context(extra: tuple[bytes, ...] = ()) -> ssl.SSLContext:
    """Create a TLS context that trusts the system's roots and the certificates of the `extra` bundles.

    This takes about 20 ms on a fast machine, so it is done only for https.

    Raises:
        FetchError: a bundle is invalid.
    """
    import ssl

    from ignition.resource.http.deadline_socket import DeadlineTlsSocket

    tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls_context.sslsocket_class = DeadlineTlsSocket
    tls_context.minimum_version = ssl.TLSVersion.TLSv1_2
    tls_context.hostname_checks_common_name = False
    tls_context.set_alpn_protocols(["http/1.1"])
    # As in the reference, every certificate of a bundle is a trust anchor, whether it is a root or not.
    tls_context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    _add_system_roots(tls_context)
    for bundle in extra:
        _add_bundle(tls_context, bundle)
    return tls_context


def system_bundle() -> str:
    """Return the path of the system's CA bundle; empty if not found."""
    import ssl

    default = ssl.get_default_verify_paths().cafile
    candidates = (default, *BUNDLES) if default else BUNDLES
    return next((path for path in candidates if os.path.isfile(path)), "")


def clock() -> str:
    """Return the system time as text, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def clock_is_plausible() -> bool:
    """Whether the system time is not before the build time of this engine (`built`)."""
    return time.time() >= built()


def built() -> float:
    """Return when this engine was installed or packed for the initramfs, in seconds since 1970.

    This is the modification time of this module's file, at least `WRITTEN`: reproducible images may set it to
    0.
    """
    try:
        return max(WRITTEN, os.stat(__file__).st_mtime)
    except OSError:
        return WRITTEN


def _add_system_roots(tls_context: ssl.SSLContext) -> None:
    import ssl

    bundle = system_bundle()
    directory = ssl.get_default_verify_paths().capath
    if directory is not None:  # OpenSSL reads the directory only when it looks for an issuer
        tls_context.load_verify_locations(capath=directory)
    if bundle:
        tls_context.load_verify_locations(cafile=bundle)
    elif directory is None:
        log.info("no certificate authorities found on this system; trusting those of the config only")


def _add_bundle(tls_context: ssl.SSLContext, bundle: bytes) -> None:
    import ssl

    for certificate in certificates(bundle):
        single = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # OpenSSL parses the certificate; see _common_name
        try:
            single.load_verify_locations(cadata=certificate)
            tls_context.load_verify_locations(cadata=certificate)
        except ssl.SSLError as caught:
            raise _bad_bundle(f"contains an invalid certificate ({caught.reason or 'malformed'})") from caught
        log.info(f"trusting certificate authority {_common_name(single)}".rstrip())


def _common_name(single: ssl.SSLContext) -> str:
    """Return the common name of the only CA certificate in a context; empty if it has none or is not a CA."""
    for certificate in single.get_ca_certs():
        subject: tuple[tuple[tuple[str, str], ...], ...] = certificate["subject"]  # type: ignore[assignment]
        names = [value for part in subject for kind, value in part if kind == "commonName"]
        if names:
            return names[0]
    return ""


def _bad_bundle(problem: str) -> FetchError:
    return FetchError(
        f"the certificate bundle {problem}",
        hint="use a text of -----BEGIN CERTIFICATE----- blocks",
    )
