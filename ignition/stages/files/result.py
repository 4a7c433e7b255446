"""What the machine keeps: files that the platform brought, and the record of this provisioning.

The result file tells programs of the running system whether and when the machine was provisioned, and
with a config of the user or not. Its form is the reference's. Source: engine.md 5.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ignition import distro, log
from ignition.boot.state import OutputFile, State
from ignition.configpath import ConfigPath
from ignition.errors import IgnitionError
from ignition.host import Host
from ignition.host.command import Command
from ignition.host.source import Source
from ignition.resource.redact import redact
from ignition.schemas.config import Config
from ignition.stages import Plan

if TYPE_CHECKING:
    from ignition.preview.effects import Effect

__all__ = ["Facts", "OutputFiles", "Result", "WriteOutput", "WriteResult", "go_json", "rfc3339"]

ESCAPED: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
"""Characters that Go's encoder writes as escapes, so that JSON can stand inside of HTML."""

ANY_STATUS: Final = tuple(range(256))


@dataclass(frozen=True)
class WriteOutput:
    """Write one file that the platform wants in the machine."""

    file: OutputFile
    path: ConfigPath = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """For the record."""
        return (redact(self.file.source).partition("…")[0],)

    def describe(self) -> str:
        """Which one."""
        return f'writing file "{self.file.path}" of the platform'

    def perform(self, host: Host) -> None:
        """Replace what is there."""
        host.root.write(self.file.path, host.fetch.bytes(Source(self.file.source)), mode=self.file.mode)


class OutputFiles:
    """Files that the platform's config source left for this stage."""

    name = "platform"

    def wanted(self, config: Config) -> bool:
        """The config knows nothing of them; the state does."""
        del config
        return True

    def observe(self, config: Config, host: Host, state: State) -> tuple[OutputFile, ...]:
        """What the fetch stage left."""
        del config, host
        return state.output_files

    def plan(self, config: Config, facts: tuple[OutputFile, ...]) -> Plan:
        """Write each."""
        del config
        return Plan(tuple(map(WriteOutput, facts)))


@dataclass(frozen=True)
class Facts:
    """What the result file says.

    Attributes:
        boot_id: the id of this boot.
        date: now, as RFC 3339 has it, in the local time zone.
        user_config: whether the user gave a config.
        previous: the text of a result file that is there already.
    """

    boot_id: str
    date: str
    user_config: bool
    previous: str | None = None


@dataclass(frozen=True)
class WriteResult:
    """Write the result file; one that is there already becomes a part of it."""

    facts: Facts
    path: ConfigPath = ()

    def describe(self) -> str:
        """Where to."""
        return f'writing the result to "{distro.RESULT_FILE}"'

    def perform(self, host: Host) -> None:
        """On a live image an old result is nothing unusual and is dropped."""
        result: dict[str, Any] = {
            "provisioningBootID": self.facts.boot_id,
            "provisioningDate": self.facts.date,
            "userConfigProvided": self.facts.user_config,
        }
        if self.facts.previous is not None and not _is_live_image(host):
            log.warning("this system was provisioned before; the earlier result is kept in the new one")
            result["previousReport"] = _parsed(self.facts.previous)
        host.root.write(distro.RESULT_FILE, go_json(result).encode("utf-8", "surrogateescape"), mode=0o600)


class Result:
    """The last word on what was done; written on every machine."""

    name = "result"

    def wanted(self, config: Config) -> bool:
        """Always, unless the distributor has no use for it."""
        del config
        return bool(distro.RESULT_FILE)

    def observe(self, config: Config, host: Host, state: State) -> Facts:
        """This boot, now, and what an earlier one left."""
        del config
        with open(host.system.rstrip("/") + distro.boot_id_path(), encoding="ascii") as file:
            boot_id = file.read().strip()
        previous = host.root.exists(distro.RESULT_FILE)
        return Facts(
            boot_id=boot_id,
            date=rfc3339(time.time()),
            user_config=any(fetched.kind == "user" for fetched in state.fetched),
            previous=host.root.read_text(distro.RESULT_FILE) if previous else None,
        )

    def plan(self, config: Config, facts: Facts) -> Plan:
        """Write it."""
        del config
        return Plan((WriteResult(facts),))

    def effects(self, config: Config, facts: Facts, host: Host) -> Iterator[Effect]:
        """What happens to the record."""
        del config, host
        from ignition.preview.effects import Does, Effect

        does = Does.CREATE if facts.previous is None else Does.CHANGE
        yield Effect((), does, f"the result in {distro.RESULT_FILE}")


def _is_live_image(host: Host) -> bool:
    """The distribution's program `is-live-image` says so by its exit status."""
    try:
        return host.run(Command(("is-live-image",), "asking for a live image", ok=ANY_STATUS)).status == 0
    except IgnitionError as error:
        log.notice(f"whether this is a live image is not known: {error}")
        return False


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise IgnitionError(
            f"{distro.RESULT_FILE} of an earlier run cannot be read",
            hint="remove the file if this system is to be provisioned again",
        ) from error


def go_json(value: Any) -> str:
    """JSON as Go's encoder indents and escapes it, with a newline at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False).translate(ESCAPED) + "\n"


def rfc3339(seconds: float) -> str:
    """A time since the epoch in the local zone: `2026-08-02T12:30:00+02:00`, `Z` for UTC."""
    local = time.localtime(seconds)
    zone = time.strftime("%z", local)
    suffix = "Z" if local.tm_gmtoff == 0 else f"{zone[:3]}:{zone[3:5]}"
    return time.strftime("%Y-%m-%dT%H:%M:%S", local) + suffix
