# SPDX-License-Identifier: Apache-2.0
"""Import and run the engine, and report what that loaded: a program for a child interpreter.

    python -I [-S] probe.py RESULT < JOB          both are JSON

The probe runs once in the build host's Python, to find the modules, data files and shared libraries that the
engine needs, and once in the packed Python, to prove that none is missing. The probe imports only modules
that the engine imports too, because everything that is loaded gets packed.

Job:
    path: directories to put in front of `sys.path`.
    hidden: top-level modules that must look as if they were not installed.
    quiet: warning filters, as for `python -W`.
    imports: pairs of a module and a name in it, which may be empty.
    extras: keys of `EXTRAS` to call.
    runs: pairs of arguments and environment; each is a call of the engine.

Result:
    modules: name → file ("" for a built-in module), and whether it is a package.
    missing: names of modules whose import failed.
    data: files other than modules that were read in the directories of packages: triples of the
        top-level package, the path in its directory, the file.
    libraries: files mapped into the process.
    asked: arguments of `ctypes.util.find_library` → results.
    statuses: exit status of each run.
"""

from __future__ import annotations

import importlib
import json
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any


MARK = "probe: "
"""Prefix of the command line of each run in the output."""


class ImportWatch:
    """Import hook that notes each name and refuses hidden modules. Must be the first in `sys.meta_path`."""

    def __init__(self, hidden: Sequence[str]) -> None:
        self.hidden = frozenset(hidden)
        self.tried: dict[str, None] = {}

    def find_spec(self, name: str, *_: object) -> None:
        """Refuse hidden modules; return None for others, so that the next finder is asked."""
        self.tried[name] = None
        if name.partition(".")[0] in self.hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    def missing(self) -> list[str]:
        """Names of modules that were not found, or whose own imports failed."""
        return [name for name in self.tried if name not in sys.modules]


class ReadWatch:
    """Audit hook that notes the files that are opened. An audit hook cannot be removed."""

    def __init__(self) -> None:
        self.files: dict[str, None] = {}
        sys.addaudithook(self.note)

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str) and "/__pycache__/" not in arguments[0]:
            self.files[arguments[0]] = None


def main(result_file: str) -> None:
    """Read the job from stdin, perform it, write the result."""
    job = json.load(sys.stdin)
    reads = ReadWatch()
    sys.path[:0] = job["path"]
    sys.warnoptions += job["quiet"]
    watch = ImportWatch(job["hidden"])
    sys.meta_path.insert(0, watch)
    for module, name in job["imports"]:
        import_one(module, name)
    asked = watch_find_library()
    for name in job["extras"]:
        EXTRAS[name]()
    statuses = [run(arguments, environment) for arguments, environment in job["runs"]]
    result = {
        "modules": modules(),
        "missing": watch.missing(),
        "data": data(reads.files),
        "libraries": libraries(),
        "asked": asked,
        "statuses": statuses,
    }
    with open(result_file, "w", encoding="utf-8") as file:
        json.dump(result, file)


def import_one(module: str, name: str) -> None:
    """Do `import module`, or `from module import name`."""
    imported = importlib.import_module(module)
    if name and name != "*" and not hasattr(imported, name):
        importlib.import_module(f"{module}.{name}")


def watch_devices() -> None:
    """Load libudev and open a monitor, as the engine does to wait for devices."""
    import pyudev

    pyudev.Monitor.from_netlink(pyudev.Context())


def encode_host_name() -> None:
    """Load the IDNA codec."""
    "b\xfccher.example".encode("idna")


def address_object() -> None:
    """Build URLs of S3 objects and sign a request, to load boto3's data files."""
    from ignition.resource.credentials import AwsKeys
    from ignition.resource.objectstore.aws import Addresses, signature

    addresses = Addresses()
    addresses.bucket("us-east-1", "bucket")
    addresses.object("eu-west-1", "arn:aws:s3:eu-west-1:123456789012:accesspoint/name", "key", "")
    address = addresses.object("us-east-1", "bucket", "key", "version")
    signature(AwsKeys("access", "secret", "token"), "us-east-1", address)


EXTRAS = {"boto3": address_object, "pyudev": watch_devices, "requests": encode_host_name}
"""Code paths that the runs cannot reach without changing the build host, by foreign module."""


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Call the engine as the launcher does; return the exit status."""
    import os

    from ignition.cli import main as engine

    before = dict(os.environ)
    os.environ.update(environment)
    sys.argv = list(arguments)
    # With one stream the lines keep their order.
    errors, sys.stderr = sys.stderr, sys.stdout
    sys.stdout.write(f"{MARK}{' '.join(arguments)}\n")
    try:
        return engine()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    finally:
        sys.stderr = errors
        os.environ.clear()
        os.environ.update(before)


def watch_find_library() -> dict[str, str | None]:
    """Note the calls of `ctypes.util.find_library`, if that module is loaded; return the notes."""
    asked: dict[str, str | None] = {}
    if "ctypes.util" in sys.modules:
        import ctypes.util

        find = ctypes.util.find_library

        def find_library(name: str) -> str | None:
            asked[name] = find(name)
            return asked[name]

        for module in list(sys.modules.values()):
            if getattr(module, "find_library", None) is find:
                module.find_library = find_library  # type: ignore[attr-defined]
    return asked


def modules() -> dict[str, tuple[str, bool]]:
    """List the imported modules by the names in their specs; aliases are not counted."""
    found: dict[str, tuple[str, bool]] = {}
    for module in list(sys.modules.values()):
        spec: Any = getattr(module, "__spec__", None)
        if spec is not None and spec.name != "__main__":
            # Built-in and frozen modules have no location.
            file = spec.origin if spec.has_location and spec.origin else ""
            found[spec.name] = (file, spec.submodule_search_locations is not None)
    return found


def data(files: Iterable[str]) -> list[tuple[str, str, str]]:
    """Select the files in directories of imported packages that are not modules."""
    packages = {
        f"{directory}/": name
        for name, module in list(sys.modules.items())
        if "." not in name
        for directory in getattr(module, "__path__", ())
    }
    return [
        (package, file.removeprefix(directory), file)
        for file in files
        for directory, package in packages.items()
        if file.startswith(directory) and not file.endswith((".py", ".pyc", ".so"))
    ]


def libraries() -> list[str]:
    """List the files that are mapped into this process (proc_pid_maps(5))."""
    found: dict[str, None] = {}
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for line in maps:
            path = line.partition("/")[2].rstrip("\n")
            if path and not path.endswith(" (deleted)"):
                found["/" + path] = None
    return list(found)


if __name__ == "__main__":
    main(sys.argv[1])
