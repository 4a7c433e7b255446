"""URLs as one may print them: without passwords, tokens and signatures.

Every URL that this room puts into a log line or an error message has passed here.
"""

from __future__ import annotations

from typing import Final

from ignition.text import printable

__all__ = ["SHOWN_PARAMETERS", "redact"]

HIDDEN: Final = "***"

SHOWN_PARAMETERS: Final = frozenset(
    {"alt", "api-version", "format", "generation", "recursive", "resource", "scopes", "snapshot", "versionid"}
)
"""Query parameters (lower case) that say which object is meant. Any other may let its holder in: each store
and each forge has its own name for a signature or a token."""


def redact(url: str) -> str:
    """The URL as it may be shown.

    Passwords, and user names that stand alone and so may be tokens, become `***`,
    as do the values of query parameters that are not known to be harmless. Nothing
    of a `data:` URL's data is left. Works on any text, also on what is no URL.
    """
    scheme, colon, rest = url.partition(":") if ":" in url else ("", "", url)
    if scheme.strip().lower() == "data":
        return "data:…"
    rest, hash_sign, fragment = rest.partition("#")
    rest, question_mark, query = rest.partition("?")
    shown = f"{scheme}{colon}{_without_password(rest)}{question_mark}{_without_signature(query)}"
    return printable(f"{shown}{hash_sign}{fragment and HIDDEN}")


def _without_password(rest: str) -> str:
    """What follows the scheme; without two slashes it is none, but may be meant for one."""
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
    return "&".join(map(_hidden_if_secret, query.split("&")))


def _hidden_if_secret(pair: str) -> str:
    """What has no name is a value, even if it ends in `=`; for some servers `;` separates too."""
    name, _, value = pair.partition("=")
    if not value.strip("="):
        return pair and HIDDEN
    return pair if name.lower() in SHOWN_PARAMETERS and ";" not in value else f"{name}={HIDDEN}"
