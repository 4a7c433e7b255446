# SPDX-License-Identifier: Apache-2.0
"""Secrets in outputs: whole runs, passing and failing, of a config with marked secrets.

Each secret contains a mark. After a run, all outputs (stdout, stderr, syslog, journal, files) are
searched for the mark in every encoding. Files that contain the config by design (the cache, the unmerged
documents and the state) must not be world-readable.
"""

from __future__ import annotations

import gzip
import json
import socket
import stat
import sys
import threading
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ignition import cli, log
from ignition.boot.failure_card import failure_card
from ignition.errors import FetchError
from ignition.host.command import Command
from ignition.host.source import Source
from ignition.resource import Credentials, Fetcher, Settings
from ignition.resource.credentials import AwsKeys
from ignition.stages.files.tree import actions
from ignition.tools import cryptsetup
from ignition.verbs import stage as verb
from tests.host.fakes import FakeHost
from tests.lab.programs import Programs
from tests.lab.server import Answer, HttpServer
from tests.stages.files.lab import accounts

MARK = "s3cr3tM4rk"

FILES_WITH_CONFIG = {"ignition.json", "documents.json", "config.ign"}
"""Files that contain the config by design. The state is not one of them: this config has no LUKS volume."""


def marked(name: str) -> str:
    """Return a secret with the mark and a name, which identifies it in a failure."""
    return f"{name}{MARK}{name}"


def encodings(text: str) -> set[bytes]:
    """Return encodings of a text: plain, reversed, percent-encoded, hexadecimal, base64 at any offset."""
    raw = text.encode()
    shifted = [b64encode(b"\0" * pad + raw)[(0, 2, 3)[pad] : -4] for pad in range(3)]
    urlsafe = [urlsafe_b64encode(b"\0" * pad + raw)[(0, 2, 3)[pad] : -4] for pad in range(3)]
    percent = "".join(f"%{byte:02x}" for byte in raw).encode()
    return {raw, raw[::-1], quote(text).encode(), percent, raw.hex().encode(), *shifted, *urlsafe}


NEEDLES = {needle.lower() for needle in encodings(MARK)}


def lines_with_mark(where: bytes) -> list[bytes]:
    """Return the lines that contain the mark in any encoding."""
    return [line for line in where.split(b"\n") if any(needle in line.lower() for needle in NEEDLES)]


@dataclass
class DatagramReceiver:
    """Receives all messages to a datagram socket."""

    path: Path
    received: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while (datagram := self._socket.recv(1 << 20)) != b"the end":
            self.received.append(datagram)

    def close(self) -> None:
        """Receive all messages that were sent, and close the socket."""
        if not self._thread.is_alive():
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"the end", str(self.path))
        self._thread.join()
        self._socket.close()


