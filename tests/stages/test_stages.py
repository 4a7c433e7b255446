# SPDX-License-Identifier: Apache-2.0
"""Plans: refused as a whole or carried out in order; failures name their place in the config."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ignition import log, runcontext
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import ActionFailed, IgnitionError, Refusal, Refused
from ignition.host import Host
from ignition.host.command import Command
from ignition.stages import Plan, persist, persisting
from ignition.stages.actions import Parallel, RunCommand
from tests.host.fakes import FakeHost
from tests.lab.performing import applied


@dataclass(frozen=True)
class Note:
    """Appends its name to `done`, or fails."""

    name: str
    done: list[str] = field(compare=False)
    failure: Exception | None = None
    path: ConfigPath = ("storage", "files", 0)

    def describe(self) -> str:
        return f"noting {self.name}"

    def perform(self, host: Host) -> None:
        if self.failure:
            raise self.failure
        self.done.append(self.name)
        persist(State(directories=(self.name,)))


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def test_plan_performs_actions_in_order_and_persists_their_state(host: FakeHost) -> None:
    done: list[str] = []
    left = applied(Plan((Note("a", done), Note("b", done))), host)
    assert done == ["a", "b"]
    assert left == State(directories=("a", "b"))


def test_plan_with_refusals_performs_nothing_and_lists_all(host: FakeHost) -> None:
    done: list[str] = []
    refusals = (Refusal(("storage", "disks", 0), "one"), Refusal(("storage", "disks", 1), "two", "try this"))
    with pytest.raises(Refused, match=r"\$\.storage\.disks\.0: one\n\$\.storage\.disks\.1: two") as caught:
        applied(Plan((Note("a", done),), refusals), host)
    assert done == []
    assert caught.value.hint == "try this"


@pytest.mark.parametrize(
    "failure", [IgnitionError("no", hint="do that"), OSError(28, "No space left on device")]
)
def test_plan_with_failing_action_stops_and_names_the_place(host: FakeHost, failure: Exception) -> None:
    done: list[str] = []
    with pytest.raises(ActionFailed, match=r"^noting b: no( space left on device)?$") as caught:
        applied(Plan((Note("a", done), Note("b", done, failure), Note("c", done))), host)
    assert done == ["a"]
    assert caught.value.path == ("storage", "files", 0)
    assert caught.value.__cause__ is failure
    assert caught.value.hint == getattr(failure, "hint", "")


def test_action_with_unexpected_exception_raises_it_unchanged(host: FakeHost) -> None:
    with pytest.raises(ZeroDivisionError):
        applied(Plan((Note("a", [], ZeroDivisionError()),)), host)


@dataclass(frozen=True)
class Meet:
    """Waits for the other actions, then runs `then`."""

    name: str
    others: threading.Barrier = field(compare=False)
    then: Callable[[], object]
    path: ConfigPath = ()

    def describe(self) -> str:
        return f"meeting {self.name}"

    def perform(self, host: Host) -> None:
        self.others.wait()
        self.then()
        persist(State(directories=(self.name,)))


def failing(why: str) -> Callable[[], object]:
    def fail() -> None:
        raise IgnitionError(why)

    return fail


def test_parallel_with_failures_finishes_begun_actions_and_raises_the_first(
    host: FakeHost,
) -> None:
    kept: list[State] = []
    meeting = threading.Barrier(4)
    actions = (
        Meet("a", meeting, lambda: time.sleep(0.05)),
        Meet("b", meeting, failing("first"), ("b",)),
        Meet("c", meeting, failing("second"), ("c",)),
        Meet("d", meeting, lambda: time.sleep(0.05)),
    )
    with pytest.raises(ActionFailed, match="first") as caught, persisting(kept.append):
        applied(Plan((Parallel((), "meeting", actions),)), host)
    assert sorted(each.directories for each in kept) == [("a",), ("d",)]
    assert caught.value.path == ("b",)


def test_parallel_after_a_failure_begins_no_further_action(
    host: FakeHost, capsys: pytest.CaptureFixture[str]
) -> None:
    log.setup(to_stdout=True)
    done: list[str] = []
    failure = Note("b", done, IgnitionError("no"))
    actions = (Note("a", done), failure, *(Note(f"n{index}", done) for index in range(1000)))
    with pytest.raises(ActionFailed, match="no"):
        applied(Plan((Parallel((), "noting all", actions, limit=1),)), host)
    assert done == ["a"]
    said = capsys.readouterr().out
    assert said.count("[failed]") == 1
    assert "n0" not in said


def test_parallel_after_a_failure_cancels_waiting_actions(
    host: FakeHost, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that never answers must not hide the failure of another one."""
    log.setup(to_stdout=True)
    meeting = threading.Barrier(2)
    actions = (Meet("a", meeting, lambda: runcontext.sleep(3600)), Meet("b", meeting, failing("no"), ("b",)))
    with pytest.raises(ActionFailed, match="no") as caught:
        applied(Plan((Parallel((), "meeting", actions),)), host)
    assert caught.value.path == ("b",)
    assert "meeting a" not in capsys.readouterr().out


def test_parallel_logs_in_the_given_order(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    done: list[str] = []
    names = [f"n{index}" for index in range(20)]
    left = applied(Plan((Parallel((), "noting all", tuple(Note(name, done) for name in names)),)), host)
    assert sorted(left.directories) == sorted(names)
    finished = re.findall(r"\[finished\] noting (n\d+)", capsys.readouterr().out)
    assert finished == names


def test_state_persisted_before_a_failure_is_kept(host: FakeHost) -> None:
    kept: list[State] = []
    in_parallel = Parallel((), "noting both", (Note("b", []), Note("c", [], IgnitionError("no"))))
    with pytest.raises(ActionFailed), persisting(kept.append):
        applied(Plan((Note("a", []), in_parallel, Note("d", []))), host)
    assert sum(kept, State()) == State(directories=("a", "b"))


def test_action_persists_state_before_it_acts(host: FakeHost) -> None:
    @dataclass(frozen=True)
    class Lock:
        path: ConfigPath = ()

        def describe(self) -> str:
            return "locking"

        def perform(self, host: Host) -> None:
            persist(State(luks_keys={"root": "data:,k"}))
            raise IgnitionError("interrupted")

    kept: list[State] = []
    with pytest.raises(ActionFailed), persisting(kept.append):
        applied(Plan((Lock(),)), host)
    assert kept == [State(luks_keys={"root": "data:,k"})]


def test_persist_outside_of_persisting_is_ignored() -> None:
    kept: list[State] = []
    with persisting(kept.append):
        persist(State(directories=("a",)))
    persist(State(directories=("b",)))
    assert kept == [State(directories=("a",))]


def test_run_command_runs_its_program(host: FakeHost) -> None:
    action = RunCommand(("x",), Command(("true", "-x"), "doing it"))
    assert action.describe() == "doing it"
    applied(Plan((action,)), host)
    assert host.run.argvs == [("true", "-x")]
