"""What a preview tells of encrypted volumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.errors import Refusal
from ignition.preview.effects import Does
from ignition.preview.host import PreviewHost, preview_host
from ignition.preview.luks import effects, foresee
from ignition.preview.tree import Unseen
from ignition.schemas.config import Config
from ignition.schemas.luks import Cex, Clevis, Tang
from ignition.schemas.resource import Resource
from ignition.schemas.storage import Luks, Storage
from ignition.stages import Plan
from ignition.stages.disks.locked import RunLocked
from ignition.stages.disks.luks.actions import CloseVolume, MakeVolume, OpenVolume, ResumeVolume
from ignition.tools import wipefs
from tests.host.fakes import FakeFetch, FakeRun

NEW, THERE, OPEN, BEGUN = (
    Luks(name=name, device=f"/dev/{name}") for name in ("new", "there", "open", "begun")
)
PINNED = BEGUN.but(clevis=Clevis(tpm2=True))
CARD = NEW.but(cex=Cex(enabled=True))
PLAN = Plan(
    actions=(
        OpenVolume(("storage", "luks", 1), THERE, "/dev/there", b"k1"),
        OpenVolume(("storage", "luks", 2), OPEN, "/dev/open", b"k2", is_open=True),
        RunLocked(("storage", "luks"), wipefs.erase(["/alias"], shown_as=["/dev/new"]), ("/dev/vdb",)),
        MakeVolume(("storage", "luks", 0), NEW, "/dev/new"),
        ResumeVolume(("storage", "luks", 3), PINNED, "/dev/begun", b"k3"),
    )
)


@pytest.fixture
def host(tmp_path: Path) -> PreviewHost:
    return preview_host(str(tmp_path), FakeRun(), FakeFetch(), str(tmp_path))


def test_each_volume() -> None:
    told = [(each.does, each.what, each.detail, each.devices) for each in effects(PLAN)]
    assert told == [
        (Does.KEEP, "encrypted volume there", "on /dev/there; it is opened", ()),
        (Does.KEEP, "encrypted volume open", "on /dev/open; it is open", ()),
        (Does.DESTROY, "wiping all signatures from /dev/new", "", ("/dev/vdb",)),
        (Does.CREATE, "encrypted volume new", "on /dev/new, unlocked by a key that is generated", ()),
        (
            Does.KEEP,
            "encrypted volume begun",
            "on /dev/begun, unlocked by the TPM 2; an earlier try of this boot made it",
            (),
        ),
    ]
    assert "k1" not in repr(told)


@pytest.mark.parametrize(
    ("volume", "means"),
    [
        (NEW.but(key_file=Resource(source="data:,k")), "the key of the config"),
        (NEW.but(clevis=Clevis(tang=(Tang(url="http://u:p@h"),))), "the Tang server at http://u:***@h"),
        (CARD, "a crypto card"),
    ],
)
def test_what_unlocks_a_new_one(volume: Luks, means: str) -> None:
    (effect,) = effects(Plan(actions=(MakeVolume((), volume, "/dev/new"),)))
    assert effect.detail == f"on /dev/new, unlocked by {means}"


def test_one_that_is_open_and_made_anew_loses_what_is_in_it() -> None:
    (effect,) = effects(Plan(actions=(CloseVolume((), OPEN),)))
    assert (effect.does, effect.what) == (Does.DESTROY, "what is in the open encrypted volume open")


def test_a_crypto_card_s_key_is_left_too(host: PreviewHost) -> None:
    left = foresee(Config(), Plan(actions=(MakeVolume((), CARD, "/dev/new"),)), host)
    assert set(left.luks_volume_keys) == {"ignition-luks-new.info", "ignition-luks-new.skey"}


def test_keys_are_left_and_what_is_in_closed_volumes_is_unknown(host: PreviewHost) -> None:
    left = foresee(Config(), PLAN, host)
    assert set(left.luks_keys or {}) == {"there", "open", "new", "begun"}
    assert host.devices.is_new("/dev/new")
    with pytest.raises(Unseen, match="/dev/mapper/there is not open"):
        host.devices.wait({"/dev/mapper/there": ()})


def test_what_becomes_of_refused_ones_is_unknown(host: PreviewHost) -> None:
    config = Config(storage=Storage(luks=(NEW,)))
    foresee(config, Plan(refusals=(Refusal(("storage", "luks", 0), "no"),)), host)
    for device in ("/dev/mapper/new", "/dev/disk/by-id/dm-name-new"):
        with pytest.raises(Unseen, match=r"depends on what becomes of \$\.storage\.luks\.0"):
            host.devices.wait({device: ()})