class Machine:
    """A machine with the accounts of a small system, and receivers of its log and journal."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.run = directory / "run" / "ignition"
        self.run.mkdir(parents=True)
        self.root = Path(FakeHost(directory / "host").root.path)
        accounts(FakeHost(directory / "host"))
        (directory / "cmdline").write_text("quiet\n")
        self.syslog = DatagramReceiver(directory / "log")
        self.journal = DatagramReceiver(directory / "journal")
        monkeypatch.setattr(log, "SYSLOG_SOCKETS", (str(directory / "log"),))
        monkeypatch.setattr(log, "JOURNAL_SOCKET", str(directory / "journal"))
        for name, path in (
            ("KERNEL_CMDLINE_PATH", "cmdline"),
            ("CONFIG_FILE", "config.ign"),
            ("SYSTEM_RUNTIME_CONFIG_DIR", "none"),
            ("SYSTEM_LOCAL_CONFIG_DIR", "none"),
            ("SYSTEM_CONFIG_DIR", "none"),
        ):
            monkeypatch.setenv(f"IGNITION_{name}", str(directory / path))

    def give(self, config: dict[str, Any] | str) -> None:
        text = config if isinstance(config, str) else json.dumps(config)
        (self.directory / "config.ign").write_text(text)

    def boot(self, *more: str) -> int:
        """Run all stages; return the exit status of the first that fails, or 0."""
        for stage in ("fetch-offline", "fetch", "kargs", "disks", "files"):
            if stage == "fetch" and (self.run.parent / "ignition.json").exists():
                continue
            status = verb.main(
                [
                    f"--stage={stage}",
                    "--platform=file",
                    f"--root={self.root}",
                    f"--config-cache={self.run.parent / 'ignition.json'}",
                    f"--neednet={self.run / 'neednet'}",
                    f"--state-file={self.run / 'state'}",
                    *more,
                ]
            )
            if status:
                return status
        return 0

    def close(self) -> None:
        """Close the log and the receivers."""
        log.unset()
        self.syslog.close()
        self.journal.close()

    def outputs(self) -> Iterator[tuple[str, bytes]]:
        """Yield all messages, and all files except those that contain the config."""
        yield "syslog", b"\n".join(self.syslog.received)
        yield "journal", b"\n".join(self.journal.received)
        for path in self.files():
            if path.name not in FILES_WITH_CONFIG:
                yield str(path), path.read_bytes() + path.name.encode()

    def files(self) -> list[Path]:
        """Return the files of the running system, and the records in the target root."""
        kept = self.root / "var/log/ignition"
        return [path for top in (self.run.parent, kept) for path in top.rglob("*") if path.is_file()]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    machine = Machine(tmp_path, monkeypatch)
    yield machine
    machine.close()


def inline(text: str, *, how: str = "plain") -> dict[str, Any]:
    """Return a resource with a data URL."""
    if how == "plain":
        return {"source": f"data:,{quote(text)}"}
    if how == "base64":
        return {"source": f"data:text/plain;charset=utf-8;base64,{b64encode(text.encode()).decode()}"}
    packed = gzip.compress(text.encode())
    return {"source": f"data:;base64,{b64encode(packed).decode()}", "compression": "gzip"}


def remote(server: HttpServer, path: str, body: Answer | bytes) -> dict[str, Any]:
    """Return a resource whose URL and headers contain secrets."""
    server.answer(path, body)
    names = ("X-Amz-Signature", "sig", "token", "temp_url_sig", "private_token", "Policy", "code", "%74oken")
    signed = "&".join((*(f"{name}={marked('signed')}" for name in names), marked("bare")))
    host = f"user:{marked('password')}@127.0.0.1:{server.port}"
    headers = [("Authorization", f"Bearer {marked('bearer')}"), ("X-Token", marked("header"))]
    return {
        "source": f"http://{host}{path}?{signed}#{marked('fragment')}",
        "httpHeaders": [{"name": name, "value": value} for name, value in headers],
    }


def full(server: HttpServer) -> dict[str, Any]:
    """Return a config with a secret in every possible place."""
    key = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{marked('private')}\n-----END OPENSSH PRIVATE KEY-----\n"
    child = {
        "ignition": {"version": "3.4.0"},
        "storage": {"files": [{"path": "/etc/child", "contents": inline(marked("child"))}]},
    }
    return {
        "ignition": {
            "version": "3.4.0",
            "timeouts": {"httpTotal": 2, "httpResponseHeaders": 2},
            "proxy": {"httpsProxy": f"https://proxy:{marked('proxy')}@127.0.0.1:9", "noProxy": ["127.0.0.1"]},
            "config": {
                "merge": [
                    remote(server, "/child.ign", json.dumps(child).encode()),
                    inline(json.dumps({**child, "storage": {}}), how="base64"),
                ]
            },
        },
        "kernelArguments": {"shouldExist": ["quiet"]},
        "passwd": {
            "users": [
                {
                    "name": "core",
                    "passwordHash": f"$6${marked('hash')}",
                    "sshAuthorizedKeys": [f"ssh-ed25519 {marked('authorized')}"],
                },
                {"name": "new", "passwordHash": f"$y${marked('yescrypt')}"},
            ],
            "groups": [{"name": "ops", "passwordHash": f"$6${marked('group')}"}],
        },
        "storage": {
            "directories": [{"path": "/etc/keys", "mode": 0o700}],
            "files": [
                {"path": "/etc/keys/plain", "mode": 0o600, "contents": inline(key)},
                {"path": "/etc/keys/base64", "contents": inline(marked("encoded"), how="base64")},
                {"path": "/etc/keys/gzip", "contents": inline(marked("packed"), how="gzip")},
                {
                    "path": "/etc/hosts",
                    "append": [inline(marked("appended")), remote(server, "/more", b"more " + MARK.encode())],
                },
                {"path": "/etc/keys/remote", "contents": remote(server, "/f", marked("body").encode())},
            ],
            "links": [{"path": "/etc/keys/link", "target": "plain"}],
        },
        "systemd": {
            "units": [
                {
                    "name": "secret.service",
                    "contents": f"[Service]\nEnvironment=TOKEN={marked('unit')}\nExecStart=/bin/true\n",
                    "dropins": [
                        {"name": "a.conf", "contents": f"[Service]\nEnvironment=X={marked('dropin')}\n"}
                    ],
                }
            ]
        },
    }


def add_working_programs(programs: Programs, machine: Machine) -> None:
    """Add fake programs that succeed; `useradd` adds an entry to the account files."""
    passwd, shadow = machine.root / "etc/passwd", machine.root / "etc/shadow"
    entry = f'echo "new:x:1000:1000::/home/new:/bin/sh" >> {passwd}; echo "new:x:1::::::" >> {shadow}'
    programs.add("useradd", script=entry)
    for name in ("usermod", "groupadd", "groupmod", "ignition-kargs-helper", "systemctl"):
        programs.add(name)


def assert_no_secret_printed(machine: Machine, captured: pytest.CaptureFixture[str]) -> None:
    """Assert that no output contains a secret, and that files with secrets are not world-readable."""
    machine.close()
    out, err = captured.readouterr()
    for name, text in (("stdout", out.encode()), ("stderr", err.encode()), *machine.outputs()):
        assert lines_with_mark(text) == [], name
    for path in machine.files():
        if lines_with_mark(path.read_bytes()):
            assert path.stat().st_mode & 0o007 == 0, path
    assert stat.S_IMODE((machine.run / "record.jsonl").stat().st_mode) == 0o600


def test_secret_marks_are_found_in_every_encoding() -> None:
    """The other tests depend on the search."""
    for text in (
        MARK,
        MARK.upper(),
        quote(MARK),
        b64encode(f"a{MARK}bcd".encode()).decode(),
        b64encode(f"ab{MARK}cd".encode()).decode(),
        b64encode(f"abc{MARK}d".encode()).decode(),
        f"x{MARK}".encode().hex(),
    ):
        assert lines_with_mark(f"one\n{text}\nthree".encode()), text
    assert lines_with_mark(b"nothing of the kind\n") == []


@pytest.mark.parametrize("sink", ["--log-to-stdout=false", "--log-to-stdout"])
def test_passing_run_prints_no_secret(
    machine: Machine,
    server: HttpServer,
    programs: Programs,
    sink: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    add_working_programs(programs, machine)
    machine.give(full(server))
    assert machine.boot(sink) == 0
    machine.close()
    out, err = capfd.readouterr()
    logged = b"\n".join(machine.syslog.received).decode() + out
    assert "files: files passed" in logged
    assert lines_with_mark(out.encode() + err.encode()) == []
    assert_no_secret_printed(machine, capfd)
    assert (machine.root / "etc/keys/remote").read_text() == marked("body")
    assert marked("hash") in " ".join(word for call in programs.argvs for word in call)


@pytest.mark.parametrize("sink", ["--log-to-stdout=false", "--log-to-stdout"])
def test_passing_run_logs_nothing_above_info(
    machine: Machine,
    server: HttpServer,
    programs: Programs,
    sink: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    add_working_programs(programs, machine)
    machine.give(full(server))
    assert machine.boot(sink) == 0
    machine.close()
    out, err = capfd.readouterr()
    labels = {line.partition(" ")[0] for line in out.splitlines()}
    priorities = {datagram.partition(b">")[0] for datagram in machine.syslog.received}
    assert (labels, priorities) in (
        ({"INFO", "DEBUG"}, set()),
        (set(), {b"<6", b"<7"}),
    )
    assert err == ""
    assert all(b"\nPRIORITY=6\n" in entry for entry in machine.journal.received)


def test_journal_entries_match_the_reference(
    machine: Machine, server: HttpServer, programs: Programs
) -> None:
    """Source: docs/reference/stages.md, "Journal entries"."""
    add_working_programs(programs, machine)
    machine.give(full(server))
    assert machine.boot() == 0
    machine.close()
    entries = [
        dict(line.split("=", 1) for line in entry.decode().splitlines()) for entry in machine.journal.received
    ]
    configs = [entry for entry in entries if entry["MESSAGE_ID"] == "57124006b5c94805b77ce473e92a8aeb"]
    assert [(each["MESSAGE"], each["IGNITION_CONFIG_REFERENCED"]) for each in configs] == [
        ('fetched user config from "file"', "false"),
        ('fetched referenced user config from "/child.ign"', "true"),
        ('fetched referenced user config from ""', "true"),
    ]
    assert {each["IGNITION_CONFIG_TYPE"] for each in configs} == {"user"}
    assert [each["IGNITION_CONFIG_SRC"] for each in configs] == ["file", "/child.ign", ""]
    (keys,) = (entry for entry in entries if entry["MESSAGE_ID"] == "225067b87bbd4a0cb6ab151f82fa364b")
    assert keys["MESSAGE"] == "wrote ssh authorized keys file for user: core"
    assert keys["IGNITION_USER_NAME"] == "core"
    assert keys["IGNITION_PATH"] == f"{machine.root}/home/core/.ssh/authorized_keys.d/ignition"
    assert {entry["PRIORITY"] for entry in entries} == {"6"}


def test_record_fields_are_documented(machine: Machine, server: HttpServer, programs: Programs) -> None:
    add_working_programs(programs, machine)
    machine.give(full(server))
    assert machine.boot() == 0
    (machine.root / "etc/keys/remote").write_text("other")
    assert machine.boot() == 1
    page = (Path(__file__).parents[1] / "docs" / "reference" / "record.md").read_text()
    fields = fields_of([json.loads(line) for line in (machine.run / "record.jsonl").read_text().splitlines()])
    assert {"started", "ended", "sources", "commands", "digest", "target", "error", "message"} <= fields
    assert {field for field in fields if f"`{field}`" not in page} == set()


def fields_of(value: Any) -> set[str]:
    """Return the names of all members at all levels."""
    if isinstance(value, list):
        return set().union(*map(fields_of, value))
    if isinstance(value, dict):
        return set(value).union(*map(fields_of, value.values()))
    return set()


Fault = Callable[[dict[str, Any], HttpServer, Programs], None]


def local_hash_mismatch(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["storage"]["files"][0]["contents"]["verification"] = {"hash": f"sha256-{'0' * 64}"}


def remote_hash_mismatch(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["storage"]["files"][4]["contents"]["verification"] = {"hash": f"sha512-{'0' * 128}"}


def http_403_file(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["storage"]["files"][4]["contents"] = remote(server, "/f", Answer(f"no {MARK}".encode(), 403))


def http_403_reference(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    remote(server, "/child.ign", Answer(f"no {MARK}".encode(), 403))


def connection_refused(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    contents = config["storage"]["files"][4]["contents"]
    contents["source"] = contents["source"].replace(f":{server.port}/", ":1/")


def truncated_download(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    remote(server, "/f", Answer(MARK.encode(), claim=1000))


def invalid_gzip(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["storage"]["files"][1]["contents"]["compression"] = "gzip"


def redirect_to_missing_file(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    to = f"http://other:{marked('there')}@127.0.0.1:{server.port}/gone?sig={marked('sas')}"
    remote(server, "/f", Answer.redirect(to))


def unreachable_proxy(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    source = f"https://user:{marked('password')}@192.0.2.1/f?sig={marked('sas')}"
    config["storage"]["files"][4]["contents"]["source"] = source


def unreachable_s3_bucket(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["storage"]["files"][4]["contents"] = {"source": "s3://bucket/key"}


def program_printing_its_arguments(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    programs.add("usermod", script='echo "usermod: what is $*?" >&2; exit 3')


def missing_program(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    (programs.directory / "groupadd").unlink()


def user_not_created(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["passwd"]["users"][1]["sshAuthorizedKeys"] = [marked("authorized")]
    programs.add("useradd")


def existing_file(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["storage"]["files"].append({"path": "/etc/passwd", "contents": inline(marked("other"))})


def unknown_owner(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["storage"]["files"][0]["user"] = {"name": "nobody-like-this"}


def malformed_reference(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    remote(server, "/child.ign", f'{{"ignition": {{"version": "3.4.0"}}, "x": {MARK}'.encode())


def cloud_config_reference(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    remote(server, "/child.ign", f"#cloud-config\npassword: {MARK}\n".encode())


def wrong_types(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["passwd"]["users"][0]["passwordHash"] = [marked("hash")]
    config["storage"]["files"][0]["contents"] = marked("contents")


def malformed_source(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["storage"]["files"][0]["contents"]["source"] = f"data:;base64,{marked('contents')}=%"


def header_with_newline(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    headers = config["storage"]["files"][4]["contents"]["httpHeaders"]
    headers[0]["value"] = f"Bearer {marked('bearer')}\nX-Another: {marked('header')}"


def whole_header_as_name(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    headers = config["storage"]["files"][4]["contents"]["httpHeaders"]
    headers[0] = {"name": f"Authorization: Bearer {marked('bearer')}", "value": "x"}


def whole_header_as_name_without_value(
    config: dict[str, Any], server: HttpServer, programs: Programs
) -> None:
    headers = config["storage"]["files"][4]["contents"]["httpHeaders"]
    headers[0] = {"name": f"Authorization: Bearer {marked('bearer')}"}


def malformed_url(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["storage"]["files"][4]["contents"]["source"] = f"http://user:{marked('password')}@ho st/"


def url_without_slashes(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["storage"]["files"][4]["contents"]["source"] = f"user:{marked('password')}@127.0.0.1/f"


def malformed_proxy(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["ignition"]["proxy"]["httpProxy"] = f"http://user:{marked('proxy')}@host:port"


def malformed_certificate(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    authorities = [{"source": f"data:,{marked('certificate')}"}]
    config["ignition"]["security"] = {"tls": {"certificateAuthorities": authorities}}


def password_hash_with_nul(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    config["passwd"]["users"][1]["passwordHash"] = f"$6${marked('hash')}\0"


def malformed_units(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    (unit,) = config["systemd"]["units"]
    unit["contents"] = f"[Service]\nEnvironment TOKEN {marked('unit')}\n"
    unit["dropins"][0]["contents"] = f"[Service\nEnvironment=X={marked('dropin')}\n"


def failing_kargs_helper(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    programs.add("ignition-kargs-helper", script='echo "no boot loader" >&2; exit 1')


def luks_without_devices(config: dict[str, Any], server: HttpServer, programs: Programs) -> None:
    url = f"http://user:{marked('tang')}@127.0.0.1:1/?token={marked('tang')}"
    custom = {"pin": "tang", "config": json.dumps({"url": url, "thp": marked("thumbprint")})}
    config["storage"]["luks"] = [
        {"name": "a", "device": "/dev/a", "keyFile": inline(marked("key"))},
        {"name": "b", "device": "/dev/b", "keyFile": remote(server, "/key", marked("key").encode())},
        {"name": "c", "device": "/dev/c", "clevis": {"custom": custom}},
        {"name": "d", "device": "/dev/d", "clevis": {"tang": [{"url": url, "thumbprint": "thp"}]}},
    ]


@pytest.mark.parametrize(
    "fault",
    [
        header_with_newline,
        whole_header_as_name,
        whole_header_as_name_without_value,
        malformed_url,
        url_without_slashes,
        malformed_proxy,
        malformed_certificate,
        password_hash_with_nul,
        malformed_units,
        failing_kargs_helper,
        luks_without_devices,
        local_hash_mismatch,
        remote_hash_mismatch,
        http_403_file,
        http_403_reference,
        connection_refused,
        truncated_download,
        invalid_gzip,
        redirect_to_missing_file,
        unreachable_proxy,
        unreachable_s3_bucket,
        program_printing_its_arguments,
        missing_program,
        user_not_created,
        existing_file,
        unknown_owner,
        malformed_reference,
        cloud_config_reference,
        wrong_types,
        malformed_source,
    ],
)
@pytest.mark.parametrize("sink", ["--log-to-stdout=false", "--log-to-stdout"])
def test_failing_run_prints_no_secret(
    machine: Machine,
    server: HttpServer,
    programs: Programs,
    fault: Fault,
    sink: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(programs.directory))
    add_working_programs(programs, machine)
    config = full(server)
    fault(config, server, programs)
    machine.give(config)
    assert machine.boot(sink) == 1
    card = (machine.run / "failure").read_text()
    assert "\nrecord   /" in card
    assert json.loads((machine.run / "record.jsonl").read_text().splitlines()[-1])["ended"] == "failed"
    assert_no_secret_printed(machine, capfd)


def test_internal_error_prints_no_secret(
    machine: Machine,
    server: HttpServer,
    programs: Programs,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The text of an unexpected error may contain secrets."""

    def broken(self: object, host: object) -> None:
        raise KeyError(marked("fault"))

    monkeypatch.setattr(actions.PlaceFile, "perform", broken)
    add_working_programs(programs, machine)
    machine.give(full(server))
    assert machine.boot() == 1
    assert "KeyError" in (machine.run / "record.jsonl").read_text()
    assert_no_secret_printed(machine, capfd)


