# SPDX-License-Identifier: Apache-2.0
"""`ignition-apply` and `ignition apply`: provision a root directory without a boot."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ignition import image_root
from ignition.host.root import Root
from ignition.verbs import apply, ignition_apply
from tests.host.fakes import FakeHost
from tests.lab.server import Answer, HttpServer
from tests.stages.files.lab import accounts, tree_of

Capture = pytest.CaptureFixture[str]

UNIT = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
FILES = {"files": [{"path": "/etc/a", "mode": 384, "contents": {"source": "data:,hello"}}]}
UNSUPPORTED = {
    "kernelArguments": {"shouldExist": ["quiet"]},
    "passwd": {"users": [{"name": "core"}], "groups": [{"name": "wheel"}]},
    "storage": {
        **FILES,
        "disks": [{"device": "/dev/nope", "partitions": [{"number": 1}]}],
        "raid": [{"name": "md", "level": "raid1", "devices": ["/dev/a", "/dev/b"]}],
        "luks": [{"name": "x", "device": "/dev/nope"}],
        "filesystems": [{"device": "/dev/nope", "format": "ext4", "path": "/etc"}],
    },
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (made := tmp_path / "root").mkdir()
    return made


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("container", "podman")


def given(directory: Path, **sections: Any) -> str:
    (directory / "my.ign").write_text(json.dumps({"ignition": {"version": "3.4.0"}, **sections}))
    return str(directory / "my.ign")


class TestImages:
    @pytest.mark.real_commands("systemctl")
    def test_apply_writes_files_and_units(self, tmp_path: Path, root: Path, capsys: Capture) -> None:
        units = [{"name": "a.service", "enabled": True, "contents": UNIT}]
        config = given(tmp_path, storage=FILES, systemd={"units": units})
        assert apply.main(["--root", str(root), config]) == 0
        assert (root / "etc/a").read_text() == "hello"
        assert (root / "etc/a").stat().st_mode & 0o7777 == 0o600
        system = root / "etc/systemd/system"
        assert (system / "a.service").read_text() == UNIT
        assert (system / "multi-user.target.wants/a.service").is_symlink()
        assert not (root / "etc/.ignition-result.json").exists()
        assert "hello" not in capsys.readouterr().out

        before = tree_of(str(root))
        assert apply.main([config, "--root", str(root)]) == 0
        assert tree_of(str(root)) == before

    @pytest.mark.real_commands("systemctl")
    def test_apply_accepts_symlink_as_root(self, tmp_path: Path, root: Path) -> None:
        (tmp_path / "link").symlink_to(root)
        dropins = [{"name": "a.conf", "contents": "[Service]\nNice=1\n"}]
        units = [{"name": "a.service", "enabled": True, "contents": UNIT, "dropins": dropins}]
        config = given(tmp_path, systemd={"units": units})
        assert apply.main(["--root", str(tmp_path / "link"), config]) == 0
        assert (root / "etc/systemd/system/multi-user.target.wants/a.service").is_symlink()

    @pytest.mark.real_commands("useradd", "groupadd")
    def test_apply_with_users_creates_users_and_groups(self, tmp_path: Path) -> None:
        host = FakeHost(tmp_path)
        accounts(host)
        passwd = {
            "users": [{"name": "new", "uid": 4242, "sshAuthorizedKeys": ["ssh-ed25519 AAAA"]}],
            "groups": [{"name": "more", "gid": 4343}],
        }
        files = {"files": [{"path": "/etc/theirs", "user": {"name": "new"}, "group": {"name": "more"}}]}
        config = given(tmp_path, passwd=passwd, storage=files)
        assert apply.main(["--root", host.root.path, config]) == 1
        assert not (tmp_path / "root/etc/theirs").exists()
        assert apply.main(["--root", host.root.path, "--users", config]) == 0
        status = (tmp_path / "root/etc/theirs").stat()
        assert (status.st_uid, status.st_gid) == (4242, 4343)
        keys = tmp_path / "root/home/new/.ssh/authorized_keys.d/ignition"
        assert keys.read_text() == "ssh-ed25519 AAAA\n"

    def test_apply_refuses_all_unsupported_sections_at_once(
        self, tmp_path: Path, root: Path, capsys: Capture
    ) -> None:
        assert apply.main(["--root", str(root), given(tmp_path, **UNSUPPORTED)]) == 1
        said = capsys.readouterr().out
        for path in (
            "kernelArguments",
            "storage.disks",
            "storage.raid",
            "storage.luks",
            "storage.filesystems",
        ):
            assert f"$.{path}: " in said
        assert "$.passwd.users: " in said
        assert "--ignore-unsupported" in said
        assert os.listdir(root) == []

    def test_ignore_unsupported_skips_unsupported_sections(
        self, tmp_path: Path, root: Path, capsys: Capture
    ) -> None:
        arguments = ["--root", str(root), "--ignore-unsupported", given(tmp_path, **UNSUPPORTED)]
        assert apply.main(arguments) == 0
        assert list(tree_of(str(root))) == ["/etc", "/etc/a"]
        assert "left out: $.storage.disks: " in capsys.readouterr().out

    def test_apply_follows_references(self, tmp_path: Path, root: Path, server: HttpServer) -> None:
        server.answer("/child.ign", Answer(Path(given(tmp_path, storage=FILES)).read_bytes()))
        merge = {"merge": [{"source": server.url("/child.ign")}]}
        (tmp_path / "my.ign").write_text(json.dumps({"ignition": {"version": "3.4.0", "config": merge}}))
        assert apply.main(["--root", str(root), str(tmp_path / "my.ign")]) == 0
        assert (root / "etc/a").read_text() == "hello"

    @pytest.mark.parametrize("section", ["files", "config"])
    def test_offline_fails_without_requests_and_writes(
        self, tmp_path: Path, root: Path, server: HttpServer, capsys: Capture, section: str
    ) -> None:
        resource = {"source": server.url("/x")}
        if section == "files":
            config = given(
                tmp_path, storage={"files": [{"path": "/a"}, {"path": "/b", "contents": resource}]}
            )
        else:
            (tmp_path / "my.ign").write_text(
                json.dumps({"ignition": {"version": "3.4.0", "config": {"merge": [resource]}}})
            )
            config = str(tmp_path / "my.ign")
        assert apply.main(["--root", str(root), "--offline", config]) == 1
        assert "network" in capsys.readouterr().out
        assert server.requests == []
        assert os.listdir(root) == []

    def test_apply_uses_network_settings_of_the_config(
        self, tmp_path: Path, root: Path, server: HttpServer
    ) -> None:
        server.answer("http://files.example/a", Answer(b"by proxy"))
        files = {"files": [{"path": "/a", "contents": {"source": "http://files.example/a"}}]}
        document = {
            "ignition": {"version": "3.4.0", "proxy": {"httpProxy": server.url("").rstrip("/")}},
            "storage": files,
        }
        (tmp_path / "my.ign").write_text(json.dumps(document))
        assert apply.main(["--root", str(root), str(tmp_path / "my.ign")]) == 0
        assert (root / "a").read_bytes() == b"by proxy"

    def test_apply_without_systemctl_writes_presets(
        self, tmp_path: Path, root: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "/nonexistent")
        units = [{"name": "a.service", "enabled": True, "contents": UNIT}]
        assert apply.main(["--root", str(root), given(tmp_path, systemd={"units": units})]) == 0
        preset = root / "etc/systemd/system-preset/20-ignition.preset"
        assert preset.read_text() == "enable a.service\n"
        notice = 'NOTICE   : program "systemctl" not found: units are enabled by presets only'
        assert notice in capsys.readouterr().out
        assert apply.main(["--root", str(root), given(tmp_path, storage=FILES)]) == 0
        assert "NOTICE" not in capsys.readouterr().out

    def test_apply_without_proc_hints_at_mounting_it(
        self, tmp_path: Path, root: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(image_root, "OPEN_FILES", "/nonexistent")
        assert apply.main(["--root", str(root), given(tmp_path, storage=FILES)]) == 1
        said = capsys.readouterr().out
        assert "CRITICAL : /proc is not mounted" in said
        assert "hint: run: mount -t proc proc /proc" in said
        assert os.listdir(root) == []

    @pytest.mark.parametrize("number", [errno.EPERM, errno.EINVAL])
    @pytest.mark.parametrize(("ids", "told"), [("0 1000 1", True), ("0 0 4294967295", False)])
    def test_chown_without_permission_hints_at_user_namespace(
        self, tmp_path: Path, root: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch,
        number: int, ids: str, told: bool,
    ) -> None:  # fmt: skip
        def forbidden(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number), "/etc/a")

        (tmp_path / "uid_map").write_text(f"{ids}\n")
        monkeypatch.setattr(ignition_apply, "USERS", str(tmp_path / "uid_map"))
        monkeypatch.setattr(os, "chown", forbidden)
        monkeypatch.setattr(os, "fchown", forbidden)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        files = {"files": [{"path": "/etc/a", "user": {"id": 4242}, "contents": {"source": "data:,a"}}]}
        assert apply.main(["--root", str(root), given(tmp_path, storage=files)]) == 1
        assert ("hint: run it as root, or in a user namespace" in capsys.readouterr().out) is told

    def test_failure_is_logged_once_and_internal_error_without_text(
        self, tmp_path: Path, root: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise KeyError("s3cr3t")

        monkeypatch.setattr(image_root, "perform", broken)
        assert apply.main(["--root", str(root), given(tmp_path, storage=FILES)]) == 1
        shown = capsys.readouterr()
        assert "CRITICAL : internal error: KeyError in " in shown.out
        assert "s3cr3t" not in shown.out + shown.err

    def test_apply_checks_merged_config_like_a_boot(
        self, tmp_path: Path, root: Path, server: HttpServer, capsys: Capture
    ) -> None:
        child = {"files": [{"path": "/a", "user": {"name": "x"}}]}
        server.answer("/child.ign", Answer(Path(given(tmp_path, storage=child)).read_bytes()))
        merge = {"merge": [{"source": server.url("/child.ign")}]}
        document = {
            "ignition": {"version": "3.4.0", "config": merge},
            "storage": {"files": [{"path": "/a", "user": {"id": 5}}]},
        }
        (tmp_path / "my.ign").write_text(json.dumps(document))
        assert apply.main(["--root", str(root), str(tmp_path / "my.ign")]) == 1
        assert "$.storage.files.0.user" in capsys.readouterr().out
        assert os.listdir(root) == []

    def test_conflict_of_configs_fails(self, tmp_path: Path, root: Path, capsys: Capture) -> None:
        (root / "etc").mkdir()
        (root / "etc/a").write_text("other")
        assert apply.main(["--root", str(root), given(tmp_path, storage=FILES)]) == 1
        said = capsys.readouterr().out
        assert "exists with other contents" in said
        assert "hint: set overwrite: true" in said
        assert (root / "etc/a").read_text() == "other"

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("{", "is not JSON"),
            (
                '{"ignition": {"version": "3.4.0"}, "storage": {"files": [{"path": "a"}]}}',
                "$.storage.files.0",
            ),
        ],
    )
    def test_invalid_config_is_exit_status_1(
        self, tmp_path: Path, root: Path, capsys: Capture, text: str, says: str
    ) -> None:
        (tmp_path / "my.ign").write_text(text)
        assert apply.main(["--root", str(root), str(tmp_path / "my.ign")]) == 1
        assert says in capsys.readouterr().out

    @pytest.mark.parametrize("arguments", [[], ["x.ign"], ["--root", "/nowhere", "x.ign"], ["--root", "/"]])
    def test_wrong_command_line_is_exit_status_2(self, arguments: list[str], capsys: Capture) -> None:
        with pytest.raises(SystemExit) as ended:
            apply.main(arguments)
        assert ended.value.code == 2
        capsys.readouterr()


class TestContainers:
    """The reference's command line and exit codes."""

    @pytest.mark.usefixtures("container")
    def test_ignition_apply_writes_files(self, tmp_path: Path, root: Path) -> None:
        config = given(tmp_path, storage=FILES)
        assert ignition_apply.main([config, "--root", str(root)]) == 0
        assert (root / "etc/a").read_text() == "hello"

    @pytest.mark.usefixtures("container")
    @pytest.mark.parametrize("given_root", ["new/tree", ""])
    def test_ignition_apply_creates_root_relative_to_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_root: str
    ) -> None:
        config = given(tmp_path, storage=FILES)
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        assert ignition_apply.main(["--root", given_root, config]) == 0
        assert (tmp_path / "here" / given_root / "etc/a").read_text() == "hello"

    @pytest.mark.usefixtures("container")
    def test_ignition_apply_refuses_users(self, tmp_path: Path, root: Path, capsys: Capture) -> None:
        config = given(tmp_path, passwd={"users": [{"name": "core"}]})
        assert ignition_apply.main(["--root", str(root), config]) == 1
        assert "$.passwd.users: " in capsys.readouterr().out
        assert ignition_apply.main(["--root", str(root), "--ignore-unsupported", config]) == 0

    def test_ignition_apply_on_a_host_is_exit_status_1(
        self, tmp_path: Path, root: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ignition_apply, "CONTAINERS", ())
        monkeypatch.delenv("container", raising=False)
        assert ignition_apply.main(["--root", str(root), given(tmp_path, storage=FILES)]) == 1
        assert "not designed to run on a host system" in capsys.readouterr().out
        assert os.listdir(root) == []

    @pytest.mark.parametrize("file", ["run/.containerenv", ".dockerenv"])
    def test_in_container_by_variable_or_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
    ) -> None:
        monkeypatch.setenv("container", "")
        assert not ignition_apply.in_container(str(tmp_path))
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
        assert ignition_apply.in_container(str(tmp_path))

    @pytest.mark.parametrize(
        ("arguments", "status", "stream", "says"),
        [
            ([], 1, "err", "Usage:"),
            (["a", "b"], 1, "err", "Usage:"),
            (["--nope", "a"], 2, "err", "Usage:"),
            (["-root", "/x", "a"], 2, "err", "Usage:"),
            (["--help"], 0, "err", "Usage:"),
            (["--version"], 0, "out", "Ignition "),
        ],
    )
    def test_ignition_apply_command_line(
        self, capsys: Capture, arguments: list[str], status: int, stream: str, says: str
    ) -> None:
        assert ignition_apply.main(arguments) == status
        shown = capsys.readouterr()
        assert getattr(shown, stream).count(says) == 1
        assert getattr(shown, "out" if stream == "err" else "err") == ""

    @pytest.mark.usefixtures("container")
    def test_missing_config_is_exit_status_1(self, capsys: Capture) -> None:
        assert ignition_apply.main(["/nowhere/my.ign"]) == 1
        assert "no such file" in capsys.readouterr().out


def test_apply_touches_no_device_and_no_network(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Root, "sync", lambda self, paths: pytest.fail("a build is not a boot"))
    assert apply.main(["--root", str(root), given(tmp_path, storage=FILES)]) == 0
