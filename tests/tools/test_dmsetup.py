# SPDX-License-Identifier: Apache-2.0
"""dmsetup: command line, and the table of a partition."""

from __future__ import annotations

import pytest

from ignition.errors import IgnitionError
from ignition.tools import dmsetup


def test_table_command_line() -> None:
    assert dmsetup.table("mpathap1").argv == ("dmsetup", "table", "mpathap1")


def test_parse_linear_returns_start_and_size() -> None:
    assert dmsetup.parse_linear("0 204800 linear 253:0 2048\n", "mpathap1") == (2048, 204800)


@pytest.mark.parametrize(
    "text", ["", "0 8 striped 2 32 8:1 0 8:2 0\n", "0 8 linear 8:1 0\n8 8 linear 8:1 64\n"]
)
def test_parse_linear_of_other_tables_raises(text: str) -> None:
    with pytest.raises(IgnitionError, match="mpathap1 is not a partition"):
        dmsetup.parse_linear(text, "mpathap1")
