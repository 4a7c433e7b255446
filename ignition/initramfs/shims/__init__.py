"""Modules that replace modules of the standard library in the packed Python, one file each."""
