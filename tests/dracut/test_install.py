# SPDX-License-Identifier: Apache-2.0
"""`dracut/install.sh`: installs the tree of a distribution package without privileges."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.real_commands("install.sh", "python3.11")

PROJECT = Path(__file__).parents[2]
SITE = "usr/lib/python3/dist-packages"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    destination = tmp_path_factory.mktemp("package")
    environment = {"PATH": os.environ["PATH"], "DESTDIR": str(destination), "PYTHON_SITE": f"/{SITE}"}
    subprocess.run([PROJECT / "dracut/install.sh"], env=environment, check=True)
    return destination


@pytest.mark.parametrize(
    ("path", "executable"),
    [
        ("usr/bin/ignition", True),
        ("usr/bin/ignition-validate", True),
        ("usr/libexec/ignition-apply", True),
        ("usr/libexec/ignition-firstboot-complete", True),
        ("usr/libexec/ignition-rmcfg", True),
        ("usr/lib/dracut/modules.d/30ignition/module-setup.sh", True),
        ("usr/lib/dracut/modules.d/30ignition/ignition-generator", True),
        ("usr/lib/dracut/modules.d/30ignition/ignition-disks.service", False),
        ("usr/lib/systemd/system/ignition-firstboot-complete.service", False),
        ("usr/share/ignition/05_ignition.cfg", False),
        ("usr/lib/bootupd/grub2-static/configs.d/05_ignition.cfg", False),
        ("etc/grub.d/05_ignition", True),
        ("etc/default/grub.d/ignition.cfg", False),
        (f"{SITE}/ignition/engine/__init__.py", False),
        (f"{SITE}/ignition/schemas/base.py", False),
        (f"{SITE}/ignition/providers/qemu.py", False),
    ],
)
def test_install_puts_file_at_path_with_mode(installed: Path, path: str, executable: bool) -> None:
    assert (installed / path).is_file()
    assert os.access(installed / path, os.X_OK) == executable


def test_install_copies_every_file_of_dracut_module(installed: Path) -> None:
    module = installed / "usr/lib/dracut/modules.d/30ignition"
    assert sorted(path.name for path in module.iterdir()) == sorted(os.listdir(PROJECT / "dracut/30ignition"))


def test_install_leaves_no_byte_code_and_no_links_to_checkout(installed: Path) -> None:
    assert not list(installed.rglob("__pycache__")) + list(installed.rglob("*.pyc"))
    links = [path for path in installed.rglob("*") if path.is_symlink()]
    names = {"ignition-apply", "ignition-firstboot-complete.service", "ignition-rmcfg"}
    assert {path.name for path in links} == names
    for link in links:
        assert not os.path.isabs(os.readlink(link))
        assert link.resolve().is_relative_to(installed)


def test_install_enables_stamp_removal_regardless_of_presets(installed: Path) -> None:
    wants = installed / "usr/lib/systemd/system/multi-user.target.wants"
    assert (wants / "ignition-firstboot-complete.service").resolve().is_file()


@pytest.mark.parametrize("name", ["ignition-apply", "ignition-rmcfg"])
def test_programs_in_libexec_act_by_their_names(installed: Path, name: str) -> None:
    program = installed / "usr/libexec" / name
    assert program.resolve() == installed / "usr/bin/ignition"
    code = (
        f"import sys; sys.path.insert(0, {str(installed / SITE)!r}); sys.argv[0] = {str(program)!r}; "
        "from ignition.cli import main; sys.exit(main())"
    )
    command = ["/usr/bin/python3.11", "-I", "-c", code, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{name}" in done.stderr


def test_installed_package_prints_version(installed: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(installed / SITE)!r}); from ignition.cli import main; main()"
    command = ["/usr/bin/python3.11", "-I", "-c", code, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Ignition ")
