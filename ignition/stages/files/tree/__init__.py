"""Directories, files and links."""
