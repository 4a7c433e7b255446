"""External programs, one module each: build a `Command`, and parse the output."""
