# SPDX-License-Identifier: Apache-2.0
"""The result file, byte by byte as the reference writes it, and the platform's files."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ignition import distro
from ignition.boot.state import FetchedConfig, State
from ignition.errors import ActionFailed, IgnitionError
from ignition.host.command import Command, Ran
from ignition.stages.files.result import Result, ResultFacts, go_json, rfc3339
from tests.host.fakes import FakeHost
from tests.lab.performing import applied
from tests.stages.files.lab import config_of, local, run_steps

RESULT = "/etc/.ignition-result.json"
FACTS = ResultFacts("boot", "2026-08-02T12:00:00Z", user_config=True)
USER = State(fetched=(FetchedConfig("base", "system", False), FetchedConfig("user", "qemu", False)))


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path)
    boot_id = Path(host.system + distro.boot_id_path())
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text("b00t-1d\n")
    return host


def write(host: FakeHost, facts: ResultFacts) -> None:
    applied(Result().plan(config_of(), facts), host)


def test_result_file_has_the_form_of_the_reference(host: FakeHost) -> None:
    write(host, FACTS)
    assert local(host, RESULT).read_text() == (
        '{\n  "provisioningBootID": "boot",\n  "provisioningDate": "2026-08-02T12:00:00Z",\n'
        '  "userConfigProvided": true\n}\n'
    )
    status = host.root.lstat(RESULT)
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o600, 0, 0)
    assert host.run.argvs == []


def test_result_facts_are_observed(host: FakeHost) -> None:
    facts = Result().observe(config_of(), host, USER)
    assert (facts.boot_id, facts.user_config, facts.previous) == ("b00t-1d", True, None)
    assert abs(time.mktime(time.strptime(facts.date[:19], "%Y-%m-%dT%H:%M:%S")) - time.time()) < 3600 * 2
    assert not Result().observe(config_of(), host, State(fetched=USER.fetched[:1])).user_config


def test_earlier_result_becomes_previous_report(host: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    host.run.answer("is-live-image", status=1)
    write(host, FACTS)
    run_steps((Result(),), config_of(), host, USER)
    result = json.loads(local(host, RESULT).read_text())
    assert list(result)[-1] == "previousReport"
    assert result["previousReport"]["provisioningBootID"] == "boot"
    assert [record.levelname for record in caplog.records if "provisioned before" in record.message] == [
        "WARNING"
    ]


def test_earlier_result_on_live_image_is_dropped(host: FakeHost, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "ignition")
    host.run.answer("is-live-image", status=0)
    host.root.write(RESULT, b"not even JSON")
    run_steps((Result(),), config_of(), host)
    assert "previousReport" not in local(host, RESULT).read_text()
    assert all(record.levelname in {"INFO", "DEBUG"} for record in caplog.records)


def test_missing_is_live_image_program_means_no_live_image(
    host: FakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(command: Command) -> Ran:
        raise IgnitionError(f'program "{command.program}" not found')

    caplog.set_level(logging.DEBUG, "ignition")
    host.run.answer("is-live-image", missing)
    host.root.write(RESULT, b"{}")
    run_steps((Result(),), config_of(), host)
    assert '"previousReport": {}' in local(host, RESULT).read_text()
    assert any("cannot check for a live image" in record.message for record in caplog.records)


def test_malformed_earlier_result_is_an_error(host: FakeHost) -> None:
    host.run.answer("is-live-image", status=1)
    host.root.write(RESULT, b"{broken")
    with pytest.raises(ActionFailed, match=r"cannot read /etc/\.ignition-result\.json of an earlier run"):
        run_steps((Result(),), config_of(), host)


def test_json_escapes_match_go() -> None:
    assert go_json({"a": '<b> & \u2028 ä "\\', "c": {}}) == (
        '{\n  "a": "\\u003cb\\u003e \\u0026 \\u2028 ä \\"\\\\",\n  "c": {}\n}\n'
    )


class TestRfc3339:
    """Times in the local zone, formatted like Go's RFC 3339."""

    @pytest.fixture(autouse=True)
    def zone(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        yield
        monkeypatch.undo()
        time.tzset()

    @pytest.mark.parametrize(
        ("zone", "expected"),
        [
            ("UTC", "2026-08-02T10:40:00Z"),
            ("XXX-5:30", "2026-08-02T16:10:00+05:30"),
            ("XXX+3:30", "2026-08-02T07:10:00-03:30"),
        ],
    )
    def test_rfc3339_has_zone_offset(self, zone: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert rfc3339(1785667200) == expected
