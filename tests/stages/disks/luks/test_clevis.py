# SPDX-License-Identifier: Apache-2.0
"""Clevis: policies, the trial before any write, and real volumes with Tang servers and a TPM."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import KEY_REMOVED
from ignition.errors import ActionFailed, FetchError, IgnitionError
from ignition.host.command import Command, CommandFailed, Ran, Secret
from ignition.host.run import run
from ignition.schemas.config import Config
from ignition.schemas.luks import Clevis, ClevisCustom, Tang
from ignition.schemas.resource import Resource
from ignition.schemas.storage import Luks, Storage
from ignition.stages.disks.luks import clevis
from ignition.stages.disks.luks.clevis import Pins, TryPins
from tests.host.fakes import FakeHost
from tests.lab import luks, tang, tpm
from tests.lab.luks import QUICK, Boot, Killed, bindings, opens
from tests.lab.performing import applied
from tests.lab.tang import TangServer
from tests.lab.tpm import SoftTpm

NEAR = Tang(url="http://tang.example/", thumbprint="THP")
FAR = Tang(url="http://far.example", thumbprint="FAR", advertisement='{"payload": "p", "n": [1]}')
SECRET = '{"key":"correct-horse"}'
OWN = Clevis(custom=ClevisCustom(pin="own", config=SECRET, needs_network=True))


# Policies.


@pytest.mark.parametrize(
    ("wanted", "pin", "config"),
    [
        (Clevis(tpm2=True), "sss", '{"pins":{"tpm2":{}},"t":1}'),
        (
            Clevis(tang=(NEAR,)),
            "sss",
            '{"pins":{"tang":[{"url":"http://tang.example/","thp":"THP"}]},"t":1}',
        ),
        (
            Clevis(tang=(NEAR, FAR), tpm2=True, threshold=2),
            "sss",
            (
                '{"pins":{"tang":[{"url":"http://tang.example/","thp":"THP"},'
                '{"url":"http://far.example","thp":"FAR","adv":{"payload":"p","n":[1]}}],"tpm2":{}},"t":2}'
            ),
        ),
        (OWN, "own", SECRET),
    ],
)
def test_policy_has_all_pins(wanted: Clevis, pin: str, config: str) -> None:
    assert clevis.policy(wanted) == (pin, config)


@pytest.mark.parametrize(
    ("wanted", "proven", "netdev"),
    [
        (Clevis(tpm2=True), True, False),
        (Clevis(tang=(NEAR,)), True, True),
        (Clevis(tang=(FAR,)), False, True),
        (Clevis(tang=(FAR, NEAR)), True, True),
        (Clevis(tang=(FAR, NEAR), threshold=2), False, True),
        (Clevis(tang=(FAR,), tpm2=True), True, True),
        (Clevis(tang=(FAR, NEAR), tpm2=True, threshold=2), True, True),
        (OWN, False, True),
        (Clevis(custom=ClevisCustom(pin="tpm2", config="{}")), True, False),
        (Clevis(custom=ClevisCustom(pin="sss", config='{"pins":{"tang":[{}],"tpm2":{}}}')), True, False),
        (Clevis(custom=ClevisCustom(pin="sss", config='{"pins":{"own":{}}}')), False, False),
    ],
)
def test_can_be_proven_and_netdev_table(wanted: Clevis, proven: bool, netdev: bool) -> None:
    assert (clevis.can_be_proven(wanted), clevis.netdev(wanted)) == (proven, netdev)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Clevis(tpm2=True), "the TPM 2"),
        (OWN, "the Clevis pin own"),
        (Clevis(tang=(Tang(url="http://u:p@h/"),)), "the Tang server at http://u:***@h/"),
        (
            Clevis(tang=(NEAR, FAR), tpm2=True, threshold=2),
            (
                "any 2 of the Tang server at http://tang.example/, the Tang server at http://far.example, "
                "the TPM 2"
            ),
        ),
        (
            Clevis(tang=(FAR,), tpm2=True, threshold=2),
            "all of the Tang server at http://far.example, the TPM 2",
        ),
    ],
)
def test_unlocked_by_describes_the_pins(wanted: Clevis, expected: str) -> None:
    assert clevis.unlocked_by(wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Clevis(tang=(FAR,), tpm2=True, threshold=2), []),
        (OWN, []),
        (Clevis(threshold=1), ["$.c.threshold: the threshold is 1, expected 1 to 0 (the number of pins)"]),
        (
            Clevis(tpm2=True, threshold=2),
            ["$.c.threshold: the threshold is 2, expected 1 to 1 (the number of pins)"],
        ),
        (
            Clevis(tpm2=True, threshold=-1),
            ["$.c.threshold: the threshold is -1, expected 1 to 1 (the number of pins)"],
        ),
        (
            Clevis(tang=(NEAR, FAR.evolve(advertisement="[1]"))),
            ["$.c.tang.1.advertisement: the Tang advertisement must be a JSON object"],
        ),
    ],
)
def test_impossible_clevis_config_is_refused(wanted: Clevis, expected: list[str]) -> None:
    assert [str(each) for each in clevis.refusals(wanted, ("c",))] == expected


def test_needs_lists_programs_of_pins() -> None:
    needed = dict(clevis.needs(Clevis(tang=(NEAR,), tpm2=True), ("c",)))
    assert {"clevis", "clevis-luks-bind", "clevis-encrypt-sss", "jose", "pwmake"} <= needed.keys()
    assert needed["curl"] == needed["clevis-encrypt-tang"] == ("c", "tang")
    assert needed["tpm2_create"] == needed["clevis-decrypt-tpm2"] == ("c", "tpm2")
    assert "curl" not in dict(clevis.needs(Clevis(tpm2=True), ("c",)))
    nested = ClevisCustom(pin="sss", config='{"t":1,"pins":{"sss":{"pins":{"own":{}}},"tpm2":{}}}')
    of_its_own = dict(clevis.needs(Clevis(custom=nested), ("c",)))
    assert {"clevis-encrypt-own", "clevis-encrypt-tpm2", "tpm2_create"} <= of_its_own.keys()
    assert of_its_own["clevis-encrypt-own"] == ("c", "custom")


# The trial before any write.


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    made = FakeHost(tmp_path)
    made.fetch.resources["http://tang.example/adv/THP"] = b"{}"
    return made


def try_out(host: FakeHost, wanted: Clevis) -> None:
    config = Config(storage=Storage(luks=(Luks(name="plain"), Luks(name="vault", clevis=wanted))))
    step = Pins()
    plan = step.plan(config, None)
    applied(plan, host)


def test_pins_step_is_wanted_only_with_clevis() -> None:
    assert not Pins().wanted(Config(storage=Storage(luks=(Luks(name="plain"),))))
    assert Pins().wanted(Config(storage=Storage(luks=(Luks(name="vault", clevis=OWN),))))


def test_try_pins_asks_servers_waits_for_tpm_and_encrypts(host: FakeHost) -> None:
    try_out(host, Clevis(tang=(NEAR, FAR), tpm2=True, threshold=2))
    assert [source.url for source in host.fetch.asked] == ["http://tang.example/adv/THP"]
    path = ("storage", "luks", 1, "clevis", "tpm2")
    assert host.devices.waited == [{"/dev/tpmrm0": path}]
    (command,) = host.run.commands
    assert command.real_argv()[:3] == ["clevis", "encrypt", "sss"]
    assert command.stdin == b"sample"


def test_unreachable_tang_server_fails_the_step(host: FakeHost) -> None:
    host.fetch.resources["http://tang.example/adv/THP"] = FetchError("no route")
    with pytest.raises(ActionFailed, match="cannot fetch the advertisement of the Tang server") as caught:
        try_out(host, Clevis(tang=(FAR, NEAR)))
    assert caught.value.path == ("storage", "luks", 1, "clevis", "tang", 1, "url")
    assert host.run.commands == []


def test_missing_tpm_fails_the_step(host: FakeHost) -> None:
    host.devices.there = set()
    with pytest.raises(ActionFailed, match="no TPM 2 found: /dev/tpmrm0 did not appear") as caught:
        try_out(host, Clevis(tpm2=True))
    assert caught.value.path == ("storage", "luks", 1, "clevis", "tpm2")
    assert host.run.commands == []


def test_unknown_pins_are_not_tried(host: FakeHost) -> None:
    try_out(host, OWN)
    assert (host.run.commands, host.devices.waited) == ([], [])


def test_pin_configuration_is_never_printed(host: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    """Clevis repeats the configuration in its messages."""
    caplog.set_level("DEBUG", "ignition")
    said = f"Unable to perform encryption with PIN 'tpm2' and config '{SECRET}'"
    host.run.answer("clevis", status=1, stderr=said)
    with pytest.raises(ActionFailed) as caught:
        try_out(host, Clevis(custom=ClevisCustom(pin="tpm2", config=SECRET)))
    error: BaseException | None = caught.value
    shown = caplog.text
    while error is not None:
        shown += f"{error} {error!r}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert "Unable to perform encryption" in shown
    assert "correct-horse" not in shown


# Binding.


VAULT = Luks(name="vault", clevis=Clevis(tpm2=True))


def prove(
    host: FakeHost, wanted: Clevis, tokens: str = '{"0": {"type": "clevis", "keyslots": ["2"]}}'
) -> None:
    host.run.answer("cryptsetup", stdout=f'{{"config": {{}}, "tokens": {tokens}}}', having="luksDump")
    clevis.prove(host, "/a", VAULT.evolve(clevis=wanted), ("c",))


def test_bind_passes_key_in_unnamed_file(host: FakeHost) -> None:
    seen: list[bytes] = []

    def clevis_bind(command: Command) -> Ran:
        path = str(command.argv[command.argv.index("-k") + 1])
        assert path.startswith("/proc/")
        seen.extend(Path(path).read_bytes() for _ in range(2))
        return Ran(0)

    host.run.answer("clevis", clevis_bind)
    clevis.bind(host, "/a", VAULT, b"two\nlines\0", ("c",))
    assert seen == [b"two\nlines\0"] * 2
    (command,) = host.run.commands
    assert command.argv[:4] == ("clevis", "luks", "bind", "-f")
    assert command.argv[6:] == ("-d", "/a", "sss", Secret('{"pins":{"tpm2":{}},"t":1}'))
    assert dict(command.environment)["RD_DEBUG"] == "no"


def test_prove_tries_the_bound_slot(host: FakeHost) -> None:
    prove(host, Clevis(tpm2=True))
    assert host.run.ran("clevis") == [("clevis", "luks", "unlock", "-d", "/a", "-t", "2")]


def test_prove_with_unavailable_pins_does_not_try(host: FakeHost) -> None:
    prove(host, Clevis(tang=(FAR,)))
    assert host.run.ran("clevis") == []


def test_prove_without_binding_is_an_error(host: FakeHost) -> None:
    with pytest.raises(IgnitionError, match='"vault" has no Clevis binding'):
        prove(host, Clevis(tang=(FAR,)), tokens="{}")


def test_prove_with_failing_pin_is_an_error(host: FakeHost) -> None:
    host.run.answer("clevis", status=1, stderr="Error communicating with server http://tang.example")
    with pytest.raises(CommandFailed, match="Error communicating with server") as caught:
        prove(host, Clevis(tang=(NEAR,)))
    assert (caught.value.path, caught.value.hint) == (("c",), "make the Tang server reachable")


def test_prove_with_failing_custom_pin_warns(host: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    host.run.answer("clevis", status=1, stderr="Unsealing jwk from TPM failed!")
    prove(host, Clevis(custom=ClevisCustom(pin="tpm2", config='{"pcr_ids":"7"}')))
    assert 'the Clevis pin of LUKS volume "vault" does not unlock it here' in caplog.text


# Real volumes.


real = pytest.mark.real_commands(*luks.PROGRAMS, *tang.PROGRAMS, *tpm.PROGRAMS, "clevis")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    from tests.lab import loop

    with loop.attached(tmp_path / "disk", 64 << 20) as node:
        yield node


def volume(disk: str, wanted: Clevis, **more: Any) -> Luks:
    return Luks(name="vault", device=disk, clevis=wanted, options=QUICK, **more)


def server(running: TangServer, *, advertised: bool = False) -> Tang:
    advertisement = running.advertisement if advertised else None
    return Tang(url=running.url, thumbprint=running.thumbprint, advertisement=advertisement)


def passphrase(disk: str, environment: dict[str, str] | None = None) -> bytes:
    """Return the key that the pins recover for the bound slot."""
    (slot,) = bindings(disk)
    words = ("clevis", "luks", "pass", "-d", disk, "-s", str(slot))
    return run(Command(words, "", environment=tuple((environment or {}).items()))).stdout.encode()


def generated(boot: Boot) -> bytes:
    """Return the key that the volume was created with."""
    (key,) = {each.stdin for each in boot.commands if "luksFormat" in each.argv}
    assert key is not None
    return key


@real
def test_tang_server_unlocks_the_volume(tmp_path: Path, disk: str) -> None:
    boot = Boot(tmp_path)
    with TangServer(tmp_path / "tang") as running:
        left = boot.run(volume(disk, Clevis(tang=(server(running),))))
        assert left.luks_keys == {"vault": KEY_REMOVED}
        assert not opens(disk, generated(boot))
        assert opens(disk, passphrase(disk))
    with pytest.raises(CommandFailed):
        passphrase(disk)


@real
def test_tang_with_advertisement_is_not_asked(tmp_path: Path, disk: str) -> None:
    with TangServer(tmp_path / "tang") as running:
        wanted = server(running, advertised=True)
        Boot(tmp_path).run(volume(disk, Clevis(tang=(wanted,))))
        assert running.paths == []
        assert opens(disk, passphrase(disk))


@real
def test_tang_server_with_other_key_fails_before_any_write(tmp_path: Path, disk: str) -> None:
    before = Path(disk).read_bytes()
    with TangServer(tmp_path / "tang") as running, TangServer(tmp_path / "other") as other:
        for wanted, says in (
            (server(running), "has no key with this thumbprint"),
            (server(running, advertised=True), "did not sign the advertisement"),
        ):
            unknown = wanted.evolve(thumbprint=other.thumbprint)
            with pytest.raises(ActionFailed, match=says) as caught:
                Boot(tmp_path).run(volume(disk, Clevis(tang=(unknown,)), wipe_volume=True))
            assert "thumbprint" in caught.value.hint
    assert Path(disk).read_bytes() == before


@real
def test_tpm_unlocks_volume_and_key_of_config_stays(tmp_path: Path, disk: str) -> None:
    with SoftTpm(tmp_path / "tpm") as chip:
        environment = {"TPM2TOOLS_TCTI": chip.tcti}
        boot = Boot(tmp_path, environment)
        key = Resource(source="data:,two%0Alines%00")
        left = boot.run(volume(disk, Clevis(tpm2=True), key_file=key))
        assert left.luks_key("vault") == b"two\nlines\0"
        assert opens(disk, b"two\nlines\0")
        assert opens(disk, passphrase(disk, environment))
    with SoftTpm(tmp_path / "another") as chip, pytest.raises(CommandFailed):
        passphrase(disk, {"TPM2TOOLS_TCTI": chip.tcti})


@real
def test_threshold_of_pins_is_enforced(tmp_path: Path, disk: str) -> None:
    """Two of three pins: one may be unavailable, but not two."""
    with ExitStack() as away, TangServer(tmp_path / "one") as one, SoftTpm(tmp_path / "tpm") as chip:
        two = away.enter_context(TangServer(tmp_path / "two"))
        environment = {"TPM2TOOLS_TCTI": chip.tcti}
        wanted = Clevis(tang=(server(one), server(two, advertised=True)), tpm2=True, threshold=2)
        Boot(tmp_path, environment).run(volume(disk, wanted))
        away.close()
        assert opens(disk, passphrase(disk, environment))
        with pytest.raises(CommandFailed):
            passphrase(disk)


@real
def test_custom_pin_unlocks_the_volume(tmp_path: Path, disk: str) -> None:
    with SoftTpm(tmp_path / "tpm") as chip:
        environment = {"TPM2TOOLS_TCTI": chip.tcti}
        config = '{"pcr_bank":"sha256","pcr_ids":"7"}'
        custom = ClevisCustom(pin="tpm2", config=config)
        Boot(tmp_path, environment).run(volume(disk, Clevis(custom=custom)))
        assert opens(disk, passphrase(disk, environment))


@real
@pytest.mark.parametrize(("boundary", "wipe"), [*((number, False) for number in range(3, 9)), (4, True)])
def test_result_after_kill_at_any_command_equals_clean_run(
    tmp_path: Path, disk: str, boundary: int, wipe: bool
) -> None:
    """Both tries are in one boot, whose state has the key before the volume exists."""
    boot = Boot(tmp_path)
    with TangServer(tmp_path / "tang") as running:
        wanted = volume(disk, Clevis(tang=(server(running),)), label="L", wipe_volume=wipe)
        with suppress(Killed):
            boot.run(wanted, commands=boundary)
        assert boot.run(wanted).luks_keys == {"vault": KEY_REMOVED}
        if boundary == 8:
            assert boot.run(wanted).luks_keys == {"vault": KEY_REMOVED}
        assert not any(opens(disk, each.stdin or b"") for each in boot.commands if "luksFormat" in each.argv)
        assert opens(disk, passphrase(disk))


@real
def test_incomplete_volume_is_recreated(tmp_path: Path, disk: str) -> None:
    """Cryptsetup writes the header about two seconds before the key slot, the time of key derivation."""
    boot = Boot(tmp_path)
    with TangServer(tmp_path / "tang") as running:
        wanted = volume(disk, Clevis(tang=(server(running),)))
        with suppress(Killed):
            boot.run(wanted, commands=3)
        assert boot.commands[-1].argv[1] == "luksFormat"
        run(Command(("cryptsetup", "luksKillSlot", "--batch-mode", disk, "0"), ""))
        with pytest.raises(IgnitionError, match="needs a newly created volume"):
            Boot(tmp_path).run(wanted)
        boot.run(wanted)
        assert opens(disk, passphrase(disk))


@real
def test_volume_of_earlier_boot_is_not_resumed(tmp_path: Path, disk: str) -> None:
    with TangServer(tmp_path / "tang") as running:
        wanted = volume(disk, Clevis(tang=(server(running),)))
        Boot(tmp_path).run(wanted)
        before = Path(disk).read_bytes()
        with pytest.raises(IgnitionError, match="Clevis needs a newly created volume"):
            Boot(tmp_path).run(wanted)
        assert Path(disk).read_bytes() == before
        Boot(tmp_path).run(wanted.evolve(wipe_volume=True))
        assert opens(disk, passphrase(disk))


INSIDE = (
    "cryptsetup",
    "jose",
    "clevis-encrypt-sss",
    "clevis-encrypt-tang",
    "clevis-luks-bind",
    "pwmake",
    "curl",
)
"""Programs that clevis starts."""


@real
def test_no_key_is_visible_to_other_processes(
    tmp_path: Path, disk: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Program arguments, temporary files of clevis, and the log."""
    caplog.set_level("DEBUG", "ignition")
    spies, scratch, copies = tmp_path / "spies", tmp_path / "scratch", tmp_path / "copies"
    for folder in (spies, scratch, copies):
        folder.mkdir()
    seen = tmp_path / "seen"
    for name in INSIDE:
        spy(spies / name, f'printf "%s\\n" "$0" "$@" >> {seen}')
    spy(spies / "rm", f'cp -r {scratch}/. {copies} 2>/dev/null; printf "rm\\n" >> {seen}')
    monkeypatch.setenv("PATH", f"{spies}:{Path('/usr/sbin')}:/usr/bin:/sbin:/bin")
    boot = Boot(tmp_path, {"TMPDIR": str(scratch)})
    with TangServer(tmp_path / "tang") as running:
        boot.run(volume(disk, Clevis(tang=(server(running),))))
        secrets = (generated(boot), passphrase(disk))
    arguments = seen.read_bytes()
    assert b"luksAddKey" in arguments
    headers = [file for file in copies.rglob("*.header") if file.stat().st_size]
    assert headers  # so this has looked at the right time
    everything = [
        arguments,
        caplog.text.encode(),
        *(file.read_bytes() for file in copies.rglob("*") if file.is_file()),
    ]
    assert [[secret in each for secret in secrets] for each in everything] == [[False, False]] * len(
        everything
    )
    assert [file for file in scratch.rglob("*") if file.is_file()] == []


def spy(place: Path, line: str) -> None:
    program = shutil.which(place.name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    place.write_text(f'#!/bin/bash\n{line}\nexec {program} "$@"\n')
    place.chmod(0o755)


def test_try_pins_describes_itself() -> None:
    assert TryPins((), VAULT).describe() == 'trying the Clevis pins of LUKS volume "vault"'
    assert json.loads(clevis.policy(VAULT.clevis)[1]) == {"pins": {"tpm2": {}}, "t": 1}
