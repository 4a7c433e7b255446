# SPDX-License-Identifier: Apache-2.0
"""The helper of ignition-network.service: when the network counts as up, and its failure card."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.real_commands("sh")

SCRIPT = Path(__file__).parents[2] / "dracut/30ignition/ignition-network.sh"
ETHERNET = "1"
LOOPBACK = "772"


@dataclass
class Machine:
    """Network interfaces and the state of networkd, as files."""

    directory: Path

    def __post_init__(self) -> None:
        self.interfaces = self.directory / "sys/class/net"
        self.netif = self.directory / "run/systemd/netif"
        self.networks = self.directory / "run/systemd/network"
        self.resolv_conf = self.directory / "etc/resolv.conf"
        self.neednet = self.directory / "run/ignition/neednet"
        self.failure = self.directory / "run/ignition/failure"
        for directory in (
            self.interfaces,
            self.netif / "leases",
            self.neednet.parent,
            self.resolv_conf.parent,
        ):
            directory.mkdir(parents=True)
        self.neednet.touch()

    def interface(
        self, name: str, *, carrier: str | None = "1", kind: str = ETHERNET, device: bool = True
    ) -> Path:
        interface = self.interfaces / name
        interface.mkdir()
        (interface / "type").write_text(f"{kind}\n")
        (interface / "flags").write_text("0x1003\n")
        if carrier is not None:
            (interface / "carrier").write_text(f"{carrier}\n")
        if device:
            (interface / "device").mkdir()
        return interface

    def state(self, *lines: str) -> None:
        (self.netif / "state").write_text("# This is private data. Do not parse.\n" + "\n".join(lines) + "\n")

    def start(self, verb: str, *, timeout: int = 0) -> subprocess.Popen[str]:
        environment = {
            "PATH": "/usr/bin:/bin",
            "IGNITION_RUNNING_SYSTEM": str(self.directory),
            "IGNITION_NETWORK_TIMEOUT": str(timeout),
        }
        pipe = subprocess.PIPE
        return subprocess.Popen(
            ["sh", str(SCRIPT), verb], env=environment, stdout=pipe, stderr=pipe, text=True
        )

    def run(self, verb: str) -> tuple[int, str]:
        """Run the helper; return its exit status and stderr."""
        with self.start(verb) as process:
            _, errors = process.communicate()
            return process.returncode, errors


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_up_routable_address_writes_resolv_conf(machine: Machine) -> None:
    machine.state(
        "OPER_STATE=routable", "CARRIER_STATE=carrier", "DNS=10.0.2.3 fd00::3", "DOMAINS=a.example b"
    )
    assert machine.run("up") == (0, "")
    assert machine.resolv_conf.read_text() == "nameserver 10.0.2.3\nnameserver fd00::3\nsearch a.example b\n"


def test_up_link_local_lease_is_enough(machine: Machine) -> None:
    machine.state("OPER_STATE=degraded")
    (machine.netif / "leases" / "2").write_text("ADDRESS=169.254.0.15\n")
    assert machine.run("up") == (0, "")


def test_resolv_conf_omits_tls_name_of_server(machine: Machine) -> None:
    machine.state("OPER_STATE=routable", "DNS=10.0.0.1#dns.example")
    machine.run("up")
    assert machine.resolv_conf.read_text() == "nameserver 10.0.0.1\n"


def test_up_without_name_servers_keeps_resolv_conf_of_image(machine: Machine) -> None:
    machine.resolv_conf.write_text("nameserver 192.0.2.1\n")
    machine.state("OPER_STATE=routable", "DNS=", "DOMAINS=")
    assert machine.run("up") == (0, "")
    assert machine.resolv_conf.read_text() == "nameserver 192.0.2.1\n"


def test_up_waits_for_address(machine: Machine) -> None:
    machine.state("OPER_STATE=degraded")
    with machine.start("up", timeout=60) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.3)
        machine.state("OPER_STATE=routable")
        assert waiting.wait(10) == 0


@pytest.mark.parametrize("states", [["OPER_STATE=degraded"], ["OPER_STATE=no-carrier"], None])
def test_up_without_address_times_out(machine: Machine, states: list[str] | None) -> None:
    if states:
        machine.state(*states)
    assert machine.run("up") == (1, "timed out after 0 s: no wired network interface got an address\n")


def test_failure_card_lists_state_of_each_interface(machine: Machine) -> None:
    machine.interface("eth0", carrier="1")
    machine.interface("eth1", carrier="0")
    machine.interface("eth2", carrier=None)
    machine.interface("lo", kind=LOOPBACK, device=False)
    machine.interface("br0", device=False)
    machine.neednet.write_text("$.storage.files.0.contents.source\n")
    machine.run("up")
    card = machine.failure.read_text()
    assert machine.failure.stat().st_mode & 0o777 == 0o600
    assert len(card.splitlines()) <= 20
    assert max(map(len, card.splitlines())) <= 78
    assert "stage    network\n" in card
    assert "config   $.storage.files.0.contents.source\n" in card
    assert "eth0: link up, no answer from a DHCP server or IPv6 router\n" in card
    assert "eth1: no link" in card
    assert "eth2: no link" in card
    assert "lo:" not in card
    assert "br0:" not in card
    assert "ip=" in card


def test_failure_card_without_interfaces_says_so(machine: Machine) -> None:
    machine.run("up")
    assert "no wired network interface found" in machine.failure.read_text()


def test_failure_card_with_many_interfaces_keeps_hint(machine: Machine) -> None:
    for number in range(30):
        machine.interface(f"eth{number}")
    machine.neednet.write_text("$.a\n" * 30)
    machine.run("up")
    card = machine.failure.read_text().splitlines()
    assert len(card) <= 20
    assert any(line.startswith("try") for line in card)


def test_failure_card_of_earlier_failure_is_kept(machine: Machine) -> None:
    machine.failure.write_text("the first cause\n")
    machine.run("up")
    assert machine.failure.read_text() == "the first cause\n"


def test_network_file_exists_from_configure_to_down(machine: Machine) -> None:
    ours = machine.directory / "usr/lib/ignition-runtime/ignition.network"
    ours.parent.mkdir(parents=True)
    ours.write_text("[Match]\n")
    installed = machine.networks / "zz-ignition.network"
    assert machine.run("configure") == (0, "")
    assert installed.read_text() == "[Match]\n"
    assert machine.run("down") == (0, "")
    assert not installed.exists()


def test_down_sets_wired_interfaces_down(machine: Machine) -> None:
    interface, bridge = machine.interface("eth0"), machine.interface("br0", device=False)
    assert machine.run("down") == (0, "")
    assert (interface / "flags").read_text() == f"{0x1002}\n"
    assert (bridge / "flags").read_text() == "0x1003\n"


def test_unknown_argument_is_usage_error(machine: Machine) -> None:
    status, errors = machine.run("restart")
    assert status == 2
    assert errors.startswith("usage: ")
