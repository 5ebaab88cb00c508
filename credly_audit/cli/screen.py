"""The terminal a command speaks to: how large it is, whether it wants colours, and the one way to write to it.

What is written comes from anywhere: names and descriptions of Credly, file names, keys of a configuration. No control
character of theirs reaches the terminal, whichever command writes it: colours are told apart from the text.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from typing import TextIO

import click

from credly_audit.text import harmless, inert_json, inert_line


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line in one style."""

    text: str
    color: str | None = None
    bold: bool = False


Line = str | tuple[Span, ...]


def size(stream: TextIO) -> os.terminal_size:
    """Return columns and lines of a terminal; 0 × 0 of what is none."""
    return shutil.get_terminal_size() if stream.isatty() else os.terminal_size((0, 0))


def in_color(stream: TextIO, *, no_color: bool) -> bool:
    """Whether colours are wanted: `--no-color`, then NO_COLOR (no-color.org), FORCE_COLOR, then what the stream is."""
    if no_color or os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def plain(line: Line) -> str:
    """Return the text of a line, without styles, fit for a terminal."""
    return inert_line(line) if isinstance(line, str) else "".join(inert_line(span.text) for span in line)


def print_lines(*lines: Line, stream: TextIO | None = None, err: bool = False, no_color: bool = False) -> None:
    """Print lines for a person, each on one line whatever is in it, on standard output, standard error or a stream."""
    stream = stream or (sys.stderr if err else sys.stdout)
    colored = in_color(stream, no_color=no_color)
    text = "".join(f"{_styled(line) if colored else plain(line)}\n" for line in lines)
    encoding = stream.encoding or "utf-8"  # a letter that it lacks becomes `?`
    _write(text.encode(encoding, "replace").decode(encoding), stream, colored=colored)


def print_warning(sentence: str) -> None:
    """Print a line on standard error about what the command did not take as it is."""
    print_lines(f"credly-audit: {sentence}", err=True)


def print_document(text: str) -> None:
    """Print a text of several lines for a file or a program (TOML, CSV, Markdown) on standard output."""
    _write(harmless(text), sys.stdout, colored=False)


def print_json(text: str, *, err: bool = False) -> None:
    """Print JSON; what a terminal would obey is escaped in it, so that programs read the same values."""
    _write(f"{inert_json(text)}\n", sys.stderr if err else sys.stdout, colored=False)


def _styled(line: Line) -> str:
    spans = (Span(line),) if isinstance(line, str) else line
    return "".join(
        click.style(plain(each.text), fg=each.color, bold=each.bold or None, reset=bool(each.color or each.bold))
        for each in spans
    )


def _write(text: str, stream: TextIO, *, colored: bool) -> None:
    click.echo(text, nl=False, file=stream, color=colored)
