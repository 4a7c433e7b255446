# SPDX-License-Identifier: Apache-2.0
"""Previews of LUKS volumes with Clevis: no server is asked and no pin is tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ignition.boot.state import KEY_REMOVED, State
from ignition.preview import Does, StagePreview, preview_host
from ignition.preview import preview as previewed
from ignition.resource import Fetcher
from tests.host.fakes import FakeRun
from tests.lab.readonly import only_looking
from tests.preview.test_preview import artificial_system, conflicts, effect, effects_of
from tests.stages.files.lab import config_of

TANG = {"url": "http://tang.example", "thumbprint": "THP"}
PINS = {"tang": [TANG], "tpm2": True, "threshold": 2}
THERE = {"device": "a", "type": "crypto_LUKS", "usage": "crypto", "uuid": None, "label": None}
BOUND = '{"config": {}, "tokens": {"0": {"type": "clevis", "keyslots": ["1"]}}}'


def preview(tmp_path: Path, run: FakeRun, state: State | None = None, **more: Any) -> list[StagePreview]:
    made = artificial_system(tmp_path / "system")
    made.disk("a", 1 << 20)
    volume = {"name": "v", "device": "/dev/a", "clevis": PINS, **more}
    (tmp_path / "root/etc").mkdir(parents=True)
    host = preview_host(str(tmp_path / "root"), run, Fetcher(offline=True), str(made.system))
    with only_looking():
        return list(previewed(config_of(storage={"luks": [volume]}), host, state or State()))


def test_new_clevis_volume_is_created(tmp_path: Path) -> None:
    run = FakeRun()
    shown = preview(tmp_path, run)
    assert conflicts(shown) == []
    assert effects_of(shown)[:2] == [("create", "LUKS volume v"), ("change", "lines in /etc/crypttab")]
    assert effect(shown, "LUKS volume v").detail == (
        "on /dev/a, unlocked by all of the Tang server at http://tang.example, the TPM 2"
    )
    assert run.ran("clevis") == []


def there(run: FakeRun) -> FakeRun:
    run.answer("wipefs", stdout=json.dumps({"signatures": [THERE]}), having="--json")
    run.answer("cryptsetup", stdout=BOUND, having="luksDump")
    run.answer("cryptsetup", stdout="U\n", having="luksUUID")
    return run


def test_existing_clevis_volume_is_conflict_or_lost(tmp_path: Path) -> None:
    shown = preview(tmp_path / "1", there(FakeRun()))
    assert conflicts(shown)[0].startswith("$.storage.luks.0.wipeVolume: cannot use /dev/a as LUKS volume")
    shown = preview(tmp_path / "2", there(FakeRun()), wipeVolume=True)
    assert [each for each in effects_of(shown) if "/dev/a" in each[1]] == [
        ("destroy", "wiping all signatures of /dev/a")
    ]


def test_clevis_volume_created_in_this_boot_is_kept(tmp_path: Path) -> None:
    run = there(FakeRun())
    shown = preview(tmp_path, run, State(luks_keys={"v": KEY_REMOVED}))
    assert conflicts(shown) == []
    assert effect(shown, "LUKS volume v").does is Does.KEEP
    assert run.ran("clevis") == []
