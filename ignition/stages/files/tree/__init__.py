# SPDX-License-Identifier: Apache-2.0
"""Directories, files and links."""
