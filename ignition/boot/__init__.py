"""Files under `/run/ignition` that stages write for later stages and for the operator."""
