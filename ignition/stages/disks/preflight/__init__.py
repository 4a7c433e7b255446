# SPDX-License-Identifier: Apache-2.0
"""Checks that run before the disks stage writes anything."""
