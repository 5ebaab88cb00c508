"""The terminal a command speaks to: how large it is, whether it wants colours, which letters it can show."""

import os
import shutil
from typing import TextIO

import click


def size(stream: TextIO) -> os.terminal_size:
    """Columns and lines of a terminal; 0 × 0 of what is none."""
    return shutil.get_terminal_size() if stream.isatty() else os.terminal_size((0, 0))


def in_color(stream: TextIO, *, no_color: bool) -> bool:
    """Whether colours are wanted: `--no-color`, then NO_COLOR (no-color.org), FORCE_COLOR, then what the stream is."""
    if no_color or os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def say(text: str, stream: TextIO, *, no_color: bool) -> None:
    """Print a text; a letter that the stream's encoding lacks becomes `?`."""
    encoding = stream.encoding or "utf-8"
    shown = text.encode(encoding, "replace").decode(encoding)
    click.echo(shown, file=stream, color=in_color(stream, no_color=no_color))
