# SPDX-License-Identifier: Apache-2.0
"""File system calls below the target root; `host/root.py` is the gate for changes."""
