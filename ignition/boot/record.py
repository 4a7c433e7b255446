# SPDX-License-Identifier: Apache-2.0
"""The provisioning record: one JSON object a line for everything that was done to the machine.

The record is a file beside the state file, readable by root only; the files stage copies it into
the target root (`stages/files/keep_record.py`). Each line is written when its action ends, and whole
or not at all, also after a kill. docs/reference/record.md lists the fields, and what is never in them.

    {"time": …, "started": "files", "boot": …, "version": …}
    {"time": …, "stage": "files", "step": "nodes", "action": "writing file …", "changes": […], …}
    {"time": …, "stage": "files", "ended": "passed", "seconds": …}

Actions know nothing of the record. `act` opens an entry for each action (`entry`); inside it `Root`
reports its changes (`add_change`) and `watched` the programs that ran.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, Protocol

from ignition import distro, log, runcontext
from ignition.configpath import ConfigPath, format_path
from ignition.errors import IgnitionError, causes, text_of
from ignition.host import Run
from ignition.host.command import Command, CommandFailed, Ran
from ignition.host.files.path_change import PathChange, PathState
from ignition.text import strerror
from ignition.version import VERSION

__all__ = ["Record", "add_change", "current", "entry", "path_beside", "step", "watched", "writing"]

MODE: Final = 0o600
PIECE: Final = 1 << 16
DONE: Final = '"outcome":"done"'

_quoted: Final = json.encoder.encode_basestring_ascii
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


class Action(Protocol):
    """The parts of an action that the record needs.

    An action may also have `sources`, its URLs without secrets, and `secret`: true where the action
    writes a key. Digests of keys are left out, because a short key can be guessed from its digest.
    """

    @property
    def path(self) -> ConfigPath:
        """The place in the config that asks for the action."""

    def describe(self) -> str:
        """Return one line without secrets."""


class ActionEntry:
    """The record entry of an action that runs: its changes by path, and the programs that it ran."""

    def __init__(self) -> None:
        self.changes: dict[str, PathChange] = {}
        self.commands: list[dict[str, Any]] = []

    def add_change(self, change: PathChange) -> None:
        """Note a change; several changes of one path become one."""
        earlier = self.changes.get(change.path)
        self.changes[change.path] = change if earlier is None else _joined(earlier, change)

    def add_command(self, argv: tuple[str, ...], status: int) -> None:
        """Note a program that ran; secrets in `argv` are hidden already."""
        self.commands.append({"argv": list(argv), "status": status})


class Record:
    """The record of one boot while a stage writes it.

    A record that cannot be written does not stop the boot: the failure is logged once.

    Attributes:
        path: the file in the running system.
        stage: the stage that runs.
        boot: the boot id; empty where the kernel gives none.
        place: the path of the copy in the target root; empty until the copy exists.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.stage = ""
        self.boot = _boot_id()
        self.place = ""
        self._files: dict[str, int] = {}
        self._began = 0.0

    def begin(self, stage: str) -> None:
        """Record that a stage begins; lines of earlier stages stay."""
        self.stage, self._began = stage, time.monotonic()
        try:
            os.makedirs(os.path.dirname(self.path) or ".", mode=0o755, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            self._files[self.path] = os.open(self.path, flags, MODE)
            _cut(self._files[self.path])
        except OSError as error:
            log.notice(f"cannot write the record {self.path}: {strerror(error)}")
        self.write({"started": stage, "boot": self.boot, "version": VERSION})

    def end(self, error: Exception | None = None, path: ConfigPath | None = None) -> None:
        """Record how the stage ended; `path` is the place in the config that a failure belongs to."""
        line: dict[str, Any] = {"stage": self.stage, "ended": "failed" if error else "passed"}
        if error:
            line |= _failure(error)
            line |= {"config": format_path(path)} if path is not None else {}
        self.write(line | {"seconds": _since(self._began)})

    def write(self, fields: dict[str, Any]) -> None:
        """Add one line, starting with the time."""
        self.add(_encode(fields)[1:-1])

    def add(self, members: str) -> None:
        """Add one line whose members are JSON text already."""
        text = f'{{"time":"{_now()}",{members}}}\n'.encode("ascii")
        for path, descriptor in tuple(self._files.items()):
            try:
                _append(descriptor, text)
            except OSError as error:
                os.close(self._files.pop(path))
                log.notice(f"the record {path} is incomplete: cannot write it: {strerror(error)}")

    @property
    def name(self) -> str:
        """The name of the record file, unique for each boot, without suffix."""
        return self.boot or time.strftime("unknown-boot-%Y%m%dT%H%M%SZ", time.gmtime())

    @property
    def is_kept(self) -> bool:
        """Whether the target root has a copy."""
        return bool(self.place)

    def keep(self, place: str, descriptor: int) -> None:
        """Write further lines to this copy in the target root too; it has all earlier lines.

        `descriptor` is open for appending; `close` closes it.
        """
        self.place = place
        self._files[f"{place} of the target root"] = descriptor

    def close(self) -> None:
        """Flush the files to their disks and close them."""
        while self._files:
            path, descriptor = self._files.popitem()
            try:
                os.fsync(descriptor)
            except OSError as error:
                log.notice(f"the record {path} may be incomplete: cannot flush it: {strerror(error)}")
            finally:
                os.close(descriptor)


def path_beside(state_file: str) -> str:
    """Return the path of the record, beside the state file."""
    return os.path.join(os.path.dirname(state_file), "record.jsonl")


def current() -> Record | None:
    """Return the record that is being written, or None."""
    recorder = runcontext.current().recorder
    return recorder if isinstance(recorder, Record) else None


@contextmanager
def writing(record: Record) -> Iterator[None]:
    """Write the actions inside the block to `record`."""
    with runcontext.entered(runcontext.current()._replace(recorder=record)):
        yield


@contextmanager
def step(name: str) -> Iterator[None]:
    """Attribute the actions inside the block to this step."""
    with runcontext.entered(runcontext.current()._replace(step=name)):
        yield


@contextmanager
def entry(action: Action) -> Iterator[None]:
    """Write an entry for the action that runs inside the block, however it ends."""
    context = runcontext.current()
    record = context.recorder
    if not isinstance(record, Record):
        yield
        return
    opened, began = ActionEntry(), time.monotonic()
    outcome = DONE
    try:
        with runcontext.entered(context._replace(entry=opened)):
            yield
    except BaseException as error:
        outcome = _encode({"outcome": "failed", **_failure(error)})[1:-1]
        raise
    finally:
        record.add(_members(record.stage, context.step, action, began, outcome, opened))


def add_change(change: PathChange) -> None:
    """Note a change of the target root in the entry of the action that made it."""
    opened = runcontext.current().entry
    if opened is not None:
        opened.add_change(change)


def watched(run: Run) -> Run:
    """Return a `run` that also notes each program in the entry of its action."""

    def watching(command: Command, /) -> Ran:
        try:
            ran = run(command)
        except CommandFailed as error:
            _add_command(command, error.ran.status)
            raise
        _add_command(command, ran.status)
        return ran

    return watching


def _add_command(command: Command, status: int) -> None:
    opened = runcontext.current().entry
    if opened is not None:
        opened.add_command(tuple(map(str, command.argv)), status)


def _joined(first: PathChange, second: PathChange) -> PathChange:
    """Join two changes of one path; a change of owner or mode keeps the digest of the contents."""
    before, between, after = first.before, first.after, second.after
    if between and after and between.kind == after.kind == "file" and not (after.digest or after.unread):
        after = after._replace(digest=between.digest, unread=between.unread)
    return second._replace(before=before, after=after)


def _members(stage: str, step: str, action: Action, began: float, outcome: str, opened: ActionEntry) -> str:
    """Return the members of an action's line.

    The text is assembled by hand: the JSON encoder takes three times as long, for each of thousands of files.
    """
    members = (
        f'"stage":{_quoted(stage)},"step":{_quoted(step)},"action":{_quoted(action.describe())},'
        f'"config":{_quoted(format_path(action.path))},"seconds":{_since(began):.6f},{outcome}'
    )
    if sources := getattr(action, "sources", ()):
        members += f',"sources":[{",".join(map(_quoted, sources))}]'
    changed = [each for each in opened.changes.values() if each.before != each.after]
    if getattr(action, "secret", False):
        changed = [_without_digests(each) for each in changed]
    if changes := ",".join(_change(*each) for each in changed):
        members += f',"changes":[{changes}]'
    if opened.commands:
        members += f',"commands":{_encode(opened.commands)}'
    return members


def _without_digests(change: PathChange) -> PathChange:
    before, after = (there and there._replace(digest="") for there in (change.before, change.after))
    return change._replace(before=before, after=after)


def _change(path: str, before: PathState | None, after: PathState | None) -> str:
    return f'{{"path":{_quoted(path)},"before":{_standing(before)},"after":{_standing(after)}}}'


def _standing(there: PathState | None) -> str:
    """Return the state of a path as JSON; members that do not apply to its kind are left out."""
    if there is None:
        return "null"
    kind, uid, gid, mode, size, *texts = there
    shown = f'{{"kind":"{kind}","uid":{uid},"gid":{gid},"mode":"{mode:04o}"'
    if kind == "file":
        shown += f',"size":{size}'
    for name, text in zip(("digest", "unread", "target"), texts, strict=True):
        if text:
            shown += f',"{name}":{_quoted(text)}'
    return shown + "}"


def _failure(error: BaseException) -> dict[str, Any]:
    """Return the innermost error's type and the message, unless that may hold secrets."""
    *_, root = causes(error)
    fields = {"error": type(root).__name__}
    return fields | ({"message": text_of(error)} if isinstance(error, IgnitionError | OSError) else {})


def _append(descriptor: int, line: bytes) -> None:
    """Write a whole line or nothing: a full disk may take a part of a line, which is removed again."""
    written = os.write(descriptor, line)
    if written < len(line):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _cut(descriptor: int) -> None:
    """Remove an incomplete last line, left by a crash of the system."""
    end = size = os.fstat(descriptor).st_size
    found = -1
    while end and found < 0:
        start = max(0, end - PIECE)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        end = start + found + 1 if found >= 0 else start
    if end < size:
        os.ftruncate(descriptor, end)


def _boot_id() -> str:
    try:
        with open(distro.boot_id_path(), encoding="ascii") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _since(began: float) -> float:
    return round(time.monotonic() - began, 6)


def _now() -> str:
    """Return the time in UTC: `2026-08-02T12:30:00.123456Z`."""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_second(seconds)}.{microseconds:06}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    """Format a second; thousands of lines may share one."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
