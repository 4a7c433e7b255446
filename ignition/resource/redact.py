"""URLs as one may print them: without passwords, tokens and signatures.

Every URL that this room puts into a log line or an error message has passed here.
"""

from __future__ import annotations

from typing import Final

__all__ = ["redact"]

HIDDEN: Final = "***"

SECRET_PARAMETERS: Final = frozenset(
    {
        "access_token",
        "awsaccesskeyid",
        "key",
        "password",
        "sig",
        "signature",
        "token",
        "x-amz-credential",
        "x-amz-security-token",
        "x-amz-signature",
        "x-goog-credential",
        "x-goog-signature",
    }
)
"""Query parameters (lower case) that let their holder in: signed S3 and GCS URLs, Azure's SAS, tokens."""


def redact(url: str) -> str:
    """The URL as it may be shown.

    Passwords, and user names that stand alone and so may be tokens, become `***`,
    as do the values of query parameters that sign or authorise. Nothing of a
    `data:` URL's data is left. Works on any text, also on what is no URL.
    """
    scheme, colon, rest = url.partition(":")
    if scheme.lower() == "data":
        return "data:…"
    rest, hash_sign, fragment = rest.partition("#")
    rest, question_mark, query = rest.partition("?")
    shown = f"{scheme}{colon}{_without_password(rest)}{question_mark}{_without_signature(query)}"
    return _printable(f"{shown}{hash_sign}{fragment and HIDDEN}")


def _without_password(rest: str) -> str:
    if not rest.startswith("//"):
        return rest
    authority, slash, path = rest[2:].partition("/")
    userinfo, at, host = authority.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    shown = f"{user}:{HIDDEN}" if colon else HIDDEN
    return f"//{shown if at else ''}{at}{host}{slash}{path}"


def _without_signature(query: str) -> str:
    return "&".join(map(_hidden_if_secret, query.split("&")))


def _hidden_if_secret(pair: str) -> str:
    name, equals, value = pair.partition("=")
    return f"{name}{equals}{HIDDEN}" if value and name.lower() in SECRET_PARAMETERS else pair


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
