# SPDX-License-Identifier: Apache-2.0
"""The commands: one module each, with its arguments, one call into the library, and its output."""
