"""Unit files, drop-ins and enablement."""
