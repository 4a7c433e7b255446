# SPDX-License-Identifier: Apache-2.0
"""`ignition-emergency.sh`: the console after a failure, and the cases that are left to dracut."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.programs import Programs

pytestmark = pytest.mark.real_commands("sh", "sleep")

SCRIPT = Path(__file__).parents[2] / "dracut/30ignition/ignition-emergency.sh"

SHOW_STATUS_OFF = 55
"""SIGRTMIN+21: systemd stops printing status messages (systemd(1))."""

CARD = "".join(f"line {number}\n" for number in range(1, 21))

DRACUT_LIB = """\
getarg() { grep -o "$1[^ ]*" "$IGNITION_RUNNING_SYSTEM/proc/cmdline" | sed 's/^[^=]*=//' | grep .; }
getargbool() { [ "$(getarg rd.shell=)" != 0 ]; }
source_hook() { echo "hook $1 ran"; touch "$IGNITION_RUNNING_SYSTEM/hook-$1"; }
"""


@dataclass
class Machine:
    """A simulated initramfs after a failure."""

    system: Path
    programs: Programs
    init: subprocess.Popen[bytes]

    def __post_init__(self) -> None:
        for directory in ("run/ignition", "proc/sys/kernel", "dev", "bin", "lib"):
            (self.system / directory).mkdir(parents=True)
        self.card = self.system / "run/ignition/failure"
        self.consoles = [self.system / "dev" / name for name in ("ttyS0", "tty0")]
        (self.system / "proc/consoles").write_text("ttyS0 -W- (EC a) 4:64\ntty0 -WU (E p) 4:1\n")
        (self.system / "proc/cmdline").write_text("quiet\n")
        (self.system / "proc/sys/kernel/printk").write_text("4\n")
        (self.system / "lib/dracut-lib.sh").write_text(DRACUT_LIB)
        (self.system / "run/ignition.env").write_text("PLATFORM_ID=qemu\n")
        dracut = self.system / "bin/dracut-emergency"
        dracut.write_text("#!/bin/sh\necho dracut took over\n")
        dracut.chmod(0o755)
        self.programs.add("systemctl", script='[ "$1" != is-active ] || echo active')
        for name in ("journalctl", "rdsosreport", "sulogin", "sleep", "halt", "poweroff", "reboot"):
            self.programs.add(name)

    def fail_units(self, *units: str) -> None:
        listing = "".join(f"{unit} loaded failed failed Ignition\n" for unit in units)
        script = f'[ "$1" != is-active ] || echo active\n[ "$1" != list-units ] || printf \'{listing}\''
        self.programs.add("systemctl", script=script)

    def run(self) -> str:
        """Run the program and press Enter; return its stdout and stderr."""
        environment = {
            "PATH": f"{self.programs.directory}:/usr/bin:/bin",
            "IGNITION_RUNNING_SYSTEM": str(self.system),
            "IGNITION_INIT_PID": str(self.init.pid),
        }
        done = subprocess.run(
            ["sh", str(SCRIPT)], env=environment, input="\n", capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    def ran(self, name: str) -> list[tuple[str, ...]]:
        return [argv[1:] for argv in self.programs.argvs if argv[0] == name]


@pytest.fixture
def machine(tmp_path: Path, programs: Programs) -> Iterator[Machine]:
    with subprocess.Popen(["/usr/bin/sleep", "60"]) as init:
        yield Machine(tmp_path / "system", programs, init)
        init.kill()


def test_emergency_without_failed_ignition_unit_runs_program_of_dracut(machine: Machine) -> None:
    assert machine.run() == "dracut took over\n"
    assert machine.init.poll() is None
    assert not any(console.exists() for console in machine.consoles)
    assert machine.ran("sulogin") == []


def test_card_is_last_text_on_every_console(machine: Machine) -> None:
    machine.card.write_text(CARD)
    assert machine.run() == ""
    for console in machine.consoles:
        assert console.read_text().endswith(f"\nPress Enter for a shell.\n{CARD}")


def test_card_is_cut_at_twenty_lines(machine: Machine) -> None:
    machine.card.write_text(CARD + "line 21\n")
    machine.run()
    assert machine.consoles[0].read_text().endswith("line 20\n")


def test_emergency_stops_status_messages_of_systemd(machine: Machine) -> None:
    machine.card.write_text(CARD)
    machine.run()
    assert machine.init.wait(10) == -SHOW_STATUS_OFF
    assert ("--sync",) in machine.ran("journalctl")


def test_kernel_messages_are_off_until_enter(machine: Machine) -> None:
    machine.card.write_text(CARD)
    printk = machine.system / "proc/sys/kernel/printk"
    machine.programs.add("rdsosreport", script=f"cat {printk} > {machine.system}/while-shown")
    machine.run()
    assert (machine.system / "while-shown").read_text() == "1\n"
    assert printk.read_text() == "4\n"


def test_enter_starts_shell_of_dracut(machine: Machine) -> None:
    machine.card.write_text(CARD)
    machine.run()
    assert machine.ran("sulogin") == [("-e",)]
    assert (machine.system / "hook-emergency").exists()
    assert machine.ran("rdsosreport") == [()]


def test_enter_moves_card_away_for_next_try(machine: Machine) -> None:
    machine.card.write_text(CARD)
    machine.run()
    assert not machine.card.exists()
    assert machine.card.with_name("failure.shown").read_text() == CARD


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        ("rd.shell=0", "halt"),
        ("rd.shell=0 rd.emergency=halt", "halt"),
        ("rd.shell=0 rd.emergency=poweroff", "poweroff"),
        ("rd.shell=0 rd.emergency=reboot", "reboot"),
    ],
)
def test_emergency_without_shell_obeys_rd_emergency(machine: Machine, arguments: str, action: str) -> None:
    machine.card.write_text(CARD)
    (machine.system / "proc/cmdline").write_text(f"quiet {arguments}\n")
    machine.run()
    assert [name for name in ("halt", "poweroff", "reboot") if machine.ran(name)] == [action]
    assert machine.ran("sulogin") == []
    assert (machine.system / "hook-shutdown-emergency").exists()
    assert machine.card.exists()
    assert machine.consoles[0].read_text() == f"\n{CARD}"


def test_unit_failed_without_card_gets_fallback_card(machine: Machine) -> None:
    machine.fail_units("ignition-disks.service")
    machine.programs.add("journalctl", stdout="Traceback: no such thing\n" + "x" * 300 + "\n")
    machine.run()
    card = machine.consoles[0].read_text().splitlines()[2:]
    assert len(card) <= 20
    assert max(map(len, card)) <= 78
    assert "unit     ignition-disks.service" in card
    assert "         Traceback: no such thing" in card
    asked = [argv for argv in machine.ran("journalctl") if "--sync" not in argv]
    assert [argv[-1] for argv in asked] == ["_SYSTEMD_UNIT=ignition-disks.service"]


def test_fallback_card_is_readable_by_root_only(machine: Machine) -> None:
    machine.fail_units("ignition-disks.service")
    machine.run()
    shown = machine.card.with_name("failure.shown")
    assert shown.stat().st_mode & 0o777 == 0o600


def test_fallback_card_for_many_units_keeps_hint(machine: Machine) -> None:
    machine.fail_units(*(f"ignition-{number}.service" for number in range(30)))
    machine.programs.add("journalctl", stdout="said\n" * 6)
    machine.run()
    card = machine.consoles[0].read_text().splitlines()[2:]
    assert len(card) <= 20
    assert any(line.startswith("try") for line in card)


def test_fallback_card_names_missing_platform(machine: Machine) -> None:
    (machine.system / "run/ignition.env").write_text("PLATFORM_ID=\n")
    machine.fail_units("ignition-fetch-offline.service")
    machine.run()
    assert "cause    platform not found on the kernel command line\n" in machine.consoles[0].read_text()
    assert "ignition.platform.id=ID" in machine.consoles[0].read_text()
