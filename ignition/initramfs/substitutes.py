"""Modules that the initramfs gets in another form, and those that it does not get.

`certifi` brings a list of authorities of its own; a machine trusts what its
distribution trusts, so the packed module names the system's bundle, as the
distributions' own packages of it do. `ctypes.util` finds libraries by starting
`ldconfig` or a compiler, which an initramfs does not have; the packed module holds
the answers that the building machine gave. `dataclasses` compiles the methods of each
class when it is made; the packed one does without (`ignition.initramfs.shims.dataclasses`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from ignition.errors import IgnitionError

__all__ = ["CA_BUNDLES", "authorities", "ca_bundle", "dataclasses", "hidden", "library_finder"]

CA_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where distributions keep the bundle: Debian and Arch, Fedora, SUSE, Alpine."""

LEFT_OUT: Final = ("charset_normalizer", "chardet", "bz2", "lzma", "_bz2", "_lzma")
"""Guessing the character set of a text, and compressions that no config field can name."""


def ca_bundle(candidates: Iterable[str] = CA_BUNDLES) -> str:
    """The file with the certificates of the authorities that this system trusts.

    Raises:
        IgnitionError: there is none; HTTPS could not be used.
    """
    for path in candidates:
        if Path(path).is_file():
            return path
    raise IgnitionError(
        "this system has no bundle of certificate authorities, so HTTPS could not be used",
        hint="install the package ca-certificates",
    )


def authorities(bundle: str) -> str:
    """The source of `certifi` for this bundle."""
    return (
        f"def where():\n    return {bundle!r}\n\n"
        "def contents():\n    with open(where(), encoding='ascii') as file:\n        return file.read()\n"
    )


def library_finder(answers: Mapping[str, str | None]) -> str:
    """The source of `ctypes.util` that gives these answers."""
    return f"find_library = {dict(answers)!r}.get\n"


def dataclasses() -> str:
    """The source of `dataclasses`."""
    return Path(__file__).with_name("dataclasses.py").read_text("utf-8")


def hidden(modules: Iterable[str]) -> list[str]:
    """The installed top-level modules that the engine is not to find.

    What is installed on the building machine beside the engine must not get into the
    image because a library would use it if it were there.

    Args:
        modules: the foreign modules that the engine imports.
    """
    providers = metadata.packages_distributions()
    needed = distributions({module.partition(".")[0] for module in modules}, providers)
    beside = (top for top, names in providers.items() if not needed.intersection(map(normal, names)))
    return sorted({*LEFT_OUT, *beside} - {"ignition"})


def distributions(tops: Iterable[str], providers: Mapping[str, list[str]]) -> frozenset[str]:
    """The distributions that these modules come from, with all that those require."""
    waiting = [normal(name) for top in tops for name in providers.get(top, ())]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        waiting += requirements(name)
    return frozenset(needed)


def requirements(distribution: str) -> list[str]:
    """The distributions that one requires, those of its optional extras aside."""
    try:
        lines = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        # Required on other systems or versions only.
        return []
    return [
        normal(found[0])
        for line in lines
        if "extra ==" not in line and (found := re.match(r"[\w.-]+", line)) is not None
    ]


def normal(name: str) -> str:
    """A distribution's name as it compares."""
    return re.sub(r"[-_.]+", "-", name).lower()
