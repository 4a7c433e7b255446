"""One file per command: its arguments, one call inward, its printing."""
