"""A plan is refused whole or carried out in order; what fails names its place in the config."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ignition import cancel, log
from ignition.boot.state import State
from ignition.configpath import ConfigPath
from ignition.errors import ActionFailed, IgnitionError, Refusal, Refused
from ignition.host import Host
from ignition.host.command import Command
from ignition.stages import Plan, apply, keeping, leave
from ignition.stages.actions import RunCommand, Together
from tests.host.fakes import FakeHost


@dataclass(frozen=True)
class Note:
    """Writes down that it was performed, or fails."""

    name: str
    done: list[str] = field(compare=False)
    failure: Exception | None = None
    path: ConfigPath = ("storage", "files", 0)

    def describe(self) -> str:
        return f"noting {self.name}"

    def perform(self, host: Host) -> State:
        if self.failure:
            raise self.failure
        self.done.append(self.name)
        return State(directories=(self.name,))


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def test_actions_are_performed_in_order_and_leave_what_they_say(host: FakeHost) -> None:
    done: list[str] = []
    left = apply(Plan((Note("a", done), Note("b", done))), host)
    assert done == ["a", "b"]
    assert left == State(directories=("a", "b"))


def test_a_plan_with_refusals_does_nothing_and_tells_all_of_them(host: FakeHost) -> None:
    done: list[str] = []
    refusals = (Refusal(("storage", "disks", 0), "one"), Refusal(("storage", "disks", 1), "two", "try this"))
    with pytest.raises(Refused, match=r"\$\.storage\.disks\.0: one\n\$\.storage\.disks\.1: two") as caught:
        apply(Plan((Note("a", done),), refusals), host)
    assert done == []
    assert caught.value.hint == "try this"


@pytest.mark.parametrize(
    "failure", [IgnitionError("no", hint="do that"), OSError(28, "No space left on device")]
)
def test_the_first_failure_ends_it_and_names_the_place(host: FakeHost, failure: Exception) -> None:
    done: list[str] = []
    with pytest.raises(ActionFailed, match=r"noting b: .*no|No space") as caught:
        apply(Plan((Note("a", done), Note("b", done, failure), Note("c", done))), host)
    assert done == ["a"]
    assert caught.value.path == ("storage", "files", 0)
    assert caught.value.__cause__ is failure
    assert caught.value.hint == getattr(failure, "hint", "")


def test_a_fault_of_the_engine_is_not_dressed_up(host: FakeHost) -> None:
    with pytest.raises(ZeroDivisionError):
        apply(Plan((Note("a", [], ZeroDivisionError()),)), host)


@dataclass(frozen=True)
class Meet:
    """Waits for the others, then does something that takes longer, or fails."""

    name: str
    others: threading.Barrier = field(compare=False)
    then: Callable[[], object]
    path: ConfigPath = ()

    def describe(self) -> str:
        return f"meeting {self.name}"

    def perform(self, host: Host) -> State:
        self.others.wait()
        self.then()
        return State(directories=(self.name,))


def failing(why: str) -> Callable[[], object]:
    def fail() -> None:
        raise IgnitionError(why)

    return fail


def test_together_brings_what_has_begun_to_its_end_and_raises_the_first_failure_in_order(
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
    with pytest.raises(ActionFailed, match="first") as caught, keeping(kept.append):
        apply(Plan((Together((), "meeting", actions),)), host)
    assert sorted(each.directories for each in kept) == [("a",), ("d",)]
    assert caught.value.path == ("b",)


def test_after_a_failure_nothing_more_is_begun(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    log.setup(to_stdout=True)
    done: list[str] = []
    failure = Note("b", done, IgnitionError("no"))
    actions = (Note("a", done), failure, *(Note(f"n{index}", done) for index in range(1000)))
    with pytest.raises(ActionFailed, match="no"):
        apply(Plan((Together((), "noting all", actions, limit=1),)), host)
    assert done == ["a"]
    said = capsys.readouterr().out
    assert said.count("[failed]") == 1
    assert "n0" not in said


def test_after_a_failure_nobody_waits_any_more(host: FakeHost, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that never answers must not hide what went wrong with another one."""
    log.setup(to_stdout=True)
    meeting = threading.Barrier(2)
    actions = (Meet("a", meeting, lambda: cancel.sleep(3600)), Meet("b", meeting, failing("no"), ("b",)))
    with pytest.raises(ActionFailed, match="no") as caught:
        apply(Plan((Together((), "meeting", actions),)), host)
    assert caught.value.path == ("b",)
    assert "meeting a" not in capsys.readouterr().out


def test_together_leaves_in_order_and_logs_in_order(
    host: FakeHost, capsys: pytest.CaptureFixture[str]
) -> None:
    log.setup(to_stdout=True)
    done: list[str] = []
    names = [f"n{index}" for index in range(20)]
    left = apply(Plan((Together((), "noting all", tuple(Note(name, done) for name in names)),)), host)
    assert left.directories == tuple(names)
    finished = re.findall(r"\[finished\] noting (n\d+)", capsys.readouterr().out)
    assert finished == names


def test_what_is_left_is_kept_at_once_whatever_fails_later(host: FakeHost) -> None:
    kept: list[State] = []
    side_by_side = Together((), "noting both", (Note("b", []), Note("c", [], IgnitionError("no"))))
    with pytest.raises(ActionFailed), keeping(kept.append):
        apply(Plan((Note("a", []), side_by_side, Note("d", []))), host)
    assert sum(kept, State()) == State(directories=("a", "b"))


def test_an_action_can_leave_something_before_it_acts(host: FakeHost) -> None:
    @dataclass(frozen=True)
    class Lock:
        path: ConfigPath = ()

        def describe(self) -> str:
            return "locking"

        def perform(self, host: Host) -> None:
            leave(State(luks_keys={"root": "data:,k"}))
            raise IgnitionError("killed half-way")

    kept: list[State] = []
    with pytest.raises(ActionFailed), keeping(kept.append):
        apply(Plan((Lock(),)), host)
    assert kept == [State(luks_keys={"root": "data:,k"})]


def test_nothing_is_kept_where_nobody_keeps_it_any_more() -> None:
    kept: list[State] = []
    with keeping(kept.append):
        leave(State(directories=("a",)))
    leave(State(directories=("b",)))
    assert kept == [State(directories=("a",))]


def test_a_command_is_an_action(host: FakeHost) -> None:
    action = RunCommand(("x",), Command(("true", "-x"), "doing it"))
    assert action.describe() == "doing it"
    apply(Plan((action,)), host)
    assert host.run.argvs == [("true", "-x")]
