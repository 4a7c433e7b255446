# SPDX-License-Identifier: Apache-2.0
"""systemd units: files, presets, and enablement by the real systemctl."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ignition.errors import ActionFailed
from ignition.host.command import Command
from ignition.host.run import run
from ignition.stages.files.systemd.enablement import Enablement
from ignition.stages.files.systemd.generators import generator_source
from ignition.stages.files.systemd.lookup import UNITS, InstalledUnit, UnitFiles
from ignition.stages.files.systemd.presets import PRESETS, instance_of, preset_lines
from ignition.stages.files.systemd.unit_files import Units
from ignition.tools import systemctl
from tests.host.fakes import FakeHost
from tests.stages.files.lab import config_of, local, run_steps, tree_of

VENDOR = "/usr/lib/systemd/system"
STARTED = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
STATIC = "[Service]\nExecStart=/bin/true\n"


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def write(host: FakeHost, *units: dict[str, Any]) -> None:
    run_steps((Units(),), config_of(systemd={"units": units}), host)


def links(host: FakeHost) -> dict[str, str]:
    """Return the symlinks below /etc/systemd/system: path → target."""
    top = local(host, UNITS)
    return {str(path.relative_to(top)): os.readlink(path) for path in top.rglob("*") if path.is_symlink()}


# Files.


def test_unit_files_and_dropins_are_written(host: FakeHost) -> None:
    write(
        host,
        {
            "name": "a.service",
            "contents": STARTED,
            "dropins": [
                {"name": "10.conf", "contents": "[Service]\nX=y\n"},
                {"name": "20.conf", "contents": ""},
                {"name": "30.conf"},
            ],
        },
        {"name": "b.service", "contents": ""},
    )
    assert local(host, f"{UNITS}/a.service").read_text() == STARTED
    assert {path.name: path.read_text() for path in local(host, f"{UNITS}/a.service.d").iterdir()} == {
        "10.conf": "[Service]\nX=y\n",
        "20.conf": "",
    }
    assert sorted(os.listdir(local(host, UNITS))) == ["a.service", "a.service.d"]
    assert host.root.lstat(f"{UNITS}/a.service").st_mode & 0o7777 == 0o644


def test_existing_unit_symlink_is_replaced_not_followed(host: FakeHost) -> None:
    host.root.write(f"{VENDOR}/a.service", b"vendor")
    host.root.symlink(f"{VENDOR}/a.service", f"{UNITS}/a.service")
    write(host, {"name": "a.service", "contents": STARTED})
    assert local(host, f"{VENDOR}/a.service").read_text() == "vendor"
    assert local(host, f"{UNITS}/a.service").read_text() == STARTED


def test_units_are_masked_and_unmasked(host: FakeHost) -> None:
    for name in ("masked", "contents", "directory/below"):
        host.root.write(f"{UNITS}/{name}", b"")
    write(
        host,
        {"name": "a.service", "mask": True},
        {"name": "b.service", "mask": True, "contents": STARTED},
        {"name": "directory", "mask": True},
    )
    assert links(host) == dict.fromkeys(["a.service", "b.service", "directory"], "/dev/null")
    write(host, {"name": "a.service", "mask": True})


def test_unmask_removes_only_masks(host: FakeHost) -> None:
    host.root.symlink("/dev/null", f"{UNITS}/masked.service")
    host.root.symlink("/lib/other.service", f"{UNITS}/linked.service")
    host.root.write(f"{UNITS}/file.service", b"")
    names = ["masked.service", "linked.service", "file.service", "missing.service"]
    write(host, *({"name": name, "mask": False} for name in names))
    assert sorted(os.listdir(local(host, UNITS))) == ["file.service", "linked.service"]
    write(host, {"name": "masked.service", "mask": False, "contents": STARTED})


# Presets.


@pytest.mark.parametrize(
    ("units", "lines"),
    [
        (
            [("b.service", True), ("a.service", True), ("c.service", None)],
            ["enable a.service", "enable b.service"],
        ),
        ([("a.service", False)], ["disable a.service"]),
        ([("e@foo.service", True), ("e@bar.service", True)], ["enable e@.service foo bar"]),
        ([("e@.service", True)], ["enable e@.service"]),
        ([("e@.service", True), ("e@x.service", True)], ["enable e@.service x"]),
        (
            [("e@foo.service", False), ("e@bar.service", True)],
            ["enable e@.service bar", "disable e@foo.service"],
        ),
        ([("e@a.b@c.service", True)], ["enable e@.service a.b@c"]),
    ],
)
def test_preset_lines_match_the_reference(units: list[tuple[str, bool | None]], lines: list[str]) -> None:
    config = config_of(systemd={"units": [{"name": name, "enabled": enabled} for name, enabled in units]})
    assert preset_lines(config.systemd.units) == lines


def test_presets_are_appended_once(host: FakeHost) -> None:
    host.root.write(PRESETS, b"disable *")
    for _ in range(2):
        write(host, {"name": "a.service", "enabled": True}, {"name": "b.service", "enabled": False})
        assert local(host, PRESETS).read_text() == "disable *\nenable a.service\ndisable b.service\n"


def test_units_without_enabled_get_no_preset(host: FakeHost) -> None:
    write(host, {"name": "a.service", "contents": STARTED})
    assert not host.root.exists(PRESETS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.service", None),
        ("a@b.service", ("a@.service", "b")),
        ("a@.service", ("a@.service", "")),
        ("a@b@c.d.timer", ("a@.timer", "b@c.d")),
    ],
)
def test_instance_of_splits_names(name: str, expected: tuple[str, str] | None) -> None:
    assert instance_of(name) == expected


# Lookup of installed units.


@pytest.fixture
def distribution(host: FakeHost) -> FakeHost:
    """A target root with units like those of distributions."""
    files = {
        "plain.service": STARTED,
        "static.service": STATIC,
        "extended.service": STATIC,
        "ssh.service": STARTED + "Alias=sshd.service\n",
        "getty@.service": "[Service]\n[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n",
        "worker@.service": "[Service]\n[Install]\nWantedBy=multi-user.target\n",
        "odd.service": "[Service]\nno equals sign\n",
        "reset.service": STARTED + "WantedBy=\n",
        "unknown.service": STATIC + "[Install]\nStartedBy=multi-user.target\n",
        "continued.service": STATIC + "[Install]\n# a \\\nWantedBy=\\\n  multi-user.target\n",
        "vendor.service": STATIC,
        "two words.service": STARTED,
        "empty.service": "",
    }
    for name, text in files.items():
        host.root.write(f"{VENDOR}/{name}", text.encode())
    host.root.write(
        "/etc/systemd/system/extended.service.d/x.conf", b"[Install]\nWantedBy=multi-user.target\n"
    )
    host.root.symlink("../vendor.service", f"{VENDOR}/sysinit.target.wants/vendor.service")
    host.root.symlink("../init.d/script", "/etc/rc3.d/S02script")
    host.root.symlink("getty@.service", f"{VENDOR}/autovt@.service")
    host.root.symlink("plain.service", f"{VENDOR}/other-name.service")
    host.root.symlink("/dev/null", f"{VENDOR}/masked.service")
    host.root.write(
        "/etc/fstab",
        b"# comment\nLABEL=x /var/lib/my-data ext4 defaults 0 0\n/dev/vdb1 none swap sw 0 0\n"
        b"LABEL=swap none swap sw 0 0\nnone\n",
    )
    host.root.write("/etc/containers/systemd/web.container", b"")
    host.root.write("/usr/share/containers/systemd/data.volume", b"")
    host.root.write("/etc/crypttab", b"my-volume UUID=x none\n")
    return host


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain.service", InstalledUnit("plain.service")),
        ("other-name.service", InstalledUnit("plain.service")),
        ("sshd.service", InstalledUnit("ssh.service")),
        ("static.service", InstalledUnit("static.service", installable=False)),
        ("extended.service", InstalledUnit("extended.service")),
        ("getty@tty3.service", InstalledUnit("getty@tty3.service")),
        ("autovt@tty3.service", InstalledUnit("getty@tty3.service")),
        ("getty@.service", InstalledUnit("getty@.service")),
        ("getty@tty1.service", InstalledUnit("getty@tty1.service", is_default=True)),
        ("reset.service", InstalledUnit("reset.service", installable=False)),
        ("unknown.service", InstalledUnit("unknown.service", installable=False)),
        ("continued.service", InstalledUnit("continued.service")),
        (
            "vendor.service",
            InstalledUnit(
                "vendor.service",
                installable=False,
                pinned=f"{VENDOR}/sysinit.target.wants/vendor.service",
            ),
        ),
        ("script.service", InstalledUnit("script.service", installable=False, pinned="/etc/rc3.d/S02script")),
        ("worker@.service", InstalledUnit("worker@.service", needs_instance=True)),
        ("odd.service", InstalledUnit("odd.service", installable=False)),
        ("masked.service", InstalledUnit("masked.service", masked=True)),
        ("empty.service", InstalledUnit("empty.service", masked=True)),
        ("missing.service", None),
        ("missing@x.service", None),
    ],
)
def test_lookup_resolves_names(distribution: FakeHost, name: str, expected: InstalledUnit | None) -> None:
    assert UnitFiles(distribution.root).lookup(name) == expected


def test_circular_aliases_are_no_unit(host: FakeHost) -> None:
    host.root.symlink("b.service", f"{UNITS}/a.service")
    host.root.symlink("a.service", f"{UNITS}/b.service")
    assert UnitFiles(host.root).lookup("a.service") is None


def link_own(host: FakeHost) -> None:
    """Units that an administrator linked: one from another directory, and an instance."""
    host.root.write("/opt/other/bought.service", STARTED.encode())
    host.root.symlink("/opt/other/bought.service", f"{UNITS}/linked.service")
    host.root.symlink("/opt/other/gone.service", f"{UNITS}/gone.service")
    host.root.symlink(f"{VENDOR}/worker@.service", f"{UNITS}/worker@own.service")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linked.service", InstalledUnit("linked.service")),
        ("gone.service", None),
        ("worker@own.service", InstalledUnit("worker@own.service")),
    ],
)
def test_lookup_resolves_administrator_symlinks(
    distribution: FakeHost, name: str, expected: InstalledUnit | None
) -> None:
    link_own(distribution)
    assert UnitFiles(distribution.root).lookup(name) == expected


@pytest.mark.parametrize("link", ["plain.service", "other-name.service"])
def test_symlinks_under_any_alias_start_the_unit(distribution: FakeHost, link: str) -> None:
    distribution.root.symlink(f"{VENDOR}/{link}", f"{UNITS}/multi-user.target.wants/{link}")
    for name in ("plain.service", "other-name.service"):
        assert UnitFiles(distribution.root).lookup(name) == InstalledUnit("plain.service", linked=True)


def test_masked_symlink_starts_nothing(distribution: FakeHost) -> None:
    distribution.root.symlink("/dev/null", f"{UNITS}/multi-user.target.wants/plain.service")
    assert UnitFiles(distribution.root).lookup("plain.service") == InstalledUnit("plain.service")


def test_dropins_hide_lower_ones_and_are_sorted(distribution: FakeHost) -> None:
    wanted = b"[Install]\nWantedBy=multi-user.target\n"
    distribution.root.write(f"{VENDOR}/static.service.d/50.conf", wanted)
    lookup = UnitFiles(distribution.root).lookup("static.service")
    assert lookup == InstalledUnit("static.service")
    distribution.root.symlink("/dev/null", f"{UNITS}/static.service.d/50.conf")
    lookup = UnitFiles(distribution.root).lookup("static.service")
    assert lookup == InstalledUnit("static.service", installable=False)
    distribution.root.write(f"{UNITS}/static.service.d/50.conf", b"[Install]\nWantedBy=\n")
    distribution.root.write(f"{VENDOR}/static.service.d/60.conf", wanted)
    assert UnitFiles(distribution.root).lookup("static.service") == InstalledUnit("static.service")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("var-lib-my\\x2ddata.mount", "/etc/fstab"),
        ("var-lib-my\\x2ddata.automount", "/etc/fstab"),
        ("dev-vdb1.swap", "/etc/fstab"),
        ("systemd-cryptsetup@my\\x2dvolume.service", "/etc/crypttab"),
        ("systemd-cryptsetup@other.service", None),
        ("var-lib.mount", None),
        ("none.swap", None),
        ("dev-disk-by\\x2dlabel-swap.swap", "/etc/fstab"),
        ("web.service", "/etc/containers/systemd/web.container"),
        ("data-volume.service", "/usr/share/containers/systemd/data.volume"),
        ("data.service", None),
        ("x.service", None),
    ],
)
def test_generator_source_finds_generated_units(
    distribution: FakeHost, name: str, source: str | None
) -> None:
    assert generator_source(distribution.root, name) == source


# Enablement.


@pytest.fixture
def real(distribution: FakeHost) -> FakeHost:
    object.__setattr__(distribution, "run", run)
    return distribution


def enable(host: FakeHost, **units: bool) -> None:
    wanted = [{"name": name, "enabled": enabled} for name, enabled in units.items()]
    run_steps((Units(), Enablement()), config_of(systemd={"units": wanted}), host)


def preset_all(host: FakeHost, mode: str) -> Command:
    argv = ("systemctl", f"--root={host.root.path}", f"--preset-mode={mode}", "preset-all")
    return Command(argv, "applying presets", environment=systemctl.ENVIRONMENT)


@pytest.mark.real_commands("systemctl")
class TestRealPrograms:
    """`systemctl --root` on a target root with an empty machine-id, where systemd applies no presets."""

    @pytest.fixture(autouse=True)
    def machine_id(self, real: FakeHost) -> None:
        real.root.write("/etc/machine-id", b"")

    def test_every_kind_of_enabled_unit_is_started(self, real: FakeHost) -> None:
        names = [
            "plain.service",
            "sshd.service",
            "getty@tty3.service",
            "autovt@tty4.service",
            "getty@.service",
        ]
        for _ in range(2):
            enable(real, **dict.fromkeys([*names, "extended.service"], True))
            assert links(real) == {
                "multi-user.target.wants/plain.service": f"{VENDOR}/plain.service",
                "multi-user.target.wants/ssh.service": f"{VENDOR}/ssh.service",
                "multi-user.target.wants/extended.service": f"{VENDOR}/extended.service",
                "sshd.service": f"{VENDOR}/ssh.service",
                "getty.target.wants/getty@tty1.service": f"{VENDOR}/getty@.service",
                "getty.target.wants/getty@tty3.service": f"{VENDOR}/getty@.service",
                "getty.target.wants/getty@tty4.service": f"{VENDOR}/getty@.service",
            }

    def test_unit_of_config_is_started(self, real: FakeHost) -> None:
        unit = {"name": "own.service", "contents": STARTED, "enabled": True}
        run_steps((Units(), Enablement()), config_of(systemd={"units": [unit]}), real)
        assert links(real) == {"multi-user.target.wants/own.service": f"{UNITS}/own.service"}

    def test_disabled_units_are_not_started(self, real: FakeHost) -> None:
        names = ["plain.service", "sshd.service", "getty@tty3.service", "getty@tty4.service"]
        enable(real, **dict.fromkeys(names, True))
        enable(real, **dict.fromkeys(["plain.service", "ssh.service", "getty@tty3.service"], False))
        assert links(real) == {"getty.target.wants/getty@tty4.service": f"{VENDOR}/getty@.service"}
        enable(real, **{"getty@.service": False, "missing.service": False})
        assert links(real) == {}

    def test_system_v_scripts_are_left_alone(self, real: FakeHost) -> None:
        """The helper of systemctl for System V scripts is searched in the initramfs, where it is missing."""
        real.root.write("/etc/init.d/plain", b"#!/bin/sh\nexit 1\n", mode=0o755)
        enable(real, **{"plain.service": True})
        assert "multi-user.target.wants/plain.service" in links(real)

    @pytest.mark.parametrize("mode", ["full", "enable-only"])
    @pytest.mark.parametrize("vendor", ["", "disable *\n", "enable *\n"])
    def test_preset_all_undoes_nothing(self, real: FakeHost, vendor: str, mode: str) -> None:
        """Without a machine-id, systemd applies presets to all units in one of these modes."""
        real.root.write(
            "/usr/lib/systemd/system-preset/90.preset", f"enable getty@.service\n{vendor}".encode()
        )
        enabled = ["other-name.service", "autovt@tty4.service", "worker@one.service", "extended.service"]
        disabled = ["sshd.service", "getty@tty1.service", "worker@two.service"]
        enable(real, **dict.fromkeys(["ssh.service", "worker@two.service"], True))
        local(real, PRESETS).unlink()
        enable(real, **dict.fromkeys(enabled, True), **dict.fromkeys(disabled, False))
        wanted = {
            "multi-user.target.wants/plain.service",
            "getty.target.wants/getty@tty4.service",
            "multi-user.target.wants/worker@one.service",
            "multi-user.target.wants/extended.service",
        }
        unwanted = {
            "sshd.service",
            "multi-user.target.wants/ssh.service",
            "getty.target.wants/getty@tty1.service",
            "multi-user.target.wants/worker@two.service",
        }
        assert wanted <= links(real).keys()
        assert not unwanted & links(real).keys()
        run(preset_all(real, mode))
        assert wanted <= links(real).keys()
        assert not unwanted & links(real).keys()

    @pytest.mark.parametrize("machine_id", ["", "uninitialized\n", None])
    def test_disabled_unit_named_in_also_stays_disabled(
        self, real: FakeHost, machine_id: str | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        """`Also=` as in systemd-networkd; a warning says that presets enable the unit too."""
        real.root.remove("/etc/machine-id")
        if machine_id is not None:
            real.root.write("/etc/machine-id", machine_id.encode())
        waiting = STATIC + "[Install]\nWantedBy=network-online.target\nAlias=await.service\n"
        also = "Also=waiting.service template@one.service\n"
        real.root.write(f"{VENDOR}/network.service", (STARTED + also).encode())
        real.root.write(f"{VENDOR}/waiting.service", waiting.encode())
        real.root.write(f"{VENDOR}/template@.service", STARTED.encode())
        units = {"network.service": True, "waiting.service": False, "plain.service": False}
        enable(real, **units, **{"template@.service": False, "template@two.service": True})
        assert links(real) == {
            "multi-user.target.wants/network.service": f"{VENDOR}/network.service",
            "multi-user.target.wants/template@two.service": f"{VENDOR}/template@.service",
        }
        said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        told = [
            name for name in ("waiting", "template@") for each in said if f'unit "{name}.service"' in each
        ]
        assert told == ([] if machine_id == "" else ["waiting", "template@"])
        assert len(said) == len(told)

    def test_disabled_default_instance_stays_disabled(self, real: FakeHost) -> None:
        """No other instance is enabled; the preset of the distribution would enable the default instance."""
        real.root.write("/usr/lib/systemd/system-preset/90.preset", b"enable getty@.service\n")
        enable(real, **{"getty@tty1.service": False})
        run(preset_all(real, "enable-only"))
        assert "getty.target.wants/getty@tty1.service" not in links(real)

    def test_linked_units_and_instances_are_started(self, real: FakeHost) -> None:
        link_own(real)
        enable(real, **{"linked.service": True, "worker@own.service": True})
        found = links(real)
        assert found["multi-user.target.wants/linked.service"] == "/opt/other/bought.service"
        assert found["multi-user.target.wants/worker@own.service"] == f"{VENDOR}/worker@.service"

    def test_unit_refused_by_systemctl_is_named(self, real: FakeHost) -> None:
        real.root.write(f"{UNITS}/sshd.service", STARTED.encode())
        real.root.symlink("/usr/lib/systemd/system/plain.service", f"{UNITS}/taken.service")
        real.root.write(f"{VENDOR}/bad.service", STARTED.encode() + b"Alias=taken.service\n")
        with pytest.raises(ActionFailed, match=r"bad\.service") as caught:
            enable(real, **{"plain.service": True, "bad.service": True})
        assert caught.value.path == ("systemd", "units", 1)


@pytest.mark.parametrize(
    ("link", "text", "outside"),
    [
        ("/etc/systemd", "/usr/etc/systemd", UNITS),
        ("/etc/systemd/system", "../../usr/../chained", UNITS),
        ("/etc/systemd/system", "../../../../usr/etc", UNITS),
        (f"{UNITS}/multi-user.target.wants", "/usr/wants", f"{UNITS}/multi-user.target.wants"),
    ],
)
def test_symlink_out_of_target_is_refused_before_systemctl(
    distribution: FakeHost, link: str, text: str, outside: str
) -> None:
    """Such symlinks lead `systemctl --root` into the running system, and nothing is enabled in the target."""
    distribution.root.remove(link)
    distribution.root.symlink("/usr/etc", "/chained")
    for directory in ("/usr/etc/systemd/system", "/usr/wants"):
        distribution.root.make_directories(directory)
    distribution.root.symlink(text, link)
    with pytest.raises(ActionFailed, match=f"would follow the symlink {outside} out of the target"):
        enable(distribution, **{"plain.service": True})
    assert distribution.run.argvs == []


def test_relative_symlinks_between_unit_directories_work(distribution: FakeHost) -> None:
    distribution.root.make_directories("/usr/etc/wants")
    distribution.root.remove("/etc/systemd")
    distribution.root.symlink("../usr/etc", "/etc/systemd")
    distribution.root.symlink("../wants", f"{UNITS}/multi-user.target.wants")
    enable(distribution, **{"plain.service": True})
    assert [argv[2:] for argv in distribution.run.argvs] == [("enable", "--", "plain.service")]


def test_masked_unit_needs_no_disabling(distribution: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """Symlinks that start the unit stay for a later unmask, like with systemctl."""
    distribution.root.symlink(f"{VENDOR}/ssh.service", f"{UNITS}/multi-user.target.wants/ssh.service")
    units = [
        {"name": "ssh.service", "enabled": False, "mask": True},
        {"name": "plain.service", "enabled": True},
    ]
    run_steps((Units(), Enablement()), config_of(systemd={"units": units}), distribution)
    assert [argv[2:] for argv in distribution.run.argvs] == [("enable", "--", "plain.service")]
    assert distribution.root.exists(f"{UNITS}/multi-user.target.wants/ssh.service")
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


def test_units_are_enabled_with_one_process(distribution: FakeHost) -> None:
    distribution.root.symlink("x", f"{UNITS}/multi-user.target.wants/ssh.service")
    enable(
        distribution,
        **{
            "plain.service": True,
            "getty@tty9.service": True,
            "other-name.service": True,
            "ssh.service": False,
        },
    )
    at = f"--root={distribution.root.path}"
    assert distribution.run.argvs == [
        ("systemctl", at, "disable", "--", "ssh.service"),
        ("systemctl", at, "enable", "--", "plain.service", "getty@tty9.service"),
    ]


def test_unchanged_units_run_no_process(distribution: FakeHost) -> None:
    enable(
        distribution, **{"plain.service": False, "missing.service": False, "var-lib-my\\x2ddata.mount": True}
    )
    assert distribution.run.argvs == []


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("missing.service", "unit not found in the target root"),
        ("two words.service", "this is not a valid unit name"),
        ("masked.service", "it is masked; set mask: false"),
        ("static.service", "it has no WantedBy= or RequiredBy= in an [Install] section"),
        ("worker@.service", "it is a template; enable an instance such as worker@NAME.service"),
    ],
)
def test_enabled_unit_that_cannot_start_warns(
    distribution: FakeHost, name: str, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    enable(distribution, **{name: True, "plain.service": True})
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f'unit "{name}" is enabled in the config, but {warning}' in said
    assert [argv[3:] for argv in distribution.run.argvs] == [("--", "plain.service")]
    assert f"enable {name}" in local(distribution, PRESETS).read_text()


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("vendor.service", f"{VENDOR}/sysinit.target.wants/vendor.service"),
        ("script.service", "/etc/rc3.d/S02script"),
    ],
)
def test_unit_started_by_vendor_link_warns_and_is_not_enabled(
    distribution: FakeHost, name: str, link: str, caplog: pytest.LogCaptureFixture
) -> None:
    enable(distribution, **{name: False})
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f'unit "{name}" is disabled in the config, but {link} starts it; set mask: true' in said
    caplog.clear()
    enable(distribution, **{name: True})
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
    assert distribution.run.argvs == []


def test_own_names_are_added_to_the_presets_once(distribution: FakeHost) -> None:
    for _ in range(2):
        enable(distribution, **{"sshd.service": True, "other-name.service": False})
        assert local(distribution, PRESETS).read_text().splitlines() == [
            *("disable other-name.service", "enable sshd.service"),
            *("disable plain.service", "enable ssh.service"),
        ]


def test_units_second_run_changes_nothing(distribution: FakeHost) -> None:
    units = [
        {"name": "plain.service", "enabled": True},
        {
            "name": "own.service",
            "contents": STARTED,
            "enabled": False,
            "dropins": [{"name": "a.conf", "contents": ""}],
        },
        {"name": "m.service", "mask": True},
    ]
    write(distribution, *units)
    first = tree_of(distribution.root.path)
    write(distribution, *units)
    assert tree_of(distribution.root.path) == first
