"""The codes of report entries: stable names for tools, each with a page for people.

The pages are prose and stand in `codes.toml`; this module only reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from ignition.diagnostics import Severity

__all__ = ["Code", "codes"]

SPEC: Final = "3.4.0"
"""The version of examples that do not name one."""


@dataclass(frozen=True)
class Code:
    """One code and its page.

    Attributes:
        name: the code itself.
        title: what is the matter, in a few words.
        cause: why that is objected to.
        remedy: what to do.
        severity: of the entries with this code.
        spec: the version of the examples.
        wrong: what draws such an entry; None if no document can.
        right: the same without it; None if there is none.
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
        """One of the examples as a whole config."""
        if not example or example.startswith("{"):
            return example
        return f'{{"ignition": {{"version": "{self.spec}"}}, {example}}}'


@cache
def codes() -> dict[str, Code]:
    """All codes by name, in the order of the pages."""
    import tomllib

    pages = tomllib.loads(files(__package__).joinpath("codes.toml").read_text(encoding="utf-8"))
    return {
        name: Code(name=name, **{**page, "severity": Severity(page.get("severity", "error"))})
        for name, page in pages.items()
    }
