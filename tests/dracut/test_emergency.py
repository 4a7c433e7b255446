"""What stands on the console when provisioning has failed, and what the program leaves to dracut."""

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
"""SIGRTMIN+21, with which systemd stops printing (systemd(1))."""

CARD = "".join(f"line {number}\n" for number in range(1, 21))

DRACUT_LIB = """\
getarg() { grep -o "$1[^ ]*" "$IGNITION_RUNNING_SYSTEM/proc/cmdline" | sed 's/^[^=]*=//' | grep .; }
getargbool() { [ "$(getarg rd.shell=)" != 0 ]; }
source_hook() { echo "hook $1 ran"; touch "$IGNITION_RUNNING_SYSTEM/hook-$1"; }
"""


@dataclass
class Machine:
    """An initramfs in which something has failed."""

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
        """Run with the operator's Enter; returns what went to the program's own terminal."""
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


def test_what_is_not_ignition_s_is_left_to_dracut(machine: Machine) -> None:
    assert machine.run() == "dracut took over\n"
    assert machine.init.poll() is None
    assert not any(console.exists() for console in machine.consoles)
    assert machine.ran("sulogin") == []


def test_the_card_is_the_last_on_every_console(machine: Machine) -> None:
    machine.card.write_text(CARD)
    assert machine.run() == ""
    for console in machine.consoles:
        assert console.read_text().endswith(f"\nPress Enter for a shell. The card of the failure:\n{CARD}")


def test_a_card_is_cut_at_twenty_lines(machine: Machine) -> None:
    machine.card.write_text(CARD + "line 21\n")
    machine.run()
    assert machine.consoles[0].read_text().endswith("line 20\n")


def test_nobody_else_writes_over_the_card(machine: Machine) -> None:
    machine.card.write_text(CARD)
    machine.run()
    assert machine.init.wait(10) == -SHOW_STATUS_OFF
    assert ("--sync",) in machine.ran("journalctl")


def test_the_kernel_is_silent_until_enter(machine: Machine) -> None:
    machine.card.write_text(CARD)
    printk = machine.system / "proc/sys/kernel/printk"
    machine.programs.add("rdsosreport", script=f"cat {printk} > {machine.system}/while-shown")
    machine.run()
    assert (machine.system / "while-shown").read_text() == "1\n"
    assert printk.read_text() == "4\n"


def test_enter_gives_the_shell_that_dracut_gives(machine: Machine) -> None:
    machine.card.write_text(CARD)
    machine.run()
    assert machine.ran("sulogin") == [("-e",)]
    assert (machine.system / "hook-emergency").exists()
    assert machine.ran("rdsosreport") == [()]


def test_after_the_shell_the_next_try_has_a_card_of_its_own(machine: Machine) -> None:
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
def test_without_a_shell_the_machine_ends_as_dracut_would_end_it(
    machine: Machine, arguments: str, action: str
) -> None:
    machine.card.write_text(CARD)
    (machine.system / "proc/cmdline").write_text(f"quiet {arguments}\n")
    machine.run()
    assert [name for name in ("halt", "poweroff", "reboot") if machine.ran(name)] == [action]
    assert machine.ran("sulogin") == []
    assert (machine.system / "hook-shutdown-emergency").exists()
    # Still there for whoever reads the machine's memory or asks again.
    assert machine.card.exists()
    assert machine.consoles[0].read_text() == f"\n{CARD}"


def test_a_unit_that_fails_without_a_card_gets_one(machine: Machine) -> None:
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


def test_a_card_made_here_is_for_root_alone(machine: Machine) -> None:
    machine.fail_units("ignition-disks.service")
    machine.run()
    shown = machine.card.with_name("failure.shown")
    assert shown.stat().st_mode & 0o777 == 0o600


def test_many_failed_units_do_not_push_the_advice_away(machine: Machine) -> None:
    machine.fail_units(*(f"ignition-{number}.service" for number in range(30)))
    machine.programs.add("journalctl", stdout="said\n" * 6)
    machine.run()
    card = machine.consoles[0].read_text().splitlines()[2:]
    assert len(card) <= 20
    assert any(line.startswith("try") for line in card)


def test_a_missing_platform_is_named(machine: Machine) -> None:
    (machine.system / "run/ignition.env").write_text("PLATFORM_ID=\n")
    machine.fail_units("ignition-fetch-offline.service")
    machine.run()
    assert "cause    the kernel command line names no platform\n" in machine.consoles[0].read_text()
    assert "ignition.platform.id=NAME" in machine.consoles[0].read_text()
