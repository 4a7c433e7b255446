# SPDX-License-Identifier: Apache-2.0
"""The step that writes the result file, `/etc/.ignition-result.json`.

The file tells programs of the running system when the machine was provisioned, and whether a user config
was given. Its form is the reference's (docs/reference/stages.md, "Result file").
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Final

from ignition import distro, log
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host, View
from ignition.host.command import Command
from ignition.host.system_path import under
from ignition.schemas.config import Config
from ignition.stages import Plan

__all__ = ["Result", "ResultFacts", "WriteResult", "go_json", "rfc3339"]

ESCAPED: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
"""Characters that Go's JSON encoder escapes for use in HTML."""

ANY_STATUS: Final = tuple(range(256))


@dataclass(frozen=True)
class ResultFacts:
    """The contents of the result file.

    Attributes:
        boot_id: the id of this boot.
        date: the time, RFC 3339, in the local time zone.
        user_config: whether a user config was given.
        previous: the text of an existing result file, or None.
    """

    boot_id: str
    date: str
    user_config: bool
    previous: str | None = None


@dataclass(frozen=True)
class WriteResult:
    """Write the result file; an existing one becomes its `previousReport`."""

    facts: ResultFacts
    path: ConfigPath = ()

    def describe(self) -> str:
        return f'writing the result to "{distro.RESULT_FILE}"'

    def perform(self, host: Host) -> None:
        """Write it; on a live image an existing result is dropped."""
        result: dict[str, Any] = {
            "provisioningBootID": self.facts.boot_id,
            "provisioningDate": self.facts.date,
            "userConfigProvided": self.facts.user_config,
        }
        if self.facts.previous is not None and not _is_live_image(host):
            log.warning("this system was provisioned before; the earlier result is kept as previousReport")
            result["previousReport"] = _parsed(self.facts.previous)
        host.root.write(distro.RESULT_FILE, go_json(result).encode("utf-8", "surrogateescape"), mode=0o600)


class Result:
    """The step that writes the result file on every machine."""

    name = "result"

    def wanted(self, config: Config) -> bool:
        """Always, unless the distribution disabled the file."""
        del config
        return bool(distro.RESULT_FILE)

    def observe(self, config: Config, host: View, state: State) -> ResultFacts:
        del config
        with open(under(host.system, distro.boot_id_path()), encoding="ascii") as file:
            boot_id = file.read().strip()
        previous = host.root.exists(distro.RESULT_FILE)
        return ResultFacts(
            boot_id=boot_id,
            date=rfc3339(time.time()),
            user_config=any(fetched.kind == "user" for fetched in state.fetched),
            previous=host.root.read_text(distro.RESULT_FILE) if previous else None,
        )

    def plan(self, config: Config, facts: ResultFacts) -> Plan:
        del config
        return Plan((WriteResult(facts),))


def _is_live_image(host: Host) -> bool:
    """Ask the distribution's program `is-live-image`; exit status 0 means yes."""
    try:
        return host.run(Command(("is-live-image",), "checking for a live image", ok=ANY_STATUS)).status == 0
    except IgnitionError as error:
        log.notice(f"cannot check for a live image, assuming it is none: {error}")
        return False


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise IgnitionError(
            f"cannot read {distro.RESULT_FILE} of an earlier run: not JSON",
            hint=f"remove {distro.RESULT_FILE} to provision this system again",
        ) from error


def go_json(value: Any) -> str:
    """Return JSON as Go's encoder indents and escapes it, with a final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False).translate(ESCAPED) + "\n"


def rfc3339(seconds: float) -> str:
    """Format seconds since the epoch in the local zone: `2026-08-02T12:30:00+02:00`, `Z` for UTC."""
    local = time.localtime(seconds)
    zone = time.strftime("%z", local)
    suffix = "Z" if local.tm_gmtoff == 0 else f"{zone[:3]}:{zone[3:5]}"
    return time.strftime("%Y-%m-%dT%H:%M:%S", local) + suffix
