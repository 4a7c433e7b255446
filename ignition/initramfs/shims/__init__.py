"""Replacements for standard modules in the packed Python."""
