"""LUKS volumes."""
