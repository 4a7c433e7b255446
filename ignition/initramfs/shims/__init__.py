# SPDX-License-Identifier: Apache-2.0
"""Modules that replace modules of the standard library in the packed Python, one file each."""
