# SPDX-License-Identifier: Apache-2.0
"""systemctl with `--root`: command lines."""

from __future__ import annotations

from ignition.tools.systemctl import disable, enable


def test_command_lines() -> None:
    command = enable("/sysroot", ["a.service", "b@c.timer"])
    assert command.real_argv() == ["systemctl", "--root=/sysroot", "enable", "--", "a.service", "b@c.timer"]
    assert command.why == "enabling a.service, b@c.timer"
    assert disable("/", ["-.mount"]).real_argv() == ["systemctl", "--root=/", "disable", "--", "-.mount"]
    assert disable("/", ["-.mount"]).why == "disabling -.mount"


def test_system_v_scripts_are_skipped() -> None:
    assert ("SYSTEMCTL_SKIP_SYSV", "1") in enable("/", ["a.service"]).environment
