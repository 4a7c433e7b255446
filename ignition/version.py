# SPDX-License-Identifier: Apache-2.0
"""The version of this engine, in the one place that knows it."""

from __future__ import annotations

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = "0.1.0"
