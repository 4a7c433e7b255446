"""setfiles gets its paths on stdin, each ended by a zero byte."""

from __future__ import annotations

from ignition.tools.setfiles import setfiles


def test_a_root_elsewhere() -> None:
    command = setfiles("/sysroot", "/sysroot/contexts", ["/sysroot/a b", "/sysroot/\udcff\n"])
    assert command.real_argv() == ["setfiles", "-vF0", "-r", "/sysroot", "/sysroot/contexts", "-f", "-"]
    assert command.stdin == b"/sysroot/a b\0/sysroot/\xff\n\0"


def test_the_running_system() -> None:
    """With a root of / the reference fails for top-level paths (engine.md 14, point 28)."""
    assert setfiles("/", "/contexts", ["/a"]).real_argv() == ["setfiles", "-vF0", "/contexts", "-f", "-"]
