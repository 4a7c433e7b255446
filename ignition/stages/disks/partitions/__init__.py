# SPDX-License-Identifier: Apache-2.0
"""Partition tables: observe, match, decide, write."""
