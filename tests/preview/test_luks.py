# SPDX-License-Identifier: Apache-2.0
"""Previews of LUKS volumes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ignition.errors import Refusal
from ignition.preview.effects import Does
from ignition.preview.host import PreviewHost, preview_host
from ignition.preview.luks import Volumes
from ignition.preview.tree import Unseen
from ignition.schemas.config import Config
from ignition.schemas.luks import Cex, Clevis, Tang
from ignition.schemas.resource import Resource
from ignition.schemas.storage import Luks, Storage
from ignition.stages import Plan
from ignition.stages.disks.luks.actions import CloseVolume, MakeVolume, OpenVolume, ResumeVolume
from ignition.stages.disks.udev import RunLocked
from ignition.tools import wipefs
from tests.host.fakes import FakeFetch, FakeRun

NEW, THERE, OPEN, BEGUN = (
    Luks(name=name, device=f"/dev/{name}") for name in ("new", "there", "open", "begun")
)
PINNED = BEGUN.evolve(clevis=Clevis(tpm2=True))
CARD = NEW.evolve(cex=Cex(enabled=True))
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


def test_effects_of_each_volume(host: PreviewHost) -> None:
    effects = Volumes().effects(Config(), (), PLAN, host)
    told = [(each.does, each.what, each.detail, each.devices) for each in effects]
    assert told == [
        (Does.KEEP, "LUKS volume there", "on /dev/there; it is opened", ()),
        (Does.KEEP, "LUKS volume open", "on /dev/open; already open", ()),
        (Does.DESTROY, "wiping all signatures of /dev/new", "", ("/dev/vdb",)),
        (Does.CREATE, "LUKS volume new", "on /dev/new, unlocked by a generated key", ()),
        (
            Does.KEEP,
            "LUKS volume begun",
            "on /dev/begun, unlocked by the TPM 2; created earlier in this boot",
            (),
        ),
    ]
    assert "k1" not in repr(told)


@pytest.mark.parametrize(
    ("volume", "means"),
    [
        (NEW.evolve(key_file=Resource(source="data:,k")), "the key of the config"),
        (NEW.evolve(clevis=Clevis(tang=(Tang(url="http://u:p@h"),))), "the Tang server at http://u:***@h"),
        (CARD, "a crypto card"),
    ],
)
def test_new_volume_names_what_unlocks_it(host: PreviewHost, volume: Luks, means: str) -> None:
    plan = Plan(actions=(MakeVolume((), volume, "/dev/new"),))
    (effect,) = Volumes().effects(Config(), (), plan, host)
    assert effect.detail == f"on /dev/new, unlocked by {means}"


def test_open_volume_created_again_loses_contents(host: PreviewHost) -> None:
    (effect,) = Volumes().effects(Config(), (), Plan(actions=(CloseVolume((), OPEN),)), host)
    assert (effect.does, effect.what) == (Does.DESTROY, "contents of the open LUKS volume open")


def test_crypto_card_key_files_are_persisted(host: PreviewHost) -> None:
    left = Volumes().predict(Config(), (), Plan(actions=(MakeVolume((), CARD, "/dev/new"),)), host)
    assert set(left.luks_volume_keys) == {"ignition-luks-new.info", "ignition-luks-new.skey"}


def test_keys_are_persisted_and_closed_volumes_are_uncertain(host: PreviewHost) -> None:
    left = Volumes().predict(Config(), (), PLAN, host)
    assert set(left.luks_keys or {}) == {"there", "open", "new", "begun"}
    assert host.devices.is_new("/dev/new")
    with pytest.raises(Unseen, match="/dev/mapper/there is not open"):
        host.devices.wait({"/dev/mapper/there": ()})


def test_refused_volume_makes_device_paths_uncertain(host: PreviewHost) -> None:
    config = Config(storage=Storage(luks=(NEW,)))
    Volumes().predict(config, (), Plan(refusals=(Refusal(("storage", "luks", 0), "no"),)), host)
    for device in ("/dev/mapper/new", "/dev/disk/by-id/dm-name-new"):
        with pytest.raises(Unseen, match=r"depends on \$\.storage\.luks\.0"):
            host.devices.wait({device: ()})
