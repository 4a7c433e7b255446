"""Files that stages leave under `/run/ignition`."""
