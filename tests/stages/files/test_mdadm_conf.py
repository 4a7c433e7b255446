# SPDX-License-Identifier: Apache-2.0
"""RAID arrays in mdadm.conf of the target root: added once, and never to a file that the config writes."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from ignition.boot.state import State
from ignition.errors import ActionFailed
from ignition.host.command import Command, Ran
from ignition.preview.effects import Does, Effect
from ignition.preview.host import preview_host
from ignition.preview.registry import adapter_for
from ignition.stages.files.mdadm_conf import MdadmConf, is_listed
from tests.host.fakes import FakeHost
from tests.stages.files.lab import config_of, local, run_steps, tree_of

LINES = {
    "/dev/md/data": "ARRAY /dev/md/data metadata=1.2 name=any:data UUID=0a1b2c3d:11111111:22222222:33333333",
    "/dev/md/logs": "ARRAY /dev/md/logs metadata=1.2 name=any:logs UUID=0a1b2c3e:11111111:22222222:33333333",
}
DEBIAN = "/etc/mdadm/mdadm.conf"
OTHERS = "/etc/mdadm.conf"
ARRAYS = [
    {"name": name, "level": "raid1", "devices": [f"/dev/{name}1", f"/dev/{name}2"]}
    for name in ("data", "logs")
]


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    made = FakeHost(tmp_path)
    made.run.answer("mdadm", _brief, having="--detail")
    for name in ("data", "logs"):
        device = tmp_path / "system/dev/md" / name
        device.parent.mkdir(parents=True, exist_ok=True)
        device.touch()
    return made


def _brief(command: Command) -> Ran:
    return Ran(0, LINES[str(command.argv[-1])] + "\n")


def write(host: FakeHost, **more: Any) -> None:
    run_steps([MdadmConf()], config_of(storage={"raid": ARRAYS, **more}), host)


@pytest.mark.parametrize("file", [DEBIAN, OTHERS])
def test_arrays_are_appended_to_mdadm_conf(host: FakeHost, file: str) -> None:
    host.root.write(file, b"# ours\nHOMEHOST <system>\nAUTO -all", mode=0o640, owner=(7, 8))
    write(host)
    assert local(host, file).read_text().splitlines() == [
        "# ours",
        "HOMEHOST <system>",
        "AUTO -all",
        *LINES.values(),
    ]
    found = local(host, file).stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, 7, 8)


def test_repeated_runs_write_each_line_once(host: FakeHost) -> None:
    host.root.write(DEBIAN, b"HOMEHOST <system>\n")
    write(host)
    before = tree_of(host.root.path)
    write(host)
    assert tree_of(host.root.path) == before


@pytest.mark.parametrize(
    "line",
    [
        "ARRAY /dev/md0 UUID=0a1b2c3d:11111111:22222222:33333333\n",
        "array /dev/md/x\n   uuid=0A1B2C3D:11111111:22222222:33333333 name=y\n",
    ],
)
def test_array_listed_under_other_name_is_kept(host: FakeHost, line: str) -> None:
    host.root.write(DEBIAN, line.encode())
    write(host)
    assert local(host, DEBIAN).read_text() == line + LINES["/dev/md/logs"] + "\n"


def test_commented_line_does_not_count() -> None:
    assert not is_listed(LINES["/dev/md/data"], f"  # {LINES['/dev/md/data']}\n")
    assert not is_listed(LINES["/dev/md/data"], LINES["/dev/md/logs"])


def test_missing_mdadm_conf_is_not_created(host: FakeHost) -> None:
    """Without the file, mdadm scans for arrays itself, or is not installed."""
    write(host)
    assert tree_of(host.root.path) == {}
    assert host.run.argvs == []


@pytest.mark.parametrize("path", [DEBIAN, "/etc/here/mdadm.conf"])
def test_mdadm_conf_written_by_config_is_unchanged(host: FakeHost, path: str) -> None:
    """The file would differ from the config, and a second run would refuse it."""
    host.root.write(DEBIAN, b"mine\n")
    host.root.symlink("mdadm", "/etc/here")
    write(host, files=[{"path": path}])
    assert local(host, DEBIAN).read_text() == "mine\n"


def test_mdadm_conf_symlinks_are_resolved_in_root(host: FakeHost) -> None:
    host.root.write("/usr/share/mdadm.conf", b"")
    host.root.symlink("/usr/share/mdadm.conf", OTHERS)
    write(host)
    assert local(host, OTHERS).is_symlink()
    assert local(host, "/usr/share/mdadm.conf").read_text().splitlines() == list(LINES.values())


def test_unparsable_mdadm_output_writes_nothing(host: FakeHost) -> None:
    host.root.write(DEBIAN, b"mine\n")
    (Path(host.system) / "dev/md/data").unlink()
    host.run.answer("mdadm", stdout="mdadm: no\n", having="/dev/md/data")
    with pytest.raises(ActionFailed, match="cannot parse mdadm's output about RAID array data"):
        write(host)
    assert local(host, DEBIAN).read_text() == "mine\n"


def test_preview_shows_lines_of_arrays_to_be_created(host: FakeHost, tmp_path: Path) -> None:
    host.root.write(DEBIAN, b"mine\n")
    (Path(host.system) / "dev/md/data").unlink()
    config = config_of(storage={"raid": ARRAYS[:1]})
    seen = preview_host(host.root.path, host.run, host.fetch, host.system)
    seen.devices.predict_device("/dev/md/data")
    step = MdadmConf()
    facts = step.observe(config, seen, State())
    plan = step.plan(config, facts)
    (effect,) = adapter_for("files", "mdadm").effects(config, facts, plan, seen)
    assert isinstance(effect, Effect)
    assert (effect.does, effect.what) == (Does.CREATE, f"line of the RAID array data in {DEBIAN}")
    assert host.run.argvs == []


def test_step_is_wanted_only_with_arrays() -> None:
    assert not MdadmConf().wanted(config_of())
