"""`make demo`: a machine boots for the first time and comes up as `examples/demo.ign` describes it."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING

from tests.lab.accelerator import accelerator
from tests.lab.commands import LabError, say
from tests.lab.firstboot import STOPPED, finished, first_boot, machine, proofs, stage_times

if TYPE_CHECKING:
    from tests.lab.guest import Boot, Line

_UNIT = re.compile(r"(Starting|Finished|Failed to start) .*?(Ignition \([\w-]+\)|Network for Ignition)")
_MILESTONE = re.compile(r"(Welcome to .*?!|Starting .*Switch Root|Reached target .*Multi-User System)")


def main() -> int:
    """Boot, show what happens while it happens, and what the guest proved; the exit code."""
    began = time.monotonic()
    try:
        lab = machine()
        kind = accelerator(lab.kernel)[1].partition(",")[0]
        say(f"booting ({'KVM' if kind == 'kvm' else 'software emulation'}) …")
        outcome = first_boot(lab, watch=_show)
    except LabError as error:
        say(f"The demo could not be run: {error}")
        return 1
    if not finished(outcome):
        say(f"\n{_why(outcome)}")
        return 1
    print(_table(outcome))
    print(f"\nAll of it holds. The whole demo took {time.monotonic() - began:.0f} s.")
    return 0


def _show(line: Line) -> None:
    if unit := _UNIT.search(line.text):
        what = f"{unit[1].lower()} {unit[2]}"
    elif milestone := _MILESTONE.search(line.text):
        what = "the real root takes over" if "Switch Root" in milestone[1] else milestone[1]
    elif re.search(r"PROOF (FAILED|done)", line.text):
        what = line.text
    else:
        return
    say(f"  {line.at:6.1f} s  {what}")


def _table(outcome: Boot) -> str:
    """What was provisioned, and how long each stage took."""
    rows = [f"  {proof.name:<24} {proof.found}" for proof in proofs(outcome)]
    stages = stage_times(outcome)
    times = [f"  {stage.stage:<24} {stage.ended - stage.started:6.2f} s" for stage in stages]
    if stages:
        whole = max(stage.ended for stage in stages) - min(stage.started for stage in stages)
        times.append(f"  {'first start to last end':<24} {whole:6.2f} s")
    return "\n".join(("", "What the guest found", *rows, "", "How long the stages took", *times))


def _why(outcome: Boot) -> str:
    """What the console says about a boot that did not come to its end."""
    if re.search(STOPPED, outcome.console):
        return f"The first boot stopped. The console's last lines:\n\n{outcome.tail(24)}"
    broken = [f"  {proof.name}: {proof.found}" for proof in proofs(outcome) if not proof.holds]
    if broken:
        return "\n".join(("The machine is not what the config describes:", *broken))
    return f"The guest ended without its proof. The console's last lines:\n\n{outcome.tail()}"


if __name__ == "__main__":
    sys.exit(main())
