# SPDX-License-Identifier: Apache-2.0
"""The packed engine: complete, independent of the system's Python, and equal in behaviour."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import botocore
import pytest

from ignition.errors import IgnitionError
from ignition.host.command import CommandFailed
from ignition.initramfs import imports, packer
from ignition.initramfs.packed_tree import PackedTree, base_interpreter
from ignition.initramfs.trials import Job, Outcome, Trial, perform

pytestmark = [
    pytest.mark.real_commands(
        "python3.11", "python3", "strip", "ldconfig", "gcc", "cc", "ld", "objdump", "systemctl", "ignition"
    ),
]


@dataclass(frozen=True)
class Packed:
    """A packed engine and the system files that it needs."""

    tree: PackedTree
    system_files: list[str]

    def run(self, *arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
        """Run the launcher, or `code` in the packed Python, without the caller's Python settings."""
        launcher = str(self.tree.root / "usr/bin/ignition")
        what = ["-c", code] if code else [launcher, *arguments]
        command = [str(self.tree.python), "-ISXutf8", *what]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "/nowhere"}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    root = tmp_path_factory.mktemp("initramfs")
    return Packed(PackedTree(root), packer.pack(root))


def test_packed_engine_prints_version(packed: Packed) -> None:
    done = packed.run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Ignition ")


def test_packed_python_search_path_is_inside_tree(packed: Packed) -> None:
    code = "import sys; print([path for path in sys.path])"
    done = packed.run(code=code)
    assert done.returncode == 0, done.stderr
    root = str(packed.tree.root)
    assert all(path.startswith(root) for path in eval(done.stdout))


def test_packed_python_starts_without_output(packed: Packed) -> None:
    # A missing lib-dynload or an unknown prefix is reported on stderr at each start.
    done = packed.run(code="pass")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["charset_normalizer", "chardet", "moto", "jsonschema", "pytest", "bz2"])
def test_packed_python_lacks_modules_that_engine_does_not_need(packed: Packed, name: str) -> None:
    done = packed.run(code=f"import {name}")
    assert f"No module named '{name}'" in done.stderr


def test_requests_prints_no_warning_about_left_out_modules(packed: Packed) -> None:
    launcher = (packed.tree.root / "usr/bin/ignition").read_text()
    code = launcher.partition("from ignition.cli")[0] + "import requests"
    done = packed.run(code=code)
    assert (done.returncode, done.stderr) == (0, "")


def test_packed_tree_holds_only_s3_data_of_boto3(packed: Packed) -> None:
    data = packed.tree.library / "botocore/data"
    assert [path.name for path in data.iterdir() if path.is_dir()] == ["s3"]
    whole = Path(botocore.__file__).with_name("data") / "endpoints.json"
    packed_endpoints = (data / "endpoints.json").read_text("utf-8")
    assert json.loads(packed_endpoints) == json.loads(whole.read_text("utf-8"))
    assert len(packed_endpoints) < whole.stat().st_size * 0.7
    code = (
        "from ignition.resource.objectstore.aws import Addresses;"
        "print(Addresses().object('eu-west-1', 'boot', 'k', ''))"
    )
    done = packed.run(code=code)
    assert (done.stdout, done.stderr) == ("https://boot.s3.dualstack.eu-west-1.amazonaws.com/k\n", "")


def test_packed_tree_holds_no_data_files_except_botocore(packed: Packed) -> None:
    seen = outcome()
    assert packer.data(seen) == {}
    others = [path for path in packed.tree.library.rglob("*") if path.is_file()]
    suffixes = {path.suffix for path in others if "botocore" not in path.parts}
    assert suffixes <= {".pyc", ".so"}


def test_packed_tree_holds_no_sources_and_no_caches(packed: Packed) -> None:
    names = [path.name for path in packed.tree.library.rglob("*")]
    assert not [name for name in names if name.endswith(".py") or name == "__pycache__"]
    assert "scratch.pyc" not in names


def test_packed_byte_code_is_unchecked(packed: Packed) -> None:
    for path in packed.tree.library.rglob("*.pyc"):
        flags = int.from_bytes(path.read_bytes()[4:8], "little")
        assert flags == 0b01, path


def test_packed_byte_code_holds_no_path_of_build_host(packed: Packed) -> None:
    checkout = str(Path(packer.__file__).parents[2]).encode()
    for path in packed.tree.library.rglob("*.pyc"):
        assert checkout not in path.read_bytes(), path


def test_packed_engine_keeps_assertions_and_drops_docstrings(packed: Packed) -> None:
    code = (
        "from ignition.schemas.config import Config; from ignition.schemas.fields import fields_of\n"
        "try:\n fields_of(Config)[0].key_of(Config.empty())\n"
        "except AssertionError:\n print('asserted', Config.__doc__)"
    )
    assert packed.run(code=code).stdout == "asserted None\n"


