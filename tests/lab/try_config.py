# SPDX-License-Identifier: Apache-2.0
"""`make try CONFIG=FILE`: boot a machine with a config, with the console on the terminal.

The machine has an empty second disk, `/dev/disk/by-id/virtio-data`. The files in the directory of the config
are served at `http://10.0.2.100/`. Ctrl-A X ends the machine.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.lab.commands import LabError, say
from tests.lab.firstboot import guest, machine


def main(arguments: list[str]) -> int:
    """Boot with a config; return QEMU's exit status."""
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        say("usage: make try CONFIG=FILE")
        return 2
    config = Path(arguments[0]).resolve()
    try:
        with guest(machine(), config, pages=config.parent) as new:
            say("booting; Ctrl-A X ends the machine")
            return subprocess.run(new.command(console="mon:stdio")).returncode
    except LabError as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
