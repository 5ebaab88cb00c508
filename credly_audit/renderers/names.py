"""The formats there are, without loading any of them."""

import pkgutil
from pathlib import Path

SHARED = frozenset({"base", "briefing", "names", "tally", "text"})
"""Modules of this package that are no format."""


def formats() -> list[str]:
    """The names of all formats."""
    return [found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)]) if found.name not in SHARED]
