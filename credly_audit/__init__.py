"""Audits the authorization tokens of Credly organizations."""

__version__ = "0.1.0"
