# SPDX-License-Identifier: Apache-2.0
"""Run the cases of `cases/*.toml` in the guest, and report the result of each.

A case is "disks before, config, disks after", as data. To add a case, write it to the file of its topic:

    [[case]]
    title = "filesystem of the configured format: kept"
    before = '''
    table @b size=64MiB
    format ext4 @b1
    store @b1 file precious
    '''
    storage = '''{ "filesystems": [{ "device": "@b1", "format": "ext4" }] }'''
    verdict = "made"
    kept = ["@b1"]
    after.files = { "@b1:/file" = "precious" }

and run it alone: `make guest CASE="filesystems/filesystem of"`; any part of `FILE/title` selects it.

The disks that a case names are empty at its start. `@a` (6 GiB) and `@b` to `@j` (1 GiB) have sectors of
512 bytes, `@x` and `@y` (1 GiB) sectors of 4096 bytes; `@b1` is the first partition of `@b`. Everywhere in a
case these names are replaced by paths below `/dev/disk/by-id`. Keys:

title    one line: situation and outcome
each     variables: `{ name = ["x", "y"] }`, or `[{ name = "x", other = "y" }]`; one case for each
         combination or row, with `{{name}}` replaced
before   commands that must succeed; `prelude.sh` defines functions for frequent ones
storage  the config's `storage` as JSON, in spec 3.5.0 or in `version`; or the whole config as `config`.
         `%name%` is replaced by the content of `/run/case/name`, which `before` has written
stages   the stages to run, default `["disks"]`; their target root `/run/case/root` is empty
late     letters of disks that are detached at first, and attached while the engine waits for them
verdict  "made": the engine succeeds; "refused": it fails without writing to any disk
says     for a refusal: regular expressions that must all match the engine's log (config path, reason)
logs     the same for a run that succeeds
writes   what a first run may write: "anything" or "nothing" (default for a refusal)
kept     devices on which no byte may change
after    expected state of the disks, also after a refusal:
         devices  `{ "@a1" = "TYPE=ext4 LABEL=root" }`, as printed by `blkid --probe`; `nothing`: no
                  signature; `signatures=ext4,swap`: all signatures that wipefs lists; `absent`: the
                  device does not exist
         tables   `{ "@a" = ["1 1+128 EFI-SYSTEM type=C12A…", "2 129+* 'a name' uuid=…"] }`: all
                  partitions with number, start and size in MiB (in bytes with a B) and label; the
                  kernel must see the same partitions; `["none"]`: no partition table
         files    `{ "@a1:/etc/hostname" = "text" }`
         shell    commands that must succeed
again    a second run with the same config "writes nothing" (default if made), "holds" (may write, `after`
         must hold again), "is refused", or is "not tried" (default if refused)
then     further provisionings of the same disks, each a table with the keys above from `before` on, and
         `restarted`: all devices are stopped first, and udev sees the disks as after a restart
killed   the case must also pass if the engine is killed at any command boundary and started again, or be
         refused for one of the `reasons`: see `killed.py`
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
from pathlib import Path

from tests.guest import killed, trial, world
from tests.guest.cases import Case, load
from tests.guest.world import Broken

RESULTS = Path("/dev/virtio-ports/results")
SELECTION = Path("/cases/selection")
LOG_TAIL = 12000
CONSOLE = 1500
"""Maximum length of a problem on the console, in characters."""
WARM = (
    "pyudev", "ignition.verbs.stage", "ignition.engine", "ignition.platform.provider",
    "ignition.boot.provenance", "ignition.config.validate", "ignition.engine.fetch",
    "ignition.stages.disks.luks.step", "ignition.stages.disks.raid.step", "ignition.stages.mount",
    "ignition.stages.files", "ignition.stages.umount",
)  # fmt: skip


def main() -> int:
    """Run the selected cases; print a line for each, and send the result to the host."""
    chosen = set(SELECTION.read_text(encoding="utf-8").splitlines())
    warm()
    with RESULTS.open("w", encoding="utf-8") as results:
        for case in load():
            if case.id not in chosen:
                continue
            began = time.monotonic()
            problems, log = outcome(case)
            seconds = round(time.monotonic() - began, 1)
            print(f"CASE {'FAILED' if problems else 'ok'} {seconds:5.1f} s  {case.id}", flush=True)
            for problem in problems:
                print("     " + problem.replace("\n", "\n     ")[:CONSOLE], flush=True)
            result = {"id": case.id, "seconds": seconds, "problems": problems, "log": log if problems else ""}
            results.write(json.dumps(result) + "\n")
            results.flush()
    return 0


def warm() -> None:
    """Import the engine's modules, so that the forked processes need not import them."""
    for name in WARM:
        importlib.import_module(name)


def outcome(case: Case) -> tuple[list[str], str]:
    """Run a case; return its problems and the engine's logs."""
    logs: list[str] = []
    try:
        if case.killed:
            return list(killed.problems(case, logs)), _tail(logs)
        trial.begin(case)
        return list(trial.problems(case, logs)), _tail(logs)
    except Broken as broken:
        return [f"the case is broken: {broken}"], _tail(logs)
    except Exception:  # noqa: BLE001  one broken case must not stop the others
        # A bug of the runner is reported as a problem of the case.
        return [f"the runner is broken:\n{traceback.format_exc()}"], _tail(logs)
    finally:
        _leave(case, logs)


def _leave(case: Case, logs: list[str]) -> None:
    try:
        world.free()
    except Broken as broken:
        logs.append(str(broken))


def _tail(logs: list[str]) -> str:
    return "\n".join(logs)[-LOG_TAIL:]


if __name__ == "__main__":
    sys.exit(main())
