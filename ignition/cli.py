"""Finds the verb, by the program's own name or by the first word, and imports only that.

ignition --stage=… --platform=…     verbs/stage.py, the engine
ignition VERB …                     verbs/VERB.py
ignition-VERB …                     the same under a name of its own
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Final

__all__ = ["main"]

VERBS: Final = ("apply", "explain", "initramfs", "plan", "resolve", "schema", "validate")
"""The words that may come first; each is a module of `ignition.verbs` with a `main`."""

PROGRAMS: Final = {
    "ignition-apply": "ignition_apply",
    "ignition-kargs-helper": "ignition_kargs_helper",
    "ignition-rmcfg": "ignition_rmcfg",
    "ignition-validate": "ignition_validate",
}
"""Programs under a name of their own, with the reference's command line."""


def main() -> int:
    """Run the program; returns its exit status."""
    program, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
    if program in PROGRAMS:
        verb = PROGRAMS[program]
    elif arguments and arguments[0] in VERBS:
        verb, arguments = arguments[0], arguments[1:]
    else:
        verb = "stage"
    status: int = importlib.import_module(f"ignition.verbs.{verb}").main(arguments)
    return status
