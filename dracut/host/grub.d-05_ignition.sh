#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# For grub-mkconfig: the snippet that detects the first boot.
exec cat /usr/share/ignition/05_ignition.cfg
