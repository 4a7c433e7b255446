# SPDX-License-Identifier: Apache-2.0
"""Documents of all kinds, good and bad: the examples, and those of the pages on codes."""

from __future__ import annotations

from pathlib import Path

from ignition.config.codes import codes

PROJECT = Path(__file__).parents[1]

EXAMPLES = {path.name: path.read_bytes() for path in sorted((PROJECT / "examples").glob("*.ign"))}

WRONG = {
    f"{code.name} wrong": code.document(code.wrong).encode()
    for code in codes().values()
    if code.wrong is not None
}

RIGHT = {
    f"{code.name} right": code.document(code.right).encode()
    for code in codes().values()
    if code.right is not None
}

GOOD = EXAMPLES | RIGHT
"""Documents about which there is nothing to say."""

ALL = GOOD | WRONG
