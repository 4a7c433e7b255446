# SPDX-License-Identifier: Apache-2.0
"""Codes of report entries: stable names for tools, each with an explanation (`codes.toml`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from ignition.diagnostics import Severity

__all__ = ["Code", "codes"]

SPEC: Final = "3.4.0"
"""Default spec version of examples."""


@dataclass(frozen=True)
class Code:
    """One code and its explanation.

    Attributes:
        name: the code itself.
        title: a summary.
        cause: the reason of the finding.
        remedy: the way to correct the config.
        severity: the severity of entries with this code.
        spec: the spec version of the examples.
        wrong: an example that leads to the entry; None if no document does.
        right: the corrected example; None if there is none.
    """

    name: str
    title: str
    cause: str
    remedy: str
    severity: Severity = Severity.ERROR
    spec: str = SPEC
    wrong: str | None = None
    right: str | None = None

    def document(self, example: str) -> str:
        """Return an example as a whole config."""
        if not example or example.startswith("{"):
            return example
        return f'{{"ignition": {{"version": "{self.spec}"}}, {example}}}'


@cache
def codes() -> dict[str, Code]:
    """Return all codes by name, in the order of the file."""
    import tomllib

    explanations = tomllib.loads(files(__package__).joinpath("codes.toml").read_text(encoding="utf-8"))
    return {
        name: Code(name=name, **{**each, "severity": Severity(each.get("severity", "error"))})
        for name, each in explanations.items()
    }
