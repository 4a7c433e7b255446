# SPDX-License-Identifier: Apache-2.0
"""udev events for several devices."""

from __future__ import annotations

from pathlib import Path

from ignition.stages.disks.udev import Settle
from tests.host.fakes import FakeHost


def test_settle_triggers_one_group(tmp_path: Path) -> None:
    host = FakeHost(tmp_path)
    action = Settle((), ("/dev/vdb", "/dev/vdc"))
    action.perform(host)
    assert host.devices.settled == [("/dev/vdb", "/dev/vdc")]
    assert action.describe() == "waiting for udev to process /dev/vdb, /dev/vdc"
