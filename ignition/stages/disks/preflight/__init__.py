"""Checks that run before the disks stage writes anything."""
