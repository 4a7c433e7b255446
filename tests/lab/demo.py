# SPDX-License-Identifier: Apache-2.0
"""`make demo`: first boot of a machine with `examples/demo.ign`, and a table of the result."""

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
    """Boot, print the progress and the checks of the guest; return the exit status."""
    began = time.monotonic()
    try:
        lab = machine()
        kind = accelerator(lab.kernel)[1].partition(",")[0]
        say(f"booting ({'KVM' if kind == 'kvm' else 'software emulation'}) …")
        outcome = first_boot(lab, watch=_show)
    except LabError as error:
        say(f"cannot run the demo: {error}")
        return 1
    if not finished(outcome):
        say(f"\n{_why(outcome)}")
        return 1
    print(_table(outcome))
    print(f"\nAll checks passed. The demo took {time.monotonic() - began:.0f} s.")
    return 0


def _show(line: Line) -> None:
    if unit := _UNIT.search(line.text):
        what = f"{unit[1].lower()} {unit[2]}"
    elif milestone := _MILESTONE.search(line.text):
        what = "switch root" if "Switch Root" in milestone[1] else milestone[1]
    elif re.search(r"PROOF (FAILED|done)", line.text):
        what = line.text
    else:
        return
    say(f"  {line.at:6.1f} s  {what}")


def _table(outcome: Boot) -> str:
    """Format the checks of the guest and the duration of each stage."""
    rows = [f"  {proof.name:<28} {proof.found}" for proof in proofs(outcome)]
    stages = stage_times(outcome)
    times = [f"  {stage.stage:<28} {stage.ended - stage.started:6.2f} s" for stage in stages]
    if stages:
        whole = max(stage.ended for stage in stages) - min(stage.started for stage in stages)
        times.append(f"  {'first start to last end':<28} {whole:6.2f} s")
    return "\n".join(("", "Checks in the guest", *rows, "", "Duration of the stages", *times))


def _why(outcome: Boot) -> str:
    """Explain by the console why a boot did not finish."""
    if re.search(STOPPED, outcome.console):
        return f"The first boot failed. Last lines of the console:\n\n{outcome.tail(24)}"
    broken = [f"  {proof.name}: {proof.found}" for proof in proofs(outcome) if not proof.holds]
    if broken:
        return "\n".join(("The machine does not match the config:", *broken))
    return f"The guest powered off before its checks ended. Last lines of the console:\n\n{outcome.tail()}"


if __name__ == "__main__":
    sys.exit(main())
