# SPDX-License-Identifier: Apache-2.0
"""A log that a test reads back."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Log:
    """What was logged, level by level."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def of(self, *levels: str) -> list[str]:
        return [text for level, text in self.lines if level in levels]

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self.lines)
