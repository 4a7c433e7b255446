# SPDX-License-Identifier: Apache-2.0
"""Keys in `/etc/luks` and lines in `/etc/crypttab`: private, idempotent, and without replacing other keys."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import KEY_REMOVED, State
from ignition.errors import Refused, StateError
from ignition.host.command import Command, Ran
from ignition.schemas.luks import Clevis, ClevisCustom, Tang
from ignition.schemas.storage import Luks
from ignition.stages.files.crypttab import Crypttab, line_for, with_lines
from ignition.url import dataurl
from tests.host.fakes import FakeHost
from tests.stages.files.lab import config_of, local, run_steps, tree_of

UUIDS = {"vdb": "1111-aaaa", "vdc": "2222-bbbb"}
KEYS = {"vault": b"secret key", "own": b"\x00other\n"}


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    made = FakeHost(tmp_path)
    made.run.answer("cryptsetup", _uuid, having="luksUUID")
    return made


def _uuid(command: Command) -> Ran:
    return Ran(0, UUIDS[str(command.argv[-1]).rpartition("/")[2]] + "\n")


def state(**keys: bytes) -> State:
    return State(luks_keys={name: dataurl.encode(key) for name, key in (keys or KEYS).items()})


def write(host: FakeHost, left: State | None = None) -> None:
    volumes = [{"name": "vault", "device": "/dev/vdb"}, {"name": "own", "device": "/dev/vdc"}]
    run_steps([Crypttab()], config_of(storage={"luks": volumes}), host, state() if left is None else left)


VAULT = "vault UUID=1111-aaaa /etc/luks/vault luks,x-initrd.attach\n"
OWN = "own UUID=2222-bbbb /etc/luks/own luks,x-initrd.attach\n"


def mode(host: FakeHost, path: str) -> int:
    return stat.S_IMODE(local(host, path).stat().st_mode)


def test_crypttab_and_key_files_are_written(host: FakeHost) -> None:
    write(host)
    assert local(host, "/etc/crypttab").read_text() == VAULT + OWN
    assert {name: local(host, f"/etc/luks/{name}").read_bytes() for name in KEYS} == KEYS
    assert [mode(host, path) for path in ("/etc/crypttab", "/etc/luks/vault", "/etc/luks", "/etc")] == [
        *(0o600, 0o600, 0o700, 0o755)
    ]


def test_existing_crypttab_is_extended_and_made_private(host: FakeHost) -> None:
    host.root.write("/etc/crypttab", b"# ours\nswap /dev/x /dev/urandom swap")
    write(host)
    assert local(host, "/etc/crypttab").read_text() == f"# ours\nswap /dev/x /dev/urandom swap\n{VAULT}{OWN}"
    assert mode(host, "/etc/crypttab") == 0o600


def test_repeated_runs_write_each_line_once(host: FakeHost) -> None:
    write(host)
    before = tree_of(host.root.path)
    write(host)
    assert tree_of(host.root.path) == before


def test_second_run_without_state_changes_nothing(host: FakeHost) -> None:
    """The files stage cleared the keys when it passed."""
    write(host)
    before = tree_of(host.root.path)
    write(host, State())
    assert tree_of(host.root.path) == before


def test_recreated_volume_replaces_its_line(host: FakeHost) -> None:
    host.root.write("/etc/crypttab", f"{VAULT.replace('1111', '9999')}\n# end\n{OWN}".encode())
    write(host)
    assert local(host, "/etc/crypttab").read_text() == f"{VAULT}\n# end\n{OWN}"


def refused(host: FakeHost, left: State) -> list[str]:
    before = tree_of(host.root.path)
    with pytest.raises(Refused) as caught:
        write(host, left)
    assert tree_of(host.root.path) == before
    assert all(key.decode() not in str(caught.value) for key in KEYS.values())
    return str(caught.value).splitlines()


def test_existing_other_key_is_refused(host: FakeHost) -> None:
    host.root.write("/etc/luks/vault", b"the only key of another volume")
    assert refused(host, state()) == ["$.storage.luks.0.name: /etc/luks/vault exists with another key"]


def test_missing_key_fails_before_any_write(host: FakeHost) -> None:
    before = tree_of(host.root.path)
    with pytest.raises(StateError, match='no key for LUKS volume "vault"') as caught:
        write(host, state(own=b"x"))
    assert caught.value.path == ("storage", "luks", 0)
    assert tree_of(host.root.path) == before


def test_malformed_key_in_state_prints_no_contents(host: FakeHost) -> None:
    with pytest.raises(StateError) as caught:
        write(host, State(luks_keys={"vault": "secret key"}))
    assert "secret key" not in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Clevis(), "v UUID=u /etc/luks/v luks,x-initrd.attach"),
        (Clevis(tpm2=True), "v UUID=u none luks,x-initrd.attach"),
        (
            Clevis(tang=(Tang(url="http://h", advertisement="{}"),)),
            "v UUID=u none luks,_netdev,x-initrd.attach",
        ),
        (
            Clevis(custom=ClevisCustom(pin="own", config="{}", needs_network=True)),
            "v UUID=u none luks,_netdev,x-initrd.attach",
        ),
        (Clevis(custom=ClevisCustom(pin="own", config="{}")), "v UUID=u none luks,x-initrd.attach"),
    ],
)
def test_line_for_volume_has_name_device_key_options(wanted: Clevis, expected: str) -> None:
    assert line_for(Luks(name="v", clevis=wanted), "u") == expected


def test_clevis_volume_has_no_key_file(host: FakeHost) -> None:
    """With a key in the state, because the config names one, and after removal of a generated key."""
    volumes = [{"name": "vault", "device": "/dev/vdb", "clevis": {"tpm2": True}}]
    for left in (state(vault=b"secret key"), State(luks_keys={"vault": KEY_REMOVED}), State()):
        run_steps([Crypttab()], config_of(storage={"luks": volumes}), host, left)
        assert local(host, "/etc/crypttab").read_text() == "vault UUID=1111-aaaa none luks,x-initrd.attach\n"
        assert not local(host, "/etc/luks").exists()


CARD_FILES = {"ignition-luks-vault.info": b"about", "ignition-luks-vault.skey": b"\0\1"}


def test_cex_key_is_written_to_zkey_repository(host: FakeHost) -> None:
    volumes = [{"name": "vault", "device": "/dev/vdb", "cex": {"enabled": True}}]
    left = state(vault=b"no secret") + State(
        luks_volume_keys={name: dataurl.encode(data) for name, data in CARD_FILES.items()}
    )
    for each in (left, State()):
        run_steps([Crypttab()], config_of(storage={"luks": volumes}), host, each)
    repository = "/etc/zkey/repository"
    assert {name: local(host, f"{repository}/{name}").read_bytes() for name in CARD_FILES} == CARD_FILES
    assert [mode(host, path) for path in (*(f"{repository}/{name}" for name in CARD_FILES), repository)] == [
        *(0o600, 0o600, 0o700)
    ]
    assert local(host, "/etc/luks/vault").read_bytes() == b"no secret"
    assert local(host, "/etc/crypttab").read_text() == VAULT


def test_missing_cex_key_is_an_error(host: FakeHost) -> None:
    volumes = [{"name": "vault", "device": "/dev/vdb", "cex": {"enabled": True}}]
    with pytest.raises(StateError, match='no key for LUKS volume "vault"'):
        run_steps([Crypttab()], config_of(storage={"luks": volumes}), host, state(vault=b"no secret"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a UUID=1 /etc/luks/a luks,x-initrd.attach\n"),
        ("b x y\n", "b x y\na UUID=1 /etc/luks/a luks,x-initrd.attach\n"),
        ("aa x\n", "aa x\na UUID=1 /etc/luks/a luks,x-initrd.attach\n"),
        ("#a x\n", "#a x\na UUID=1 /etc/luks/a luks,x-initrd.attach\n"),
        ("  a\tUUID=0 none\nb x\n", "a UUID=1 /etc/luks/a luks,x-initrd.attach\nb x\n"),
    ],
)
def test_crypttab_line_is_identified_by_first_word(text: str, expected: str) -> None:
    lines = [line_for(Luks(name="a"), "1")]
    assert with_lines(text, lines) == expected
    assert with_lines(expected, lines) == expected


def test_keys_are_not_in_repr_or_description(host: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "ignition")
    step, left = Crypttab(), state()
    config: Any = config_of(storage={"luks": [{"name": "vault", "device": "/dev/vdb"}]})
    facts = step.observe(config, host, left)
    said = f"{facts!r} {step.plan(config, facts)!r}"
    write(host)
    assert ("secret key" in said + caplog.text, left.luks_keys["vault"] in said) == (False, False)
