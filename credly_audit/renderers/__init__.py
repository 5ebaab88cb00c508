"""Writes an audit down: one module a format, found by its name."""
