"""A program for child interpreters: does what it is told, then says what that took.

    python -I [-S] probe.py RESULT < JOB          both are JSON

It is not imported by the engine. It runs once in the building machine's Python, to
see which modules, data files, shared libraries and names of libraries the engine takes, and once
in the packed Python, to see that nothing is missing there. It imports nothing that
the engine does not import too, since all of it is counted.

Job:
    path: directories to be put in front of `sys.path`.
    hidden: top-level modules that are to look as if they were not installed.
    quiet: warnings that are not to be printed, as `python -W` takes them.
    imports: pairs of a module and a name in it, which may be empty.
    extras: names of `EXTRAS` to be done.
    runs: pairs of arguments and environment; each is a call of the engine.

Result:
    modules: name → file ("" when it is built in), and whether it is a package.
    missing: names whose import was tried in vain.
    data: files other than modules that were read in the directories of packages: triples of the
        top-level package, the path in its directory, the file.
    libraries: files mapped into the process.
    asked: names handed to `ctypes.util.find_library` → what it answered.
    statuses: how each run ended.
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
"""Stands before the command line of each run in the output."""


class Watch:
    """First in line to be asked for a module: notes the name, and does not find what is hidden."""

    def __init__(self, hidden: Sequence[str]) -> None:
        self.hidden = frozenset(hidden)
        self.tried: dict[str, None] = {}

    def find_spec(self, name: str, *_: object) -> None:
        """Refuse hidden modules, leave the others to those who know."""
        self.tried[name] = None
        if name.partition(".")[0] in self.hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    def missing(self) -> list[str]:
        """What was tried in vain: not found, or failing because of what it imports itself."""
        return [name for name in self.tried if name not in sys.modules]


class Reads:
    """Notes the files that are opened; it cannot be taken away again."""

    def __init__(self) -> None:
        self.files: dict[str, None] = {}
        sys.addaudithook(self.note)

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take down the path, if this is about one."""
        if event == "open" and isinstance(arguments[0], str) and "/__pycache__/" not in arguments[0]:
            self.files[arguments[0]] = None


def main(result_file: str) -> None:
    """Read the job, do it, write the result."""
    job = json.load(sys.stdin)
    reads = Reads()
    sys.path[:0] = job["path"]
    sys.warnoptions += job["quiet"]
    watch = Watch(job["hidden"])
    sys.meta_path.insert(0, watch)
    for module, name in job["imports"]:
        take(module, name)
    asked = listen()
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


def take(module: str, name: str) -> None:
    """`import module`, or `from module import name`."""
    imported = importlib.import_module(module)
    if name and name != "*" and not hasattr(imported, name):
        importlib.import_module(f"{module}.{name}")


def watch_devices() -> None:
    """Load libudev and listen to the kernel, as waiting for devices does."""
    import pyudev

    pyudev.Monitor.from_netlink(pyudev.Context())


def encode_host_name() -> None:
    """Encode an international host name."""
    "b\xfccher.example".encode("idna")


def address_object() -> None:
    """Find out where objects of S3 are, and sign a request for one."""
    from ignition.resource.credentials import AwsKeys
    from ignition.resource.objectstore.aws import Addresses, signature

    addresses = Addresses()
    addresses.bucket("us-east-1", "bucket")
    addresses.object("eu-west-1", "arn:aws:s3:eu-west-1:123456789012:accesspoint/name", "key", "")
    address = addresses.object("us-east-1", "bucket", "key", "version")
    signature(AwsKeys("access", "secret", "token"), "us-east-1", address)


EXTRAS = {"boto3": address_object, "pyudev": watch_devices, "requests": encode_host_name}
"""What runs on a machine that must not be touched cannot reach, by the module that it belongs to."""


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Call the engine as its program would; returns the exit status."""
    import os

    from ignition.cli import main as engine

    before = dict(os.environ)
    os.environ.update(environment)
    sys.argv = list(arguments)
    # One stream keeps its order.
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


def listen() -> dict[str, str | None]:
    """Note what is asked of `ctypes.util.find_library`, if ctypes is in use at all."""
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
    """The imported modules by their own names; another name for the same is not counted."""
    found: dict[str, tuple[str, bool]] = {}
    for module in list(sys.modules.values()):
        spec: Any = getattr(module, "__spec__", None)
        if spec is not None and spec.name != "__main__":
            # Built-in and frozen modules have no location.
            file = spec.origin if spec.has_location and spec.origin else ""
            found[spec.name] = (file, spec.submodule_search_locations is not None)
    return found


def data(files: Iterable[str]) -> list[tuple[str, str, str]]:
    """Those of the files that belong to the imported packages without being modules."""
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
    """The files that are mapped into this process."""
    found: dict[str, None] = {}
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for line in maps:
            path = line.partition("/")[2].rstrip("\n")
            if path and not path.endswith(" (deleted)"):
                found["/" + path] = None
    return list(found)


if __name__ == "__main__":
    main(sys.argv[1])
