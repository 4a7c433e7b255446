# SPDX-License-Identifier: Apache-2.0
"""The units: accepted by systemd, and ordered as a boot needs (docs/reference/stages.md, "dracut module")."""

from __future__ import annotations

import configparser
import itertools
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from ignition.distro import PACKAGES

DRACUT = Path(__file__).parents[2] / "dracut"
MODULE = DRACUT / "30ignition"
UNITS = Path("usr/lib/systemd/system")
SYSTEM_UNITS = Path("/usr/lib/systemd/system")

STAGES: Final = ("fetch-offline", "fetch", "kargs", "disks", "mount", "files")
PENDING: Final = ("kargs", "disks", "mount", "files")
"""The stages for which fetch creates a pending-stage file if they have work."""


class Unit:
    """A unit file. A key may occur more than once, and a value may be a list of words."""

    def __init__(self, path: Path) -> None:
        self.values: dict[str, list[str]] = {}
        for line in path.read_text().splitlines():
            if line and line[0] not in "#;[":
                key, _, value = line.partition("=")
                self.values.setdefault(key, []).append(value)

    def words(self, key: str) -> set[str]:
        return {word for value in self.values.get(key, []) for word in value.split()}

    def one(self, key: str) -> str:
        (value,) = self.values[key]
        return value


def unit(name: str) -> Unit:
    return Unit(MODULE / name)


def stage_unit(stage: str) -> Unit:
    return unit(f"ignition-{stage}.service")


