# SPDX-License-Identifier: Apache-2.0
"""Lines and columns of the paths of a config in its text.

Source of the way of counting: docs/reference/config-language.md, "Reports".
"""

from __future__ import annotations

import re
from bisect import bisect_left

from ignition.config.json.scan import Mark, scan
from ignition.config.json.values import Malformed
from ignition.configpath import ConfigPath
from ignition.diagnostics import Position

__all__ = ["NOWHERE", "Places", "position_of_fault"]

NOWHERE = Position(0, 0)
"""The position that the reference reports for the end of the text."""


class Places:
    """Finds the positions of paths in one text."""

    def __init__(self, data: bytes) -> None:
        self._end = len(data)
        self._newlines = [match.start() for match in re.finditer(b"\n", data)]
        self._indexes: dict[int, dict[str, tuple[int, Mark]]] = {}
        self._root = scan(data)

    def of(self, path: ConfigPath) -> Position:
        """Return the position of the value at a path, or of the innermost existing value around it."""
        return self._position(self._find(path)[1].opened)

    def of_key(self, path: ConfigPath) -> Position:
        """Return the position of the key that a path ends with."""
        return self._position(self._find(path)[0])

    def after(self, steps: tuple[int, ...]) -> Position:
        """Return the position up to which the reference has read when it checks a value's type.

        A step is the index of a member or an item in the order of the text. The result is
        `NOWHERE` at the very end of the text.
        """
        mark = self._root
        for step in steps:
            mark = mark.members[step][2] if mark.members is not None else (mark.items or [])[step]
        return NOWHERE if mark.read >= self._end else self._position(mark.read)

    def _find(self, path: ConfigPath) -> tuple[int, Mark]:
        place, mark = self._root.opened, self._root
        for element in path:
            child = self._child(mark, element)
            if child is None:
                break
            place, mark = child
        return place, mark

    def _child(self, mark: Mark, element: str | int) -> tuple[int, Mark] | None:
        if isinstance(element, int):
            items = mark.items or []
            return (items[element].start, items[element]) if element < len(items) else None
        if mark.members is None:
            return None
        index = self._indexes.get(id(mark))
        if index is None:
            index = {key: (place, child) for key, place, child in mark.members}
            self._indexes[id(mark)] = index
        return index.get(element)

    def _position(self, offset: int) -> Position:
        line = bisect_left(self._newlines, offset)
        return Position(line + 1, offset - (self._newlines[line - 1] if line else -1))


def position_of_fault(data: bytes, fault: Malformed) -> Position:
    """Return the position that the reference reports for text that is not JSON."""
    if fault.offset >= len(data):
        return NOWHERE
    return Position(data.count(b"\n", 0, fault.offset) + 1, fault.offset - data.rfind(b"\n", 0, fault.offset))
