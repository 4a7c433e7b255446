# SPDX-License-Identifier: Apache-2.0
"""`python -m ignition`: the program `ignition`."""

from __future__ import annotations

import sys

from ignition.cli import main

if __name__ == "__main__":
    sys.exit(main())
