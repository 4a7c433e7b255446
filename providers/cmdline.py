# SPDX-License-Identifier: Apache-2.0
"""Kernel arguments that name a config.

`ignition.config.url=URL`, or `ignition.config.device=LABEL` together with `ignition.config.path=PATH` for a
file on a filesystem. Source: docs/reference/stages.md, "Config sources".
"""

from __future__ import annotations

from ignition import log
from ignition.errors import IgnitionError, NoProvider
from ignition.platform.provider import Provider, ProviderContext, Source

__all__ = ["PROVIDER"]

URL = "ignition.config.url"
DEVICE = "ignition.config.device"
PATH = "ignition.config.path"
DEVICE_LIMIT = 30.0
"""Time limit for the device to appear, in seconds."""


def fetch(context: ProviderContext) -> bytes:
    """Return the config that the kernel command line names.

    Raises:
        NoProvider: it names none.
        IgnitionError: the config cannot be read, or one of two arguments is missing.
    """
    arguments = context.kernel_arguments()
    url, device, path = (arguments.get(name, "") for name in (URL, DEVICE, PATH))
    if url and (device or path):
        log.warning(f"{URL} is set: ignoring {DEVICE} and {PATH}")
    if url:
        return context.fetch.bytes(Source(url))
    if device and path:
        return read_from_drive(context, device, path)
    if device or path:
        raise IgnitionError(f"the kernel arguments {DEVICE} and {PATH} must be set together")
    raise NoProvider("the kernel command line names no config")


def read_from_drive(context: ProviderContext, label: str, path: str) -> bytes:
    """Return the file at `path` on the filesystem labelled `label`."""
    if "/" in label or label in {".", ".."}:
        raise IgnitionError(f"the kernel argument {DEVICE} must be a filesystem label, found a path")
    with context.drive(label, limit=DEVICE_LIMIT) as drive:
        return drive.read(path)


PROVIDER = Provider("cmdline", "the kernel arguments ignition.config.url, or .device and .path", fetch)
