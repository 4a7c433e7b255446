# SPDX-License-Identifier: Apache-2.0
"""Redaction of URLs for log lines and messages: passwords, tokens and signatures are replaced.

Every URL in a log line or an error of `ignition.resource` passes `redact`.
"""

from __future__ import annotations

from typing import Final

from ignition.text import printable

__all__ = ["SHOWN_PARAMETERS", "redact"]

HIDDEN: Final = "***"

SHOWN_PARAMETERS: Final = frozenset(
    {"alt", "api-version", "format", "generation", "recursive", "resource", "scopes", "snapshot", "versionid"}
)
"""Query parameters (lower case) that only identify an object. All others may be secret: each service has its
own name for a signature or a token."""


def redact(url: str) -> str:
    """Return the URL without its secrets.

    Passwords, user names without a password (they may be tokens), fragments, and values of query parameters
    outside `SHOWN_PARAMETERS` become `***`. The data of a `data:` URL is removed. Accepts any text, also
    invalid URLs.
    """
    scheme, colon, rest = url.partition(":") if ":" in url else ("", "", url)
    if scheme.strip().lower() == "data":
        return "data:…"
    rest, hash_sign, fragment = rest.partition("#")
    rest, question_mark, query = rest.partition("?")
    shown = f"{scheme}{colon}{_without_password(rest)}{question_mark}{_without_signature(query)}"
    return printable(f"{shown}{hash_sign}{fragment and HIDDEN}")


def _without_password(rest: str) -> str:
    """Redact the userinfo in the part after the scheme; it may lack one or both slashes."""
    slashes = rest[: len(rest) - len(rest.lstrip("/"))]
    authority, slash, path = rest[len(slashes) :].partition("/")
    userinfo, at, host = authority.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    if at:
        return f"{slashes}{f'{user}:' if colon else ''}{HIDDEN}@{host}{slash}{path}"
    name, colon, port = authority.rpartition(":")
    if slashes and colon and port and not port.isdecimal() and not port.endswith("]"):
        return f"{slashes}{name}:{HIDDEN}"  # a password with a slash in it
    return rest


def _without_signature(query: str) -> str:
    return "&".join(map(_redact_parameter, query.split("&")))


def _redact_parameter(pair: str) -> str:
    """Redact one query parameter.

    Text without a name is a value, even if it ends in `=`. Some servers accept `;` as a separator, so a value
    with `;` is redacted.
    """
    name, _, value = pair.partition("=")
    if not value.strip("="):
        return pair and HIDDEN
    return pair if name.lower() in SHOWN_PARAMETERS and ";" not in value else f"{name}={HIDDEN}"
