"""What a renderer is: a function that writes an audit into a binary file, and what its files are called.

A format is a module of this package with the format's name and a `RENDERER`; nothing else lists it.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from credly_audit.audit.model import Audit

Render = Callable[[Audit, BinaryIO], None]


@dataclass(frozen=True, slots=True)
class Renderer:
    """`suffix` is that of the report's file name; `beside` are further files of the format, by their suffixes.

    Files that others poll are not `dated`: each audit replaces the last one's. A format that `speaks` goes to standard
    output where no path is named for it. One that holds `counts_only`, no names and no ids, may be opened to other
    users by `[output] mode`.
    """

    suffix: str
    render: Render
    beside: Mapping[str, Render] = field(default_factory=dict)
    dated: bool = True
    speaks: bool = False
    counts_only: bool = False


def identity(audit: Audit) -> str:
    """Return the name by which other programs tell this audit's results from those of its parts."""
    return "credly-audit" if audit.part is None else f"credly-audit/{audit.part.name}"


def renderer(name: str) -> Renderer:
    """The renderer of a format of `names.formats()`."""
    found: Renderer = importlib.import_module(f"credly_audit.renderers.{name}").RENDERER
    return found
