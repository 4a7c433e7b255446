"""Kernel arguments that name a config (engine.md section 4.2).

`ignition.config.url=URL`, or `ignition.config.device=LABEL` together with
`ignition.config.path=PATH` for a file on a filesystem.
"""

from __future__ import annotations

from ignition import log
from ignition.errors import IgnitionError, NoProvider
from ignition.host.source import Source
from ignition.platform.provider import Platform, Provider

__all__ = ["PROVIDER"]

URL = "ignition.config.url"
DEVICE = "ignition.config.device"
PATH = "ignition.config.path"
DEVICE_LIMIT = 30.0


def fetch(platform: Platform) -> bytes:
    """The config that the kernel command line names.

    Raises:
        NoProvider: it names none.
        IgnitionError: it names one that cannot be had, or only half of one.
    """
    arguments = platform.kernel_arguments()
    url, device, path = (arguments.get(name, "") for name in (URL, DEVICE, PATH))
    if url and (device or path):
        log.warning(f"{URL} is set: {DEVICE} and {PATH} are ignored")
    if url:
        return platform.fetch.bytes(Source(url))
    if device and path:
        return from_drive(platform, device, path)
    if device or path:
        raise IgnitionError(f"{DEVICE} and {PATH} have to be given together")
    raise NoProvider("the kernel command line names no config")


def from_drive(platform: Platform, label: str, path: str) -> bytes:
    """The file at `path` on the filesystem labelled `label`; no way leads out of it."""
    if "/" in label or label in {".", ".."}:
        raise IgnitionError(f"{DEVICE} has to be a filesystem label, not a path")
    from ignition.host.root import Root

    with platform.drive(label, limit=DEVICE_LIMIT) as directory:
        try:
            return Root(directory).read(path)
        except OSError as error:
            raise IgnitionError(f"couldn't read {path} on {label}: {error.strerror}") from error


PROVIDER = Provider("cmdline", "the kernel arguments ignition.config.url, or .device and .path", fetch)
