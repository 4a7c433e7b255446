"""Units: their files, their presets, and that enabled means enabled, by the real systemctl."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ignition.errors import ActionFailed
from ignition.host.run import run
from ignition.stages.files.unitfiles import UNITS, Installed, generator_source, instance_of, lookup
from ignition.stages.files.units import PRESETS, Enablement, Units, preset_lines
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
    """What will be started or has another name: path below /etc/systemd/system → text of the link."""
    top = local(host, UNITS)
    return {str(path.relative_to(top)): os.readlink(path) for path in top.rglob("*") if path.is_symlink()}


# Files.


def test_units_and_dropins_are_written(host: FakeHost) -> None:
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


def test_what_is_there_is_replaced_but_not_what_it_leads_to(host: FakeHost) -> None:
    host.root.write(f"{VENDOR}/a.service", b"vendor")
    host.root.symlink(f"{VENDOR}/a.service", f"{UNITS}/a.service")
    write(host, {"name": "a.service", "contents": STARTED})
    assert local(host, f"{VENDOR}/a.service").read_text() == "vendor"
    assert local(host, f"{UNITS}/a.service").read_text() == STARTED


def test_masks(host: FakeHost) -> None:
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


def test_only_masks_are_taken_away(host: FakeHost) -> None:
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
def test_preset_lines(units: list[tuple[str, bool | None]], lines: list[str]) -> None:
    config = config_of(systemd={"units": [{"name": name, "enabled": enabled} for name, enabled in units]})
    assert preset_lines(config.systemd.units) == lines


def test_presets_are_added_once_to_those_that_are_there(host: FakeHost) -> None:
    host.root.write(PRESETS, b"disable *")
    for _ in range(2):
        write(host, {"name": "a.service", "enabled": True}, {"name": "b.service", "enabled": False})
        assert local(host, PRESETS).read_text() == "disable *\nenable a.service\ndisable b.service\n"


def test_units_that_are_neither_enabled_nor_disabled_need_no_presets(host: FakeHost) -> None:
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
def test_instances(name: str, expected: tuple[str, str] | None) -> None:
    assert instance_of(name) == expected


# What the root knows of a unit.


@pytest.fixture
def distribution(host: FakeHost) -> FakeHost:
    """A root with units as distributions have them."""
    files = {
        "plain.service": STARTED,
        "static.service": STATIC,
        "extended.service": STATIC,
        "ssh.service": STARTED + "Alias=sshd.service\n",
        "getty@.service": "[Service]\n[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n",
        "worker@.service": "[Service]\n[Install]\nWantedBy=multi-user.target\n",
        "odd.service": "[Service]\nno equals sign\n",
        "empty.service": "",
    }
    for name, text in files.items():
        host.root.write(f"{VENDOR}/{name}", text.encode())
    host.root.write(
        "/etc/systemd/system/extended.service.d/x.conf", b"[Install]\nWantedBy=multi-user.target\n"
    )
    host.root.symlink("getty@.service", f"{VENDOR}/autovt@.service")
    host.root.symlink("plain.service", f"{VENDOR}/other-name.service")
    host.root.symlink("/dev/null", f"{VENDOR}/masked.service")
    host.root.write(
        "/etc/fstab",
        b"# comment\nLABEL=x /var/lib/my-data ext4 defaults 0 0\n/dev/vdb1 none swap sw 0 0\nnone\n",
    )
    host.root.write("/etc/crypttab", b"my-volume UUID=x none\n")
    return host


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain.service", Installed("plain.service")),
        ("other-name.service", Installed("plain.service")),
        ("sshd.service", Installed("ssh.service")),
        ("static.service", Installed("static.service", installable=False)),
        ("extended.service", Installed("extended.service")),
        ("getty@tty3.service", Installed("getty@tty3.service")),
        ("autovt@tty3.service", Installed("getty@tty3.service")),
        ("getty@.service", Installed("getty@.service")),
        ("worker@.service", Installed("worker@.service", needs_instance=True)),
        ("odd.service", Installed("odd.service")),
        ("masked.service", Installed("masked.service", masked=True)),
        ("empty.service", Installed("empty.service", masked=True)),
        ("missing.service", None),
        ("missing@x.service", None),
    ],
)
def test_where_names_lead(distribution: FakeHost, name: str, expected: Installed | None) -> None:
    assert lookup(distribution.root, name) == expected


def test_aliases_that_lead_in_a_circle_are_no_unit(host: FakeHost) -> None:
    host.root.symlink("b.service", f"{UNITS}/a.service")
    host.root.symlink("a.service", f"{UNITS}/b.service")
    assert lookup(host.root, "a.service") is None


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
        ("x.service", None),
    ],
)
def test_what_generators_will_make(distribution: FakeHost, name: str, source: str | None) -> None:
    assert generator_source(distribution.root, name) == source


# Enabled means enabled.


@pytest.fixture
def real(distribution: FakeHost) -> FakeHost:
    object.__setattr__(distribution, "run", run)
    return distribution


def enable(host: FakeHost, **units: bool) -> None:
    wanted = [{"name": name, "enabled": enabled} for name, enabled in units.items()]
    run_steps((Units(), Enablement()), config_of(systemd={"units": wanted}), host)


@pytest.mark.real_commands("systemctl")
class TestForReal:
    """`systemctl --root` on a root with an empty machine-id, where no preset would ever be applied."""

    @pytest.fixture(autouse=True)
    def machine_id(self, real: FakeHost) -> None:
        real.root.write("/etc/machine-id", b"")

    def test_every_kind_of_unit_will_be_started(self, real: FakeHost) -> None:
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

    def test_a_unit_of_the_config_will_be_started(self, real: FakeHost) -> None:
        unit = {"name": "own.service", "contents": STARTED, "enabled": True}
        run_steps((Units(), Enablement()), config_of(systemd={"units": [unit]}), real)
        assert links(real) == {"multi-user.target.wants/own.service": f"{UNITS}/own.service"}

    def test_disabled_units_will_not_be_started(self, real: FakeHost) -> None:
        names = ["plain.service", "sshd.service", "getty@tty3.service", "getty@tty4.service"]
        enable(real, **dict.fromkeys(names, True))
        enable(real, **dict.fromkeys(["plain.service", "ssh.service", "getty@tty3.service"], False))
        assert links(real) == {"getty.target.wants/getty@tty4.service": f"{VENDOR}/getty@.service"}
        enable(real, **{"getty@.service": False, "missing.service": False})
        assert links(real) == {}

    def test_scripts_of_system_v_are_left_alone(self, real: FakeHost) -> None:
        """The program looks for its helper in the initramfs and fails without it."""
        real.root.write("/etc/init.d/plain", b"#!/bin/sh\nexit 1\n", mode=0o755)
        enable(real, **{"plain.service": True})
        assert "multi-user.target.wants/plain.service" in links(real)

    def test_a_unit_that_systemctl_refuses_is_named(self, real: FakeHost) -> None:
        real.root.write(f"{UNITS}/sshd.service", STARTED.encode())
        real.root.symlink("/usr/lib/systemd/system/plain.service", f"{UNITS}/taken.service")
        real.root.write(f"{VENDOR}/bad.service", STARTED.encode() + b"Alias=taken.service\n")
        with pytest.raises(ActionFailed, match=r"bad\.service") as caught:
            enable(real, **{"plain.service": True, "bad.service": True})
        assert caught.value.path == ("systemd", "units", 1)


def test_one_process_for_all(distribution: FakeHost) -> None:
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


def test_nothing_to_change_costs_no_process(distribution: FakeHost) -> None:
    enable(
        distribution, **{"plain.service": False, "missing.service": False, "var-lib-my\\x2ddata.mount": True}
    )
    assert distribution.run.argvs == []


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("missing.service", "the target system has no such unit"),
        ("masked.service", "it is masked; set mask: false"),
        ("static.service", "nothing in an [Install] section says what is to start it"),
        ("worker@.service", "it is a template; enable an instance of it, as in worker@NAME.service"),
    ],
)
def test_a_unit_that_cannot_be_started_gets_a_warning(
    distribution: FakeHost, name: str, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    enable(distribution, **{name: True, "plain.service": True})
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert f'unit "{name}" is enabled in the config, but {warning}' in said
    assert [argv[3:] for argv in distribution.run.argvs] == [("--", "plain.service")]
    assert f"enable {name}" in local(distribution, PRESETS).read_text()


def test_twice_is_once(distribution: FakeHost) -> None:
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