@pytest.mark.parametrize(
    "address",
    [
        "http://user:{secret}@127.0.0.1:{port}/gone?sig={secret}&{secret}#{secret}",
        "http://{secret}@127.0.0.1:1/f?private_token={secret}",
        "http://user:{secret}@h:bad/",
        "http://user:a/{secret}@127.0.0.1:{port}/",
        "user:{secret}@127.0.0.1/f",
        "tftp://user:{secret}@127.0.0.1/f",
        "data:,{secret}",
    ],
)
def test_kernel_argument_url_is_redacted(
    machine: Machine, server: HttpServer, address: str, capfd: pytest.CaptureFixture[str]
) -> None:
    url = address.format(secret=marked("url"), port=server.port)
    (machine.directory / "cmdline").write_text(f"quiet ignition.config.url={url}\n")
    assert machine.boot("--fetch-timeout=1s") == 1
    assert_no_secret_printed(machine, capfd)


def test_unreadable_config_prints_no_secret(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    machine.give(f'{{"ignition": {{"version": "3.4.0"}}, "passwd": {MARK}')
    assert machine.boot() == 1
    assert_no_secret_printed(machine, capfd)


COMMANDS: dict[str, Callable[[str, str], list[str]]] = {
    "apply": lambda config, root: ["apply", f"--root={root}", "--ignore-unsupported", "--users", config],
    "plan": lambda config, root: ["plan", "--root", root, "--config", config],
    "plan --output=json": lambda config, root: ["plan", "--root", root, "--config", config, "--output=json"],
    "validate": lambda config, root: ["validate", config],
    "validate --output=sarif": lambda config, root: ["validate", "--output=sarif", config],
    "validate --output=github": lambda config, root: ["validate", "--output=github", config],
    "stage": lambda config, root: ["--stage=nope", "--platform=file", f"--state-file={root}/state"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "fault",
    [
        None,
        local_hash_mismatch,
        http_403_file,
        http_403_reference,
        malformed_url,
        existing_file,
        wrong_types,
        malformed_source,
        malformed_units,
        password_hash_with_nul,
    ],
)
def test_other_commands_print_no_secret(
    machine: Machine,
    server: HttpServer,
    programs: Programs,
    command: str,
    fault: Fault | None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(programs.directory))
    add_working_programs(programs, machine)
    config = full(server)
    if fault:
        fault(config, server, programs)
    machine.give(config)
    words = COMMANDS[command](str(machine.directory / "config.ign"), str(machine.root))
    monkeypatch.setattr(sys, "argv", ["ignition", *words])
    cli.main()
    machine.close()
    out, err = capfd.readouterr()
    for name, text in (("stdout", out.encode()), ("stderr", err.encode()), *machine.outputs()):
        assert lines_with_mark(text) == [], name


def test_machine_credentials_are_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """Credentials of a platform sign requests, which fail here."""
    log.setup(to_stdout=True)
    keys = AwsKeys(marked("access"), marked("secret"), marked("session"))
    identity = Credentials(
        aws_keys=lambda: keys, google=lambda: f"Bearer {marked('google')}", azure=lambda: marked("azure")
    )
    proxy = f"https://user:{marked('proxy')}@127.0.0.1:9"
    fetcher = Fetcher(Settings(total=1, https_proxy=proxy), credentials=identity)
    shown = f"{keys!r} {identity!r} {fetcher!r}"
    for url in ("s3://bucket/key", "gs://bucket/key", "https://a.blob.core.windows.net/b/c"):
        with pytest.raises(FetchError) as caught:
            fetcher.bytes(Source(url))
        shown += f"\n{caught.value} {caught.value.hint} {failure_card('fetch', caught.value)}"
    out, err = capfd.readouterr()
    assert lines_with_mark(f"{shown}\n{out}\n{err}".encode()) == []


def test_luks_keys_are_secret_types() -> None:
    key = marked("key").encode()
    commands: list[Command] = [
        cryptsetup.format_luks2("/dev/a", key),
        cryptsetup.open_volume("/dev/a", "vault", key),
        cryptsetup.try_key("/dev/a", "vault", key),
    ]
    for command in commands:
        assert lines_with_mark(f"{command} {command!r} {command.why}".encode()) == []
        assert command.stdin == key
