"""RAID arrays."""
