# SPDX-License-Identifier: Apache-2.0
"""The packages for users: the contents of wheel and source distribution, and the declared dependencies."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ignition.cli import PROGRAMS
from tests.lab.checkout import PROJECT, files

SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text())
MAP: dict[str, str] = SETTINGS["tool"]["setuptools"]["package-dir"]
PACKAGES: list[str] = SETTINGS["tool"]["setuptools"]["packages"]


def folder(package: str) -> Path:
    return PROJECT / MAP.get(package, package.replace(".", "/"))


def packages_on_disk() -> set[str]:
    """Every package that a checkout can import, links followed."""
    found = {
        ".".join(path.parent.relative_to(PROJECT).parts)
        for path in (PROJECT / "ignition").rglob("__init__.py")
    }
    for linked, real in MAP.items():
        for path in (PROJECT / real).rglob("__init__.py"):
            found.add(".".join((linked, *path.parent.relative_to(PROJECT / real).parts)))
    return found


@pytest.mark.parametrize(("package", "target"), sorted(MAP.items()))
def test_links_lead_where_the_package_map_does(package: str, target: str) -> None:
    link = PROJECT / package.replace(".", "/")
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == (PROJECT / target).resolve()


def test_every_package_is_declared() -> None:
    assert sorted(PACKAGES) == sorted(packages_on_disk())


def own_files(package: Path) -> Iterator[Path]:
    """The files of a package and of its folders of data, without those of the packages in it."""
    for path in package.iterdir():
        if path.is_dir() and not path.is_symlink() and not (path / "__init__.py").exists():
            yield from own_files(path)
        elif path.is_file() and not path.name.startswith(".") and path.suffix != ".pyc":
            yield path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The project's wheel, built from a copy so that nothing is left in the checkout."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for part in ("ignition", "schemas", "providers"):
        shutil.copytree(PROJECT / part, source / part, symlinks=True, ignore=shutil.ignore_patterns("*.pyc"))
    for part in ("pyproject.toml", "README.md"):
        shutil.copy(PROJECT / part, source)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    subprocess.run([*pip, "--wheel-dir", built, source], check=True, capture_output=True)
    (file,) = built.glob("*.whl")
    return zipfile.Path(file)


@pytest.mark.real_commands
def test_everything_ships(wheel: zipfile.Path) -> None:
    expected = {
        "/".join((*package.split("."), *path.relative_to(folder(package)).parts))
        for package in PACKAGES
        for path in own_files(folder(package))
    }
    shipped = {name for name in wheel.root.namelist() if ".dist-info/" not in name and not name.endswith("/")}
    assert shipped == expected


@pytest.mark.real_commands
def test_the_programs_of_the_running_system_are_declared(wheel: zipfile.Path) -> None:
    (points,) = (name for name in wheel.root.namelist() if name.endswith("entry_points.txt"))
    # The helper for kernel arguments is started by a stage, in the initramfs.
    names = sorted({"ignition", *PROGRAMS} - {"ignition-kargs-helper"})
    lines = [f"{name} = ignition.cli:main" for name in names]
    assert wheel.root.read(points).decode().splitlines() == ["[console_scripts]", *lines]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution, built from a copy of the checkout."""
    source, built = tmp_path_factory.mktemp("source") / "project", tmp_path_factory.mktemp("built")
    for path in files():
        (source / path.relative_to(PROJECT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, source / path.relative_to(PROJECT))
    for linked in MAP:
        link = linked.replace(".", "/")
        (source / link).symlink_to((PROJECT / link).readlink())
    build = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, built], cwd=source, check=True, capture_output=True)
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(built)
    (unpacked,) = (path for path in built.iterdir() if path.is_dir())
    return unpacked


@pytest.mark.real_commands
def test_source_distribution_has_every_source_file(sdist: Path) -> None:
    missing = [
        str(path.relative_to(PROJECT))
        for path in files()
        if not (sdist / path.relative_to(PROJECT)).is_file()
    ]
    assert missing == []


@pytest.mark.real_commands
def test_wheel_without_dependencies_installs_and_validates(wheel: zipfile.Path, tmp_path: Path) -> None:
    """`validate`, `explain` and `schema` need the standard library only."""
    venv.create(tmp_path, with_pip=False)
    python = tmp_path / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index")
    subprocess.run([*pip, str(wheel.root.filename)], check=True, capture_output=True)
    ignition = tmp_path / "bin" / "ignition"
    for arguments in (("validate", PROJECT / "examples" / "demo.ign"), ("explain",), ("schema", "3.4.0")):
        ran = subprocess.run([ignition, *arguments], capture_output=True, check=False, cwd=tmp_path)
        assert (ran.returncode, ran.stderr) == (0, b""), arguments


DISTRIBUTIONS = {"dateutil": "python-dateutil", "_pytest": "pytest", "xdist": "pytest-xdist"}
"""Distributions whose name differs from the module's."""

FOR_TYPES = {"types-boto3-s3", "-typeshed"}
"""Imported under TYPE_CHECKING: an extra of `types-boto3`, which is declared, and mypy's own stubs."""

NOT_DISTRIBUTIONS = {"ignition", "tests"}


def imported(folders: tuple[str, ...]) -> set[str]:
    """Return the top-level modules that sources in some folders import, also in functions."""
    names = set()
    for path in files():
        if path.suffix == ".py" and path.relative_to(PROJECT).parts[0] in folders:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - NOT_DISTRIBUTIONS


def distributions(modules: set[str]) -> set[str]:
    return {DISTRIBUTIONS.get(module, module).replace("_", "-").lower() for module in modules}


def declared(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=;~! ]", each)[0].lower() for each in requirements}


OWNER_NAMED = {"pydantic", "jsonschema", "requests", "boto3", "pyudev"}


def test_imports_of_the_engine_are_declared() -> None:
    needed = distributions(imported(("ignition", "schemas", "providers")))
    dependencies = declared(SETTINGS["project"]["dependencies"])
    assert needed >= OWNER_NAMED
    assert needed - FOR_TYPES == dependencies


def test_imports_of_the_tests_are_declared() -> None:
    needed = distributions(imported(("tests",)))
    everything = declared(SETTINGS["project"]["dependencies"])
    everything |= declared(SETTINGS["project"]["optional-dependencies"]["dev"])
    assert needed - everything - FOR_TYPES == set()


def test_every_program_file_has_a_license_identifier() -> None:
    missing = [
        str(path.relative_to(PROJECT))
        for path in files()
        if (path.suffix in {".py", ".sh"} or path.read_bytes().startswith(b"#!"))
        and path.relative_to(PROJECT).parts[0] != "examples"  # the proof in the demo has a fixed digest
        and "# SPDX-License-Identifier: Apache-2.0" not in path.read_text().splitlines()[:2]
    ]
    assert missing == []
