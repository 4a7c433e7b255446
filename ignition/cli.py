# SPDX-License-Identifier: Apache-2.0
"""Entry point: select the command by program name or first argument, and import only that command.

ignition --stage=… --platform=…     verbs/stage.py: a boot stage
ignition VERB …                     verbs/VERB.py
ignition-VERB …                     programs with names of their own
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Final

__all__ = ["main"]

VERBS: Final = ("apply", "explain", "initramfs", "plan", "resolve", "schema", "validate")
"""Commands; each is a module of `ignition.verbs` with a `main`."""

PROGRAMS: Final = {
    "ignition-apply": "ignition_apply",
    "ignition-kargs-helper": "ignition_kargs_helper",
    "ignition-rmcfg": "ignition_rmcfg",
    "ignition-validate": "ignition_validate",
}
"""Programs with names of their own and the reference's command lines."""


def main() -> int:
    """Run the program; return its exit status."""
    program, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
    if program in PROGRAMS:
        verb = PROGRAMS[program]
    elif arguments and arguments[0] in VERBS:
        verb, arguments = arguments[0], arguments[1:]
    else:
        verb = "stage"
    status: int = importlib.import_module(f"ignition.verbs.{verb}").main(arguments)
    return status
