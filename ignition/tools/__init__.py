# SPDX-License-Identifier: Apache-2.0
"""External programs, one module each: build a `Command`, and parse the output."""