ALL = sorted(path.name for path in MODULE.glob("ignition-*") if path.suffix in {".service", ".target"})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root directory with the units of systemd and of Ignition, as in an image that dracut builds."""
    root = tmp_path_factory.mktemp("root")
    (root / UNITS).mkdir(parents=True)
    for pattern in ("*.target", "initrd-*.service", "systemd-*.service", "systemd-*.socket"):
        for path in SYSTEM_UNITS.glob(pattern):
            if path.is_file():
                shutil.copy(path, root / UNITS)
    shutil.copy("/usr/lib/dracut/modules.d/98dracut-systemd/emergency.service", root / UNITS)
    for name in ALL:
        shutil.copy(MODULE / name, root / UNITS)
    shutil.copy(DRACUT / "host/ignition-firstboot-complete.service", root / UNITS)
    dropins = root / UNITS / "emergency.service.d"
    dropins.mkdir()
    for name in ("emergency.conf", "emergency-retry.conf"):
        shutil.copy(MODULE / name, dropins)
    programs = ("usr/bin/ignition", "usr/bin/mount", "usr/lib/systemd/systemd-networkd", "usr/bin/sh")
    helpers = ("ignition-network", "ignition-emergency", "ignition-firstboot-complete")
    for program in (*programs, *(f"usr/libexec/{name}" for name in helpers)):
        path = root / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    (root / "bin").symlink_to("usr/bin")
    return root


@pytest.mark.real_commands("systemd-analyze")
@pytest.mark.parametrize("name", [*ALL, "ignition-firstboot-complete.service", "emergency.service"])
def test_systemd_analyze_verify_passes(root: Path, name: str) -> None:
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={root}", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # Errors of Debian's units, which are incomplete in this root, do not count.
    complaints = [line for line in done.stderr.splitlines() if "ignition" in line or name in line]
    assert complaints == []
    assert done.returncode == 0


@pytest.mark.parametrize("name", ALL)
def test_units_run_in_initramfs_only(name: str) -> None:
    assert "/etc/initrd-release" in unit(name).words("ConditionPathExists")


@pytest.mark.parametrize("stage", STAGES)
def test_stage_units_are_oneshot_and_isolate_emergency_on_failure(stage: str) -> None:
    it = stage_unit(stage)
    assert it.one("Type") == "oneshot"
    assert it.one("RemainAfterExit") == "yes"
    assert it.one("DefaultDependencies") == "false"
    assert it.one("OnFailure") == "emergency.target"
    assert it.one("OnFailureJobMode") == "isolate"
    assert "ignition-complete.target" in it.words("Before")
    assert it.one("EnvironmentFile") == "/run/ignition.env"


@pytest.mark.parametrize("stage", STAGES)
def test_stage_units_call_engine_with_arguments_of_reference(stage: str) -> None:
    words = stage_unit(stage).one("ExecStart").split()
    assert words[:4] == [
        "/usr/bin/ignition",
        "--root=/sysroot",
        "--platform=${PLATFORM_ID}",
        f"--stage={stage}",
    ]
    assert words[-1] == "$IGNITION_ARGS"
    assert words[4:-1] in ([], ["$IGNITION_THEN"])


@pytest.mark.parametrize("stage", PENDING)
def test_stage_units_require_pending_stage_file(stage: str) -> None:
    assert f"/run/ignition/stages/{stage}" in stage_unit(stage).words("ConditionPathExists")


def test_fetch_unit_requires_neednet_and_no_config() -> None:
    assert stage_unit("fetch").words("ConditionPathExists") >= {
        "/run/ignition/neednet",
        "!/run/ignition.json",
    }


@pytest.mark.parametrize("stage", ["fetch-offline", "fetch", "mount"])
def test_stages_in_one_process_can_be_disabled_by_drop_in(stage: str) -> None:
    assert stage_unit(stage).one("Environment").startswith("IGNITION_THEN=--then=")


@pytest.mark.parametrize("stage", ["fetch-offline", "fetch"])
def test_fetch_units_meet_needs_of_following_stages(stage: str) -> None:
    it = stage_unit(stage)
    assert "systemd-udevd.service" in it.words("After") & it.words("Wants")
    # Mounts of the kernel argument helper must end with the unit.
    assert it.one("MountFlags") == "slave"


def after(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """All units after which a unit is ordered, directly or through units of Ignition."""
    found: set[str] = set()
    for other in ALL:
        if other != name and other not in seen:
            before = other in unit(name).words("After") or name in unit(other).words("Before")
            if before:
                found |= {other} | after(other, seen | {name})
    return found | unit(name).words("After")


ORDER = [
    "ignition-fetch-offline.service",
    "ignition-network.service",
    "ignition-fetch.service",
    "ignition-kargs.service",
    "ignition-disks.service",
    "ignition-mount.service",
    "ignition-files.service",
    "ignition-complete.target",
]


@pytest.mark.parametrize(("earlier", "later"), list(itertools.pairwise(ORDER)))
def test_stage_units_are_ordered(earlier: str, later: str) -> None:
    assert earlier in after(later)


@pytest.mark.parametrize("name", ALL)
def test_units_have_no_ordering_cycle(name: str) -> None:
    assert name not in after(name)


@pytest.mark.parametrize(
    "target", ["sysroot.mount", "systemd-fsck-root.service", "initrd-root-device.target"]
)
def test_root_units_are_ordered_after_disks_stage(target: str) -> None:
    assert target in stage_unit("disks").words("Before")


def test_mount_unit_follows_remount_and_unmounts_before_switch_root() -> None:
    it = stage_unit("mount")
    assert {"initrd-root-fs.target", "ignition-remount-sysroot.service"} <= it.words("After")
    assert "initrd-switch-root.target" in it.words("Before")
    stop = it.one("ExecStop")
    assert "--stage=umount" in stop
    # If the mount process has run the umount stage, only a shell is started.
    assert stop.startswith("/bin/sh -c '[ ! -e /run/ignition/stages/umount ] || exec ")
    # systemd would put the platform id into the shell program.
    assert "${" not in stop


def test_files_unit_is_ordered_before_fstab_is_read() -> None:
    assert "initrd-parse-etc.service" in stage_unit("files").words("Before")


def test_remount_unit_requires_read_only_root_and_pending_stage() -> None:
    it = unit("ignition-remount-sysroot.service")
    assert it.one("ConditionPathIsReadWrite") == "!/sysroot"
    assert it.words("ConditionPathExists") >= {
        "|/run/ignition/stages/mount",
        "|/run/ignition/stages/files",
    }
    assert "ignition-diskful.target" in it.words("Before")


def test_network_unit_requires_neednet_and_ends_before_switch_root() -> None:
    it = unit("ignition-network.service")
    assert "/run/ignition/neednet" in it.words("ConditionPathExists")
    assert "initrd-switch-root.target" in it.words("Conflicts") & it.words("Before")
    # The network stays up in the emergency shell.
    assert it.one("IgnoreOnIsolate") == "true"


@pytest.mark.parametrize("name", [name for name in ALL if name.endswith(".target")])
def test_targets_conflict_with_emergency(name: str) -> None:
    assert unit(name).words("Conflicts") == {
        "initrd-switch-root.target",
        "umount.target",
        "dracut-emergency.service",
        "emergency.service",
        "emergency.target",
    }


def test_stamp_removal_requires_config_and_no_failure_card() -> None:
    it = Unit(DRACUT / "host/ignition-firstboot-complete.service")
    assert {"/run/ignition.json", "!/run/ignition/failure"} <= it.words("ConditionPathExists")
    assert it.one("RequiresMountsFor") == "/boot"


NOT_IN_INITRAMFS = {"dracut", "ldd", "lsinitrd", "sgdisk", "strip", "tar", "zstd"}
"""Programs that build images, and programs that only the reference engine uses."""


def test_image_contains_every_program_of_engine() -> None:
    installed = set((MODULE / "module-setup.sh").read_text().split())
    needed = set(PACKAGES) - NOT_IN_INITRAMFS
    assert {name for name in needed if not {name, f"/usr/sbin/{name}"} & installed} == set()


def test_network_file_matches_wired_interfaces_only() -> None:
    file = configparser.ConfigParser(strict=False)
    file.optionxform = str  # type: ignore[assignment,method-assign]
    file.read(MODULE / "ignition.network")
    assert dict(file["Match"]) == {"Type": "ether", "Kind": "!*"}
    assert file["Network"]["DHCP"] == "yes"
    # The installed system has another machine ID and must get the same address.
    assert file["DHCPv4"]["ClientIdentifier"] == "mac"
