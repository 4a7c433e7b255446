"""Runs in the guest: takes each case from `cases/*.toml`, and says whether it holds.

A case is "disks before, config, disks after", as data. To add one, write into the file of its topic:

    [[case]]
    title = "a filesystem of the wanted type is kept"
    before = '''
    table @b size=64MiB
    format ext4 @b1
    store @b1 file precious
    '''
    storage = '''{ "filesystems": [{ "device": "@b1", "format": "ext4" }] }'''
    verdict = "made"
    kept = ["@b1"]
    after.files = { "@b1:/file" = "precious" }

and try it alone: `make guest CASE="filesystems/a filesystem"`; any part of `FILE/title` will do.

All disks that a case names are empty before it, and nothing is built on them. There are `@a` (6 GiB)
and `@b` to `@j` (1 GiB) with sectors of 512 bytes, `@x` and `@y` (1 GiB) with sectors of 4096 bytes;
`@b1` is the first partition of `@b`. They stand for paths below `/dev/disk/by-id`, everywhere in a
case. What takes part in one:

title    what holds, in one line
each     variables: `{ name = ["x", "y"] }`, or `[{ name = "x", other = "y" }]`; there is a case for
         each, with `{{name}}` filled in
before   commands, all of which have to succeed; `prelude.sh` has words for what is frequent
storage  the config's `storage` as JSON, in spec 3.5.0 or in `version`; or all of it as `config`.
         `%name%` in it is what `before` has written into `/run/case/name`
stages   the stages that are run, `["disks"]` unless it is said; their root, `/run/case/root`, is empty
late     letters of disks that are detached before, and attached when the engine waits for them
verdict  "made": the engine passes; or "refused": it does not, and has written nothing to any disk
says     of a refusal: regular expressions, each to be found in the engine's log: place and reason
logs     likewise, of a run that passes
writes   what a first run may write: "anything", or "nothing" (as when it is refused)
kept     devices of which not a byte may change
after    what is on the disks then, refused or not:
         devices  `{ "@a1" = "TYPE=ext4 LABEL=root" }`, as `blkid --probe` says; `nothing`: no
                  signature that counts; `signatures=ext4,swap`: all that wipefs sees; `absent`: there
                  is no such device
         tables   `{ "@a" = ["1 1+128 EFI-SYSTEM type=C12A…", "2 129+* 'a name' uuid=…"] }`: all
                  partitions, with number, start and size in MiB (in bytes with a B), and label; the
                  kernel has to see the same; `["none"]`: there is no table
         files    `{ "@a1:/etc/hostname" = "text" }`
         shell    commands, all of which have to succeed
again    the same config once more "writes nothing" (so it is when a case is made, unless something
         else is said), "holds" (it may write, and `after` holds again), "is refused", or is "not tried"
then     further provisionings of the same disks, each a table with the words above from `before` on,
         and `restarted`: all is closed and stopped before, and udev sees the disks as after a start
killed   the case holds too when the engine is killed at any command boundary and started again, or it is
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
"""Characters of a problem that are shown on the console at once."""
WARM = (
    "pyudev", "ignition.verbs.stage", "ignition.engine", "ignition.platform.provider",
    "ignition.boot.provenance", "ignition.config.validate", "ignition.engine.fetch",
    "ignition.stages.disks.luks.step", "ignition.stages.disks.raid.step", "ignition.stages.mount",
    "ignition.stages.files", "ignition.stages.umount",
)  # fmt: skip


def main() -> int:
    """Run the cases that are selected; a line for each on the console, and a result for the host."""
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
    """Import what the engine imports in its stages, so that its processes begin with it."""
    for name in WARM:
        importlib.import_module(name)


def outcome(case: Case) -> tuple[list[str], str]:
    """What does not hold, and the engine's logs."""
    logs: list[str] = []
    try:
        if case.killed:
            return list(killed.problems(case, logs)), _tail(logs)
        trial.begin(case)
        return list(trial.problems(case, logs)), _tail(logs)
    except Broken as broken:
        return [f"the case is broken: {broken}"], _tail(logs)
    except Exception:  # noqa: BLE001  one broken case must not hide how the others end
        # What is wrong with the laboratory is told like what is wrong with the engine: by case.
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
