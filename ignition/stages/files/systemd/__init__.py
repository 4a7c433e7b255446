# SPDX-License-Identifier: Apache-2.0
"""Unit files, drop-ins and enablement."""
