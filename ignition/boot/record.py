"""The record of what was done to the machine, one JSON object a line, each written as soon as it is done.

It is kept beside the state file, for root alone, and the files stage puts it into the machine
(`stages/files/keep_record.py`). A line is whole or absent, also after a kill. What may stand in it and what
never does is in docs/record.md.

    {"time": …, "started": "files", "boot": …, "version": …}
    {"time": …, "stage": "files", "step": "nodes", "action": "writing file …", "changes": […], …}
    {"time": …, "stage": "files", "ended": "passed", "seconds": …}

Actions tell nothing of this themselves. `act` opens a line for each; inside of it `Root` tells what it
changes (`changed`), and `watched` sees the programs that are run.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from ignition import distro, log
from ignition.configpath import ConfigPath, format_path
from ignition.errors import CommandFailed, IgnitionError, causes
from ignition.version import VERSION

if TYPE_CHECKING:
    from ignition.host import Run
    from ignition.host.command import Command, Ran
    from ignition.host.files.path_change import Change, Standing

__all__ = ["Record", "changed", "current", "doing", "path_beside", "step", "watched", "writing"]

MODE: Final = 0o600
PIECE: Final = 1 << 16
DONE: Final = '"outcome":"done"'

_quoted: Final = json.encoder.encode_basestring_ascii
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_record: ContextVar[Record | None] = ContextVar("record", default=None)
_line: ContextVar[Line | None] = ContextVar("line", default=None)
_step: ContextVar[str] = ContextVar("step", default="")


class Action(Protocol):
    """What the record has to know of an action.

    It may have `sources`, addresses without what is secret in them, and `secret`: what it writes is a key,
    of which not even the digest is told, for with that a short one could be guessed.
    """

    @property
    def path(self) -> ConfigPath:
        """The part of the config that asks for it."""

    def describe(self) -> str:
        """What it does, without secrets."""


class Line:
    """What is known of an action that goes on: its changes by path, and the programs that it ran."""

    def __init__(self) -> None:
        self.changes: dict[str, Change] = {}
        self.commands: list[dict[str, Any]] = []


class Record:
    """The record of one boot, while a stage writes it.

    A record that cannot be written stops no boot: that is said once, and it goes on without.

    Attributes:
        path: the file, in the running system.
        stage: the stage that goes on.
        boot: this boot's id; empty where there is none.
        place: where in the target it is kept too, once it is.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.stage = ""
        self.boot = _boot_id()
        self.place = ""
        self._files: dict[str, int] = {}
        self._began = 0.0

    def begin(self, stage: str) -> None:
        """Say that a stage begins; what earlier ones wrote stays."""
        self.stage, self._began = stage, time.monotonic()
        try:
            os.makedirs(os.path.dirname(self.path) or ".", mode=0o755, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            self._files[self.path] = os.open(self.path, flags, MODE)
            _cut(self._files[self.path])
        except OSError as error:
            log.notice(f"there will be no record in {self.path}: {error.strerror}")
        self.write({"started": stage, "boot": self.boot, "version": VERSION})

    def end(self, error: Exception | None = None, path: ConfigPath | None = None) -> None:
        """Say how the stage ended; `path` is the place in the config that a failure belongs to."""
        said: dict[str, Any] = {"stage": self.stage, "ended": "failed" if error else "passed"}
        if error:
            said |= _failure(error)
            said |= {"config": format_path(path)} if path is not None else {}
        self.write(said | {"seconds": _since(self._began)})

    def write(self, fields: dict[str, Any]) -> None:
        """Add one line; the time comes first."""
        self.add(_encode(fields)[1:-1])

    def add(self, members: str) -> None:
        """As `write`, for the members of an object that is JSON already."""
        text = f'{{"time":"{_now()}",{members}}}\n'.encode("ascii")
        for path, descriptor in tuple(self._files.items()):
            try:
                _append(descriptor, text)
            except OSError as error:
                os.close(self._files.pop(path))
                log.notice(f"the record in {path} is not complete, it cannot be written: {error.strerror}")

    @property
    def name(self) -> str:
        """What no other boot's record is called."""
        return self.boot or time.strftime("unknown-boot-%Y%m%dT%H%M%SZ", time.gmtime())

    @property
    def is_kept(self) -> bool:
        """Whether the target has it too."""
        return bool(self.place)

    def keep(self, place: str, descriptor: int) -> None:
        """Write what follows to this file of the target too; it holds what was written before.

        `descriptor` is open for appending; the record closes it.
        """
        self.place = place
        self._files[f"{place} of the target"] = descriptor

    def close(self) -> None:
        """Nothing more is written; all that was is on its disk."""
        while self._files:
            path, descriptor = self._files.popitem()
            try:
                os.fsync(descriptor)
            except OSError as error:
                log.notice(f"the record in {path} may not be complete: {error.strerror}")
            finally:
                os.close(descriptor)


def path_beside(state_file: str) -> str:
    """The file, beside the state file."""
    return os.path.join(os.path.dirname(state_file), "record.jsonl")


def current() -> Record | None:
    """The record that is written, if one is."""
    return _record.get()


@contextmanager
def writing(record: Record) -> Iterator[None]:
    """Write down in `record` what is done inside."""
    token = _record.set(record)
    try:
        yield
    finally:
        _record.reset(token)


@contextmanager
def step(name: str) -> Iterator[None]:
    """What is done inside belongs to this step."""
    token = _step.set(name)
    try:
        yield
    finally:
        _step.reset(token)


@contextmanager
def doing(action: Action) -> Iterator[None]:
    """Write a line on what is done inside, however it ends."""
    record = _record.get()
    if record is None:
        yield
        return
    line, began = Line(), time.monotonic()
    token = _line.set(line)
    outcome = DONE
    try:
        yield
    except BaseException as error:
        outcome = _encode({"outcome": "failed", **_failure(error)})[1:-1]
        raise
    finally:
        _line.reset(token)
        record.add(_members(record.stage, action, began, outcome, line))


def changed(change: Change) -> None:
    """The witness of the target root: note a change in the line of the action that made it."""
    line = _line.get()
    if line is None:
        return
    earlier = line.changes.get(change.path)
    line.changes[change.path] = change if earlier is None else _joined(earlier, change)


def watched(run: Run) -> Run:
    """The gate to programs, with each one that has run noted in the line of its action."""

    def watching(command: Command, /) -> Ran:
        try:
            ran = run(command)
        except CommandFailed as error:
            _ran(command, error.ran.status)
            raise
        _ran(command, ran.status)
        return ran

    return watching


def _ran(command: Command, status: int) -> None:
    line = _line.get()
    if line is not None:
        line.commands.append({"argv": [str(word) for word in command.argv], "status": status})


def _joined(first: Change, second: Change) -> Change:
    """Two changes of one path as one; a change of owner or mode leaves the contents as they were."""
    before, between, after = first.before, first.after, second.after
    if between and after and between.kind == after.kind == "file" and not (after.digest or after.unread):
        after = after._replace(digest=between.digest, unread=between.unread)
    return second._replace(before=before, after=after)


def _members(stage: str, action: Action, began: float, outcome: str, line: Line) -> str:
    """What the line of an action says.

    It is put together by hand: the encoder takes three times as long, once for each of thousands of files.
    """
    members = (
        f'"stage":{_quoted(stage)},"step":{_quoted(_step.get())},"action":{_quoted(action.describe())},'
        f'"config":{_quoted(format_path(action.path))},"seconds":{_since(began):.6f},{outcome}'
    )
    if sources := getattr(action, "sources", ()):
        members += f',"sources":[{",".join(map(_quoted, sources))}]'
    told = [each for each in line.changes.values() if each.before != each.after]
    if getattr(action, "secret", False):
        told = [_without_digests(each) for each in told]
    if changes := ",".join(_change(*each) for each in told):
        members += f',"changes":[{changes}]'
    if line.commands:
        members += f',"commands":{_encode(line.commands)}'
    return members


def _without_digests(change: Change) -> Change:
    before, after = (there and there._replace(digest="") for there in (change.before, change.after))
    return change._replace(before=before, after=after)


def _change(path: str, before: Standing | None, after: Standing | None) -> str:
    return f'{{"path":{_quoted(path)},"before":{_standing(before)},"after":{_standing(after)}}}'


def _standing(there: Standing | None) -> str:
    """How something stood; what says nothing for its kind is left out."""
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
    """What went wrong at the root of it, and what it says, unless that may be contents of the config."""
    *_, root = causes(error)
    said = {"error": type(root).__name__}
    return said | ({"message": str(error)} if isinstance(error, IgnitionError | OSError) else {})


def _append(descriptor: int, line: bytes) -> None:
    """Write a whole line or nothing of it: a disk that becomes full takes what it still has room for."""
    written = os.write(descriptor, line)
    if written < len(line):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _cut(descriptor: int) -> None:
    """Take away what a crash of the system may have left of a last line."""
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
    """This moment, in UTC: `2026-08-02T12:30:00.123456Z`."""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_second(seconds)}.{microseconds:06}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    """Thousands of lines may begin with the same one."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
