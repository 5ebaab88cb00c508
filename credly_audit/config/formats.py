"""The formats of reports there are, without loading any of them."""

import pkgutil

from credly_audit.files.resources import PACKAGE

SHARED = frozenset({"base"})
"""Modules of the renderers' package that are no format."""


def formats() -> list[str]:
    """The names of all formats."""
    return [found.name for found in pkgutil.iter_modules([str(PACKAGE / "renderers")]) if found.name not in SHARED]