def test_packed_tree_holds_every_module_of_boot_path(packed: Packed) -> None:
    for module in imports.reach().modules:
        place = packed.tree.library.joinpath(*module.split("."))
        assert place.with_name(place.name + ".pyc").is_file() or (place / "__init__.pyc").is_file(), module


def test_system_files_hold_ca_bundle_and_libraries(packed: Packed) -> None:
    names = {Path(path).name for path in packed.system_files}
    assert {"ca-certificates.crt", "libudev.so.1", "libc.so.6"} <= names
    assert all(Path(path).exists() for path in packed.system_files)


def test_file_list_holds_every_file_of_tree(packed: Packed) -> None:
    listed = (packed.tree.root / "usr/lib/ignition-runtime/files").read_text().splitlines()
    files = (path for path in packed.tree.root.rglob("*") if path.is_file() or path.is_symlink())
    assert {f"/{path.relative_to(packed.tree.root)}" for path in files} <= set(listed)
    assert set(packed.system_files) <= set(listed)


def test_packed_libraries_are_executable(packed: Packed) -> None:
    libraries = list(packed.tree.library.rglob("*.so"))
    assert libraries
    assert all(os.access(path, os.X_OK) for path in libraries)


def test_write_second_python_in_image_is_error(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/python3").touch()
    with pytest.raises(FileExistsError):
        PackedTree(tmp_path).write([])


def test_run_unpacked_adds_checkout_to_search_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An import hook finds an editable installation; a child interpreter has no such hook."""
    checkout, jobs = str(Path(packer.__file__).parents[2]), list[Job]()
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in {"", checkout}])
    monkeypatch.setattr(packer, "perform", lambda interpreter, job: jobs.append(job))
    packer.run_unpacked(imports.Reach(frozenset(), frozenset()), "/bundle")
    assert checkout in jobs[0].path


def outcome(missing: set[str] = frozenset(), **modules: str) -> Outcome:  # type: ignore[assignment]
    return Outcome({name: (file, False) for name, file in modules.items()}, frozenset(missing), (), {})


def test_refuse_differences_new_missing_module_is_error(tmp_path: Path) -> None:
    with pytest.raises(IgnitionError, match="not found in the packed tree: late"):
        packer.refuse_differences(outcome({"socks"}), outcome({"socks", "late"}), PackedTree(tmp_path))


def test_refuse_differences_module_missing_before_and_after_passes(tmp_path: Path) -> None:
    packer.refuse_differences(outcome({"socks"}), outcome({"socks"}), PackedTree(tmp_path))


def test_refuse_differences_module_from_outside_tree_is_error(tmp_path: Path) -> None:
    with pytest.raises(IgnitionError, match=r"/usr/lib/python3\.11/os\.py"):
        packer.refuse_differences(outcome(), outcome(os="/usr/lib/python3.11/os.py"), PackedTree(tmp_path))


INTERPRETER = (str(base_interpreter()), "-I")


def test_perform_unexpected_exit_status_is_error_with_output() -> None:
    trial = Trial(("ignition", "--stage=nonsense", "--platform=file"), status=0)
    checkout = str(Path(packer.__file__).parents[2])
    site = [path for path in sys.path if path.endswith("site-packages")]
    job = Job(trials=(Trial(("ignition", "--version")), trial), path=(checkout, *site))
    with pytest.raises(IgnitionError, match="exit status 2, expected 0") as caught:
        perform(INTERPRETER, job)
    assert "--stage=nonsense" in caught.value.message
    assert "--version" not in caught.value.message


def test_perform_failed_import_is_error() -> None:
    with pytest.raises(CommandFailed, match="no_such_module"):
        perform(INTERPRETER, Job(imports=(imports.Import("no_such_module"),)))


def test_perform_hidden_modules_are_missing() -> None:
    found = perform(INTERPRETER, Job(imports=(imports.Import("shutil"),), hidden=("bz2",)))
    assert "bz2" in found.missing
    assert "bz2" not in found.modules
    assert found.modules["shutil"][0].endswith("shutil.py")


def test_perform_submodule_imported_from_package_is_loaded() -> None:
    found = perform(INTERPRETER, Job(imports=(imports.Import("xml", "dom"),)))
    assert found.modules["xml.dom"][1]


def test_perform_built_in_module_has_no_file() -> None:
    found = perform(INTERPRETER, Job(imports=(imports.Import("marshal"),)))
    assert found.modules["marshal"] == ("", False)
