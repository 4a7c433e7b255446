"""A wheel imports as a checkout does: the links, the package map and what ships agree."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ignition.cli import PROGRAMS

PROJECT = Path(__file__).parents[1]
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
