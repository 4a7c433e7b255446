"""The units, read by systemd itself, and the orderings of engine.md 11.3 that a boot depends on."""

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
GATED: Final = ("kargs", "disks", "mount", "files")
"""The stages that fetch writes down when they have work."""


class Unit:
    """One unit file; a key may occur more than once, and each value may be a list of words."""

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
    """A root with systemd's units and ours, as dracut lays them out."""
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
def test_systemd_has_nothing_to_complain_about(root: Path, name: str) -> None:
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={root}", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # What Debian's own units lack in this root is not ours.
    complaints = [line for line in done.stderr.splitlines() if "ignition" in line or name in line]
    assert complaints == []
    assert done.returncode == 0


@pytest.mark.parametrize("name", ALL)
def test_no_unit_runs_in_the_real_root(name: str) -> None:
    assert "/etc/initrd-release" in unit(name).words("ConditionPathExists")


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_is_a_oneshot_whose_failure_stops_the_boot(stage: str) -> None:
    it = stage_unit(stage)
    assert it.one("Type") == "oneshot"
    assert it.one("RemainAfterExit") == "yes"
    assert it.one("DefaultDependencies") == "false"
    assert it.one("OnFailure") == "emergency.target"
    assert it.one("OnFailureJobMode") == "isolate"
    assert "ignition-complete.target" in it.words("Before")
    assert it.one("EnvironmentFile") == "/run/ignition.env"


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_calls_the_engine_as_the_reference_does(stage: str) -> None:
    words = stage_unit(stage).one("ExecStart").split()
    assert words[:4] == [
        "/usr/bin/ignition",
        "--root=/sysroot",
        "--platform=${PLATFORM_ID}",
        f"--stage={stage}",
    ]
    assert words[-1] == "$IGNITION_ARGS"
    assert words[4:-1] in ([], ["$IGNITION_THEN"])


@pytest.mark.parametrize("stage", GATED)
def test_a_stage_without_work_costs_no_process(stage: str) -> None:
    assert f"/run/ignition/stages/{stage}" in stage_unit(stage).words("ConditionPathExists")


def test_fetch_runs_only_when_the_network_is_needed_and_no_config_is_there() -> None:
    assert stage_unit("fetch").words("ConditionPathExists") >= {
        "/run/ignition/neednet",
        "!/run/ignition.json",
    }


@pytest.mark.parametrize("stage", ["fetch-offline", "fetch", "mount"])
def test_going_on_in_one_process_can_be_switched_off_by_a_drop_in(stage: str) -> None:
    assert stage_unit(stage).one("Environment").startswith("IGNITION_THEN=--then=")


@pytest.mark.parametrize("stage", ["fetch-offline", "fetch"])
def test_a_fetch_that_goes_on_with_the_disks_has_what_those_need(stage: str) -> None:
    it = stage_unit(stage)
    assert "systemd-udevd.service" in it.words("After") & it.words("Wants")
    # What the kernel argument helper mounts must vanish with the unit.
    assert it.one("MountFlags") == "slave"


def after(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """Everything that a unit waits for, over any number of our units."""
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
def test_stages_come_one_after_another(earlier: str, later: str) -> None:
    assert earlier in after(later)


@pytest.mark.parametrize("name", ALL)
def test_nothing_waits_for_itself(name: str) -> None:
    assert name not in after(name)


@pytest.mark.parametrize(
    "target", ["sysroot.mount", "systemd-fsck-root.service", "initrd-root-device.target"]
)
def test_the_root_is_looked_for_only_after_the_disks_stage(target: str) -> None:
    assert target in stage_unit("disks").words("Before")


def test_mounts_are_made_in_a_writable_root_and_gone_before_it_takes_over() -> None:
    it = stage_unit("mount")
    assert {"initrd-root-fs.target", "ignition-remount-sysroot.service"} <= it.words("After")
    assert "initrd-switch-root.target" in it.words("Before")
    stop = it.one("ExecStop")
    assert "--stage=umount" in stop
    # Already done in the process of the other stages, it costs a shell.
    assert stop.startswith("/bin/sh -c '[ ! -e /run/ignition/stages/umount ] || exec ")
    # systemd would put the platform's name into the shell's program.
    assert "${" not in stop


def test_an_fstab_from_the_config_is_read_by_systemd() -> None:
    assert "initrd-parse-etc.service" in stage_unit("files").words("Before")


def test_the_root_is_remounted_only_when_something_will_be_written() -> None:
    it = unit("ignition-remount-sysroot.service")
    assert it.one("ConditionPathIsReadWrite") == "!/sysroot"
    assert it.words("ConditionPathExists") >= {
        "|/run/ignition/stages/mount",
        "|/run/ignition/stages/files",
    }
    assert "ignition-diskful.target" in it.words("Before")


def test_the_network_comes_up_only_when_asked_for_and_not_into_the_real_root() -> None:
    it = unit("ignition-network.service")
    assert "/run/ignition/neednet" in it.words("ConditionPathExists")
    assert "initrd-switch-root.target" in it.words("Conflicts") & it.words("Before")
    # The operator in the emergency shell keeps it.
    assert it.one("IgnoreOnIsolate") == "true"


@pytest.mark.parametrize("name", [name for name in ALL if name.endswith(".target")])
def test_an_emergency_undoes_the_targets(name: str) -> None:
    assert unit(name).words("Conflicts") == {
        "initrd-switch-root.target",
        "umount.target",
        "dracut-emergency.service",
        "emergency.service",
        "emergency.target",
    }


def test_the_stamp_is_cleared_only_after_a_first_boot_without_failure() -> None:
    it = Unit(DRACUT / "host/ignition-firstboot-complete.service")
    assert {"/run/ignition.json", "!/run/ignition/failure"} <= it.words("ConditionPathExists")
    assert it.one("RequiresMountsFor") == "/boot"


NEVER_IN_AN_INITRAMFS = {"dracut", "ldd", "lsinitrd", "sgdisk", "strip", "tar", "zstd"}
"""Those that build images or that this engine does without."""


def test_every_program_that_the_engine_may_start_goes_into_the_image() -> None:
    installed = set((MODULE / "module-setup.sh").read_text().split())
    needed = set(PACKAGES) - NEVER_IN_AN_INITRAMFS
    assert {name for name in needed if not {name, f"/usr/sbin/{name}"} & installed} == set()


def test_the_network_file_asks_only_wired_cards() -> None:
    file = configparser.ConfigParser(strict=False)
    file.optionxform = str  # type: ignore[assignment,method-assign]
    file.read(MODULE / "ignition.network")
    assert dict(file["Match"]) == {"Type": "ether", "Kind": "!*"}
    assert file["Network"]["DHCP"] == "yes"
    # The installed system identifies itself otherwise and is to get the same address.
    assert file["DHCPv4"]["ClientIdentifier"] == "mac"
