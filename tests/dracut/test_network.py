"""The helper of ignition-network.service: when it calls the network up, what it tells otherwise."""

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
    """Network cards and networkd's state, as files."""

    directory: Path

    def __post_init__(self) -> None:
        self.cards = self.directory / "sys/class/net"
        self.netif = self.directory / "run/systemd/netif"
        self.networks = self.directory / "run/systemd/network"
        self.resolv_conf = self.directory / "etc/resolv.conf"
        self.neednet = self.directory / "run/ignition/neednet"
        self.failure = self.directory / "run/ignition/failure"
        for directory in (self.cards, self.netif / "leases", self.neednet.parent, self.resolv_conf.parent):
            directory.mkdir(parents=True)
        self.neednet.touch()

    def card(
        self, name: str, *, carrier: str | None = "1", kind: str = ETHERNET, device: bool = True
    ) -> Path:
        card = self.cards / name
        card.mkdir()
        (card / "type").write_text(f"{kind}\n")
        (card / "flags").write_text("0x1003\n")
        if carrier is not None:
            (card / "carrier").write_text(f"{carrier}\n")
        if device:
            (card / "device").mkdir()
        return card

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
        """The exit status, and what was written to stderr."""
        with self.start(verb) as process:
            _, errors = process.communicate()
            return process.returncode, errors


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_address_that_reaches_out_is_a_network(machine: Machine) -> None:
    machine.state(
        "OPER_STATE=routable", "CARRIER_STATE=carrier", "DNS=10.0.2.3 fd00::3", "DOMAINS=a.example b"
    )
    assert machine.run("up") == (0, "")
    assert machine.resolv_conf.read_text() == "nameserver 10.0.2.3\nnameserver fd00::3\nsearch a.example b\n"


def test_a_lease_of_a_link_local_address_is_a_network(machine: Machine) -> None:
    machine.state("OPER_STATE=degraded")
    (machine.netif / "leases" / "2").write_text("ADDRESS=169.254.0.15\n")
    assert machine.run("up") == (0, "")


def test_a_name_given_with_a_server_is_cut_off(machine: Machine) -> None:
    machine.state("OPER_STATE=routable", "DNS=10.0.0.1#dns.example")
    machine.run("up")
    assert machine.resolv_conf.read_text() == "nameserver 10.0.0.1\n"


def test_a_network_without_name_servers_leaves_the_image_s_file(machine: Machine) -> None:
    machine.resolv_conf.write_text("nameserver 192.0.2.1\n")
    machine.state("OPER_STATE=routable", "DNS=", "DOMAINS=")
    assert machine.run("up") == (0, "")
    assert machine.resolv_conf.read_text() == "nameserver 192.0.2.1\n"


def test_it_waits_for_the_network(machine: Machine) -> None:
    machine.state("OPER_STATE=degraded")
    with machine.start("up", timeout=60) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.3)
        machine.state("OPER_STATE=routable")
        assert waiting.wait(10) == 0


@pytest.mark.parametrize("states", [["OPER_STATE=degraded"], ["OPER_STATE=no-carrier"], None])
def test_without_an_address_it_gives_up_in_time(machine: Machine, states: list[str] | None) -> None:
    if states:
        machine.state(*states)
    assert machine.run("up") == (1, "no network card got an address within 0 s\n")


def test_the_card_tells_what_each_network_card_lacks(machine: Machine) -> None:
    machine.card("eth0", carrier="1")
    machine.card("eth1", carrier="0")
    machine.card("eth2", carrier=None)
    machine.card("lo", kind=LOOPBACK, device=False)
    machine.card("br0", device=False)
    machine.neednet.write_text("$.storage.files.0.contents.source\n")
    machine.run("up")
    card = machine.failure.read_text()
    assert machine.failure.stat().st_mode & 0o777 == 0o600
    assert len(card.splitlines()) <= 20
    assert max(map(len, card.splitlines())) <= 78
    assert "stage    network\n" in card
    assert "config   $.storage.files.0.contents.source\n" in card
    assert "eth0: connected, but no DHCP server or IPv6 router answered\n" in card
    assert "eth1: no link" in card
    assert "eth2: no link" in card
    assert "lo:" not in card
    assert "br0:" not in card
    assert "ip=" in card


def test_a_machine_without_network_cards_is_told_so(machine: Machine) -> None:
    machine.run("up")
    assert "there is no such card" in machine.failure.read_text()


def test_many_cards_do_not_push_the_advice_away(machine: Machine) -> None:
    for number in range(30):
        machine.card(f"eth{number}")
    machine.neednet.write_text("$.a\n" * 30)
    machine.run("up")
    card = machine.failure.read_text().splitlines()
    assert len(card) <= 20
    assert any(line.startswith("try") for line in card)


def test_an_earlier_card_stays(machine: Machine) -> None:
    machine.failure.write_text("the first cause\n")
    machine.run("up")
    assert machine.failure.read_text() == "the first cause\n"


def test_networkd_is_told_only_while_ignition_needs_it(machine: Machine) -> None:
    ours = machine.directory / "usr/lib/ignition-runtime/ignition.network"
    ours.parent.mkdir(parents=True)
    ours.write_text("[Match]\n")
    told = machine.networks / "zz-ignition.network"
    assert machine.run("configure") == (0, "")
    assert told.read_text() == "[Match]\n"
    assert machine.run("down") == (0, "")
    assert not told.exists()


def test_cards_are_taken_down_for_the_real_system(machine: Machine) -> None:
    card, bridge = machine.card("eth0"), machine.card("br0", device=False)
    assert machine.run("down") == (0, "")
    assert (card / "flags").read_text() == f"{0x1002}\n"
    assert (bridge / "flags").read_text() == "0x1003\n"


def test_another_word_is_a_usage_error(machine: Machine) -> None:
    status, errors = machine.run("restart")
    assert status == 2
    assert errors.startswith("usage: ")
