# SPDX-License-Identifier: Apache-2.0
"""setfiles: command line, and paths on standard input."""

from __future__ import annotations

from ignition.tools.setfiles import setfiles


def test_setfiles_with_other_root() -> None:
    command = setfiles("/sysroot", "/sysroot/contexts", ["/sysroot/a b", "/sysroot/\udcff\n"])
    assert command.real_argv() == ["setfiles", "-vF0", "-r", "/sysroot", "/sysroot/contexts", "-f", "-"]
    assert command.stdin == b"/sysroot/a b\0/sysroot/\xff\n\0"


def test_setfiles_with_running_system_as_root() -> None:
    """With `-r /` setfiles, and the reference, fail for top-level paths."""
    assert setfiles("/", "/contexts", ["/a"]).real_argv() == ["setfiles", "-vF0", "/contexts", "-f", "-"]
