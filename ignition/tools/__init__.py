"""One module for each external program: typed options to a `Command`, its text to values."""
