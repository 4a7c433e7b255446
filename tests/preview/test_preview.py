# SPDX-License-Identifier: Apache-2.0
"""Previews of whole configs, on loop disks with real programs and on trees; nothing is written."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ignition.boot.state import State
from ignition.errors import Refused
from ignition.host.command import Command, Ran
from ignition.host.run import run
from ignition.preview import Does, Effect, StagePreview, preview_host
from ignition.preview import preview as previewed
from ignition.resource import Fetcher
from ignition.schemas.config import Config
from ignition.stages import STAGES
from tests.host.fakes import FakeRun
from tests.lab import loop
from tests.lab.performing import performed
from tests.lab.readonly import only_looking
from tests.lab.sysfs import Sysfs
from tests.stages.files.lab import config_of, tree_of

QUERIES = {"wipefs": "--json", "blkid": "-p"}
DISK_PROGRAMS = (*loop.PROGRAMS, "sfdisk", "wipefs", "blkid", "mkfs.ext4", "mkfs.xfs")


def run_query(command: Command) -> Ran:
    """Run real programs, but only those that write nothing."""
    assert command.argv[1] == QUERIES[command.program]
    assert not {"--all", "-a", "--force"} & set(command.argv)
    return run(command)


def preview(config: Config, root: Path, *, real: bool = False, system: str = "") -> list[StagePreview]:
    """Preview this machine if `real`, else an artificial one."""
    run_program = run_query if real else FakeRun()
    if not (real or system):
        system = str(artificial_system(root.parent / "made-up").system)
    host = preview_host(str(root), run_program, Fetcher(offline=True), system or "/")
    with only_looking():
        return list(previewed(config, host, State()))


def artificial_system(directory: Path) -> Sysfs:
    """Return an empty artificial system."""
    made = Sysfs(directory)
    (made.system / "proc/mdstat").write_text("Personalities : [raid1] \n")
    (made.system / "proc/sys/kernel/random").mkdir(parents=True, exist_ok=True)
    (made.system / "proc/sys/kernel/random/boot_id").write_text("x")
    return made


def effects_of(previews: list[StagePreview], *stages: str) -> list[tuple[str, str]]:
    effects = [each for stage in previews if not stages or stage.stage in stages for each in stage.effects]
    return [(each.does.value, each.what) for each in effects]


def conflicts(previews: list[StagePreview]) -> list[str]:
    return [str(conflict) for each in previews for conflict in each.conflicts]


def effect(previews: list[StagePreview], what: str) -> Effect:
    return next(each for stage in previews for each in stage.effects if each.what == what)


def digest(image: Path) -> str:
    os.sync()
    return hashlib.sha256(image.read_bytes()).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    (made / "etc").mkdir(parents=True)
    (made / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nold:x:7:7::/home/old:\n")
    (made / "etc/group").write_text("root:x:0:\n")
    return made


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    with loop.attached(tmp_path / "disk", 64 << 20) as node:
        yield node


def make(config: Config, directory: Path) -> None:
    """Provision the disks for real."""
    performed(
        next(stage for stage in STAGES if stage.name == "disks"), config, loop.machine(directory), State()
    )


@pytest.mark.real_commands(*DISK_PROGRAMS)
class TestDisks:
    def test_blank_disk_shows_creations_and_stays_unchanged(
        self, disk: str, tmp_path: Path, root: Path
    ) -> None:
        config = config_of(
            storage={
                "disks": [
                    {
                        "device": disk,
                        "partitions": [{"number": 1, "label": "a", "sizeMiB": 30}, {"number": 2}],
                    }
                ],
                "filesystems": [
                    {"device": f"{disk}p1", "format": "ext4", "label": "A", "path": "/srv"},
                    {"device": f"{disk}p2", "format": "swap"},
                ],
            }
        )  # fmt: skip
        before = digest(tmp_path / "disk")
        first = preview(config, root, real=True)
        assert conflicts(first) == []
        assert effects_of(first, "disks", "mount") == [
            ("create", f"the partition table of {disk}"),
            ("create", f"partition 1 of {disk}"),
            ("create", f"partition 2 of {disk}"),
            ("create", f"ext4 on {disk}p1"),
            ("create", f"swap on {disk}p2"),
            ("create", f"{disk}p1 mounted at /srv"),
        ]
        assert effect(first, f"partition 1 of {disk}").detail == '30 MiB at offset 1 MiB, labelled "a"'
        assert digest(tmp_path / "disk") == before
        assert not Path(f"{disk}p1").exists()

    def test_provisioned_disk_shows_kept_and_lost_contents(
        self, disk: str, tmp_path: Path, root: Path
    ) -> None:
        partitions = [{"number": 1, "label": "a", "sizeMiB": 20}, {"number": 2, "label": "b"}]
        filesystems = [
            {"device": f"{disk}p1", "format": "ext4", "label": "OLD"},
            {"device": f"{disk}p2", "format": "ext4"},
        ]
        made = config_of(
            storage={"disks": [{"device": disk, "partitions": partitions}], "filesystems": filesystems}
        )
        make(made, tmp_path)
        before = digest(tmp_path / "disk")
        again = preview(made, root, real=True)
        assert {does for does, _ in effects_of(again, "disks")} == {"keep"}

        wiped = config_of(
            storage={
                "disks": [{"device": disk, "wipeTable": True, "partitions": partitions}],
                "filesystems": [
                    {**filesystems[0], "wipeFilesystem": True, "format": "xfs"},
                    {**filesystems[1], "format": "vfat"},
                ],
            }
        )
        shown = preview(wiped, root, real=True)
        table = effect(shown, f"the partition table of {disk}")
        assert table.does is Does.DESTROY
        assert table.lost[:3] == (
            'partition 1, labelled "a", 20 MiB',
            'partition 2, labelled "b", 42.98 MiB',
            f'on {disk}p1: ext4 "OLD"',
        )
        # A new table erases no data: an old filesystem reappears with a partition at the same extent.
        assert effect(shown, f"contents of {disk}p1").lost == (f'on {disk}p1: ext4 "OLD"',)
        where = "$.storage.filesystems.1.wipeFilesystem"
        reason = f"existing filesystem on {disk}p2 does not match the config: found ext4, want vfat"
        assert conflicts(shown) == [f"{where}: {reason}"]
        assert digest(tmp_path / "disk") == before
        with pytest.raises(Refused, match="found ext4, want vfat"):
            make(wiped, tmp_path)

    def test_all_conflicts_are_shown_without_waiting(self, disk: str, tmp_path: Path, root: Path) -> None:
        (root / "srv").mkdir()
        table = {"device": disk, "partitions": [{"number": 1, "label": "a"}]}
        make(config_of(storage={"disks": [table]}), tmp_path)
        config = config_of(
            storage={
                "disks": [
                    {"device": "/dev/missing", "partitions": [{"number": 1, "label": "there"}]},
                    {
                        "device": disk,
                        "partitions": [{"number": 1, "label": "b"}, {"number": 2, "sizeMiB": 900}],
                    },
                ],
                "filesystems": [
                    {"device": "/dev/disk/by-partlabel/there", "format": "ext4"},
                    {"device": f"{disk}p1", "format": "ext4"},
                    {"device": "/dev/none", "format": "ext4"},
                ],
                "files": [{"path": "/etc/passwd"}, {"path": "/srv"}],
            }
        )  # fmt: skip
        shown = preview(config, root, real=True)
        paths = [conflict.split(":")[0] for conflict in conflicts(shown)]
        assert paths == [
            "$.storage.disks.0",
            "$.storage.disks.1.partitions.0",
            "$.storage.disks.1.partitions.1",
            "$.storage.filesystems.2",
            "$.storage.files.1",
        ]
        assert ("unknown", "filesystem /dev/disk/by-partlabel/there") in effects_of(shown)
        assert ("create", f"ext4 on {disk}p1") in effects_of(shown)

    def test_deleted_partition_is_missing_for_filesystem(self, disk: str, tmp_path: Path, root: Path) -> None:
        make(config_of(storage={"disks": [{"device": disk, "partitions": [{"number": 1}]}]}), tmp_path)
        gone = {"number": 1, "shouldExist": False, "wipePartitionEntry": True}
        config = config_of(
            storage={
                "disks": [{"device": disk, "partitions": [gone]}],
                "filesystems": [{"device": f"{disk}p1", "format": "ext4"}],
            }
        )
        shown = preview(config, root, real=True)
        assert effects_of(shown, "disks") == [("destroy", f"partition 1 of {disk}")]
        assert conflicts(shown) == [
            f"$.storage.filesystems.0: device {disk}p1 not found: its partition will be deleted"
        ]


def test_files_users_and_units_need_no_program(root: Path) -> None:
    (root / "etc/kept").write_text("same")
    (root / "etc/kept").chmod(0o644)
    (root / "srv").mkdir()
    (root / "srv/one").touch()
    config = config_of(
        passwd={
            "users": [{"name": "core"}, {"name": "old", "shouldExist": False}, {"name": "root"}],
            "groups": [{"name": "wheel", "gid": 99}],
        },
        storage={
            "files": [
                {"path": "/etc/kept", "mode": 0o600, "contents": {"source": "data:,same"}},
                {"path": "/etc/new", "user": {"name": "core"}, "group": {"name": "wheel"}},
                {"path": "/etc/group", "append": [{"source": "data:,x"}]},
                {"path": "/etc/passwd", "overwrite": True, "contents": {"source": "https://example.com/"}},
                {"path": "/home/old/x", "user": {"name": "old"}},
            ],
            "directories": [{"path": "/srv", "overwrite": True}],
            "links": [{"path": "/etc/l", "target": "x"}],
        },
        systemd={
            "units": [
                {"name": "a.service", "enabled": True, "contents": "[Install]\nWantedBy=x.target\n"},
                {"name": "b.service", "enabled": True},
                {"name": "c.service", "mask": True, "enabled": False},
            ]
        },
    )
    before = tree_of(str(root))
    shown = preview(config, root)
    assert effects_of(shown, "files") == [
        ("create", 'group "wheel"'),
        ("create", 'user "core"'),
        ("destroy", 'user "old"'),
        ("keep", 'user "root"'),
        ("destroy", "directory /srv"),
        ("keep", "file /etc/kept"),
        ("create", "file /etc/new"),
        ("change", "file /etc/group"),
        ("change", "file /etc/passwd"),
        ("create", "symlink /etc/l"),
        ("create", 'unit "a.service"'),
        ("create", 'mask of unit "c.service"'),
        ("create", 'start of unit "a.service" at boot'),
        ("unknown", 'start of unit "b.service" at boot'),
        ("keep", 'start of unit "c.service" at boot'),
        ("create", "the result file /etc/.ignition-result.json"),
    ]
    assert effect(shown, 'user "old"').lost == ("/home/old and its contents",)
    assert effect(shown, "directory /srv").lost == ("directory /srv with 1 entry",)
    assert conflicts(shown) == ['$.storage.files.4.user.name: user "old" not found in the target root']
    assert tree_of(str(root)) == before


def test_files_on_unmounted_filesystem_are_unknown(root: Path, tmp_path: Path) -> None:
    (root / "var").mkdir()
    config = config_of(
        storage={
            "filesystems": [{"device": "/dev/null", "path": "/var", "format": "virtiofs"}],
            "files": [{"path": "/var/a"}, {"path": "/etc/b"}, {"path": "/var/c/d"}],
        }
    )
    shown = preview(config, root)
    files = [(each.does.value, each.what, each.path[-1:]) for stage in shown for each in stage.effects][1:-1]
    assert files == [
        ("unknown", "file /var/a", (0,)),
        ("unknown", "file /var/c/d", (2,)),
        ("create", "file /etc/b", (1,)),
    ]
    assert conflicts(shown) == []


def test_kernel_arguments_are_shown_without_values(root: Path) -> None:
    shown = preview(config_of(kernelArguments={"shouldExist": ["key=s3cr3t"]}), root)
    assert effects_of(shown, "kargs") == [("unknown", "booting with the kernel argument key")]
    assert "s3cr3t" not in repr(shown)


def test_secrets_are_not_shown(root: Path) -> None:
    config: dict[str, Any] = {
        "passwd": {"users": [{"name": "core", "passwordHash": "s3cr3t", "sshAuthorizedKeys": ["s3cr3t"]}]},
        "storage": {"files": [{"path": "/a", "contents": {"source": "https://u:s3cr3t@example.com/s3cr3t"}}]},
    }
    assert "s3cr3t" not in repr(preview(config_of(**config), root))


def test_step_that_cannot_observe_is_unknown_and_others_continue(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IGNITION_BOOT_ID_PATH", "/nowhere")
    shown = preview(config_of(storage={"files": [{"path": "/etc/b"}]}), root)
    assert effects_of(shown) == [("create", "file /etc/b"), ("unknown", "other effects of the step result")]


def test_only_looking_detects_writes(tmp_path: Path) -> None:
    from tests.lab.readonly import Wrote

    for write in (
        lambda: (tmp_path / "x").write_text(""),
        lambda: (tmp_path / "x").mkdir(),
        lambda: (tmp_path / "x").symlink_to("y"),
        lambda: os.open(tmp_path, os.O_TMPFILE | os.O_RDWR),
    ):
        with pytest.raises(Wrote), only_looking():
            write()
    assert subprocess.DEVNULL


class TestArraysAndVolumes:
    """On an artificial system with empty devices."""

    @pytest.fixture
    def system(self, tmp_path: Path) -> str:
        made = artificial_system(tmp_path / "system")
        for name in ("a", "b", "c", "d"):
            made.disk(name, 1 << 20)
        return str(made.system)

    RAID: ClassVar[dict[str, Any]] = {"name": "md", "level": "raid1", "devices": ["/dev/a", "/dev/b"]}
    LUKS: ClassVar[dict[str, Any]] = {"name": "secret", "device": "/dev/md/md", "label": "L"}

    def test_file_on_luks_volume_on_raid_array_is_created(self, root: Path, system: str) -> None:
        config = config_of(
            storage={
                "raid": [self.RAID],
                "luks": [self.LUKS],
                "filesystems": [{"device": "/dev/mapper/secret", "format": "ext4", "path": "/srv"}],
                "files": [{"path": "/srv/x"}],
            }
        )
        shown = preview(config, root, system=system)
        assert conflicts(shown) == []
        assert effects_of(shown)[:-1] == [
            ("create", "RAID array md"),
            ("create", "LUKS volume secret"),
            ("create", "ext4 on /dev/mapper/secret"),
            ("create", "/dev/mapper/secret mounted at /srv"),
            ("create", "file /srv/x"),
            ("create", "key of the LUKS volume secret in /etc/luks"),
            ("change", "lines in /etc/crypttab"),
        ]

    def test_unsupported_object_is_conflict_and_others_continue(self, root: Path, system: str) -> None:
        config = config_of(
            storage={
                "raid": [{**self.RAID, "level": "raid6"}],
                "luks": [{**self.LUKS, "device": "/dev/c"}],
                "filesystems": [
                    {"device": "/dev/mapper/secret", "format": "ext4"},
                    {"device": "/dev/d", "format": "zfs"},
                ],
            }
        )
        shown = preview(config, root, system=system)
        assert conflicts(shown) == [
            '$.storage.filesystems.1.format: unsupported filesystem format "zfs"',
            (
                "$.storage.raid.0.level: the kernel lacks support for RAID level raid6 "
                'and the initramfs has no module "raid456"'
            ),
        ]
        assert ("create", "LUKS volume secret") in effects_of(shown)
        assert ("create", "ext4 on /dev/mapper/secret") in effects_of(shown)

    def test_partition_is_found_by_udev_name_of_its_disk(self, root: Path, tmp_path: Path) -> None:
        sysfs = artificial_system(tmp_path / "other")
        sysfs.disk("vdb", 64 << 20)
        sysfs.link("/dev/disk/by-id/virtio-x", "/dev/vdb")
        disk = {"device": "/dev/disk/by-id/virtio-x"}
        config = config_of(
            storage={
                "disks": [{**disk, "partitions": [{"number": 1, "sizeMiB": 8}, {"number": 2}]}],
                "filesystems": [{"device": "/dev/disk/by-id/virtio-x-part2", "format": "ext4"}],
            }
        )
        shown = preview(config, root, system=str(sysfs.system))
        assert conflicts(shown) == []
        assert effect(shown, "ext4 on /dev/disk/by-id/virtio-x-part2").does is Does.CREATE

    def test_object_on_refused_array_is_unknown(self, root: Path, system: str) -> None:
        config = config_of(
            storage={
                "raid": [
                    {**self.RAID, "devices": ["/dev/a", "/dev/none"]},
                    {"name": "other", "level": "raid1", "devices": ["/dev/c", "/dev/d"]},
                ],
                "luks": [self.LUKS],
                "filesystems": [
                    {"device": "/dev/mapper/secret", "format": "ext4"},
                    {"device": "/dev/md/other", "format": "ext4"},
                ],
            }
        )
        shown = preview(config, root, system=system)
        assert conflicts(shown) == ["$.storage.raid.0: device /dev/none not found"]
        assert effects_of(shown, "disks") == [
            ("create", "RAID array other"),
            ("unknown", "LUKS volume secret"),
            ("unknown", "filesystem /dev/mapper/secret"),
            ("create", "ext4 on /dev/md/other"),
        ]


def test_symlink_in_mount_point_path_is_conflict(root: Path) -> None:
    (root / "data").symlink_to("etc")
    config = config_of(
        storage={
            "filesystems": [
                {"device": "tag", "path": "/data/x", "format": "virtiofs"},
                {"device": "other", "path": "/srv", "format": "virtiofs"},
                {"device": "third", "path": "/srv/data", "format": "virtiofs"},
            ]
        }
    )
    shown = preview(config, root)
    reason = "cannot mount at /data/x: /data in the target root is a symlink"
    assert conflicts(shown) == [f"$.storage.filesystems.0.path: {reason}"]
    assert effects_of(shown, "mount") == [
        ("create", "other mounted at /srv"),
        ("create", "third mounted at /srv/data"),
    ]


@pytest.mark.real_commands(*DISK_PROGRAMS)
def test_wiped_luks_device_shows_lost_contents(disk: str, tmp_path: Path, root: Path) -> None:
    make(config_of(storage={"filesystems": [{"device": disk, "format": "ext4", "label": "OLD"}]}), tmp_path)
    volume = {"name": "secret", "device": disk, "wipeVolume": True}
    before = digest(tmp_path / "disk")
    shown = preview(config_of(storage={"luks": [volume]}), root, real=True)
    assert effect(shown, f"wiping all signatures of {disk}").lost == (f'on {disk}: ext4 "OLD"',)
    assert ("create", "LUKS volume secret") in effects_of(shown)
    assert digest(tmp_path / "disk") == before
