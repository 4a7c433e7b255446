"""Partition tables: observe, match, decide, write."""
