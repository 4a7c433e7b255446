# SPDX-License-Identifier: Apache-2.0
"""Each command works without each third-party package, or names the package that it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.lab.server import Answer, HttpServer

pytestmark = pytest.mark.real_commands

PACKAGES = (
    "pydantic", "jsonschema", "requests", "urllib3", "idna", "certifi", "boto3", "botocore", "pyudev", "yaml",
)  # fmt: skip

HTTP = frozenset({"requests", "urllib3", "idna"})
"""Packages without which nothing is fetched over HTTP; certifi has a replacement."""

S3 = HTTP | {"boto3", "botocore"}

SCRIPT = """
import sys

HIDDEN = sys.argv[1].split(",")

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
"""

COMMAND = f"{SCRIPT}\nsys.argv[:2] = []\nfrom ignition.cli import main\nsys.exit(main())\n"

LIBRARY = f"""{SCRIPT}
import ignition

parsed = ignition.parse(b'{{"ignition": {{"version": "3.4.0"}}}}')
assert ignition.dump(ignition.merge(parsed.config, parsed.config))
assert ignition.schema("3.4.0")
assert ignition.schema("record")
assert ignition.render(parsed.config, lambda source: b"")
"""

CONSTRUCTOR = f"""{SCRIPT}
import ignition

try:
    print(ignition.Config())
except ignition.IgnitionError as error:
    sys.exit(str(error))
"""


@dataclass(frozen=True)
class Command:
    """A command line, and the packages that it needs.

    Attributes:
        words: the program and its arguments; {d} is the directory of the configs.
        needs: packages whose absence is an error.
        status: the exit status where no needed package is hidden.
    """

    words: str
    needs: frozenset[str] = frozenset()
    status: int = 0

    @property
    def script(self) -> str:
        return {"library": LIBRARY, "constructor": CONSTRUCTOR}.get(self.words, COMMAND)


STAGE = (
    "ignition --stage={} --platform=file --log-to-stdout --root={{d}}/root --config-cache={{d}}/cache.json "
    "--neednet={{d}}/run/neednet --state-file={{d}}/run/state"
)

COMMANDS = {
    "library": Command("library"),
    "constructor": Command("constructor", frozenset({"pydantic"})),
    "version": Command("ignition --version"),
    "validate": Command("ignition validate {d}/data.ign"),
    "validate json": Command("ignition validate --output json {d}/data.ign {d}/wrong.ign", status=1),
    "validate sarif": Command("ignition validate --output sarif {d}/wrong.ign", status=1),
    "explain": Command("ignition explain unused-key"),
    "explain list": Command("ignition explain"),
    "schema": Command("ignition schema 3.4.0"),
    "schema list": Command("ignition schema --list"),
    "schema document": Command("ignition schema record"),
    "schema check": Command("ignition schema --check {d}/data.ign", frozenset({"jsonschema"})),
    "resolve": Command("ignition resolve {d}/data.ign"),
    "resolve http": Command("ignition resolve {d}/http.ign", HTTP),
    "resolve s3": Command("ignition resolve {d}/s3.ign", S3, status=1),
    "plan": Command("ignition plan --config {d}/files.ign --root {d}/root"),
    "plan http": Command("ignition plan --config {d}/http.ign --root {d}/root", HTTP),
    "apply": Command("ignition apply --root {d}/root {d}/files.ign"),
    "apply http": Command("ignition apply --root {d}/root {d}/http-file.ign", HTTP),
    "initramfs help": Command("ignition initramfs --help"),
    "ignition-validate": Command("ignition-validate {d}/data.ign"),
    "ignition-apply help": Command("ignition-apply --help"),
    "ignition-rmcfg help": Command("ignition-rmcfg --help"),
    "stage fetch-offline": Command(STAGE.format("fetch-offline")),
    "stage disks": Command(STAGE.format("disks")),
    "stage files": Command(STAGE.format("files")),
    "stage umount": Command(STAGE.format("umount")),
}


def written(directory: Path, server: HttpServer) -> Path:
    """Write the configs of the commands, and a machine whose fetch stage has run."""
    (directory / "root").mkdir()
    (directory / "run").mkdir()
    child = json.dumps({"ignition": {"version": "3.3.0"}})
    server.answer("/child.ign", Answer(child.encode()))
    sources = {
        "data": f"data:,{quote(child)}",
        "http": server.url("/child.ign"),
        "s3": "arn:aws:s3:nowhere-1:123456789012:accesspoint/a/object/b",
    }
    for name, source in sources.items():
        section = {
            "version": "3.4.0",
            "config": {"merge": [{"source": source}]},
            "timeouts": {"httpTotal": 1},
        }
        config: dict[str, object] = {"ignition": section}
        (directory / f"{name}.ign").write_text(json.dumps(config))
    for name, source in (("files", "data:,a"), ("http-file", sources["http"])):
        files = [{"path": "/etc/a", "overwrite": True, "contents": {"source": source}}]
        config = {"ignition": {"version": "3.4.0"}, "storage": {"files": files}}
        (directory / f"{name}.ign").write_text(json.dumps(config))
    (directory / "wrong.ign").write_text('{"ignition": {"version": "3.4.0"}, "storage": {"files": [{}]}}')
    ran = started(COMMANDS["stage fetch-offline"], directory, ())
    assert ran.returncode == 0, ran.stdout
    return directory


def started(command: Command, directory: Path, hidden: Iterable[str]) -> subprocess.CompletedProcess[str]:
    words = command.words.format(d=directory).split()
    return subprocess.run(
        [sys.executable, "-c", command.script, ",".join(hidden), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "IGNITION_CONFIG_FILE": str(directory / "files.ign")},
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_command_without_package_works_or_names_it(name: str, tmp_path: Path, server: HttpServer) -> None:
    directory = written(tmp_path, server)
    command = COMMANDS[name]
    for package in PACKAGES:
        ran = started(command, directory, [package])
        assert "Traceback" not in ran.stdout, package
        assert "internal error" not in ran.stdout, package
        if package in command.needs:
            assert f'Python package "{package}"' in ran.stdout
            assert ran.returncode == 1, package
        else:
            assert "Python package" not in ran.stdout, package
            assert ran.returncode == command.status, f"{package}: {ran.stdout}"


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if not command.needs])
def test_command_without_needs_works_without_all_packages(
    name: str, tmp_path: Path, server: HttpServer
) -> None:
    ran = started(COMMANDS[name], written(tmp_path, server), PACKAGES)
    assert ran.returncode == COMMANDS[name].status, ran.stdout


def test_schema_check_names_the_package(tmp_path: Path, server: HttpServer) -> None:
    ran = started(COMMANDS["schema check"], written(tmp_path, server), ["jsonschema"])
    assert ran.stdout == (
        'ignition schema --check needs the Python package "jsonschema"\n'
        "  hint: install it: pip install jsonschema\n"
    )


def test_http_source_names_the_package(tmp_path: Path, server: HttpServer) -> None:
    ran = started(COMMANDS["resolve http"], written(tmp_path, server), ["requests"])
    assert 'http sources need the Python package "requests"' in ran.stdout
