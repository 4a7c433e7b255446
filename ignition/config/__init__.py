# SPDX-License-Identifier: Apache-2.0
"""The config language: decode, validate, upgrade, merge, and follow references.

A library for other programs too: it needs neither a machine to provision nor root.
"""
