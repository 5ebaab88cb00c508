"""Every option as an environment variable: `CREDLY_AUDIT_`, the words of the command, the option, joined by `_`.

A repeatable option takes several values, separated by white space; quote a value that contains any.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import click
from click.core import ParameterSource

QUOTING = 'separate values with spaces, and put a value that contains a space in quotes: first "second value"'


def variable_of(words: Sequence[str], option: click.Option) -> str:
    """Return the name of an option's variable: `CREDLY_AUDIT_HISTORY_LIST_FORMAT` of `history list --format`."""
    written = max(option.opts, key=len).lstrip("-")  # click's own name is the parameter's: FORMATS for --format
    return "_".join(("CREDLY_AUDIT", *words, written)).upper().replace("-", "_")


def defaults_of(command: click.Command, words: Sequence[str], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what the variables set for a command and its subcommands, as click takes defaults."""
    if isinstance(command, click.Group):
        return {name: defaults_of(each, (*words, name), environ) for name, each in command.commands.items()}
    values = {}
    for option in command.params:
        if isinstance(option, click.Option) and (value := environ.get(variable_of(words, option))):
            values[option.name] = _value(option, variable_of(words, option), value)
    return values


def describe_variable(error: click.BadParameter) -> str | None:
    """Describe a mistake in a value that a variable gave; None where the value came from elsewhere."""
    option, context = error.param, error.ctx
    if not isinstance(option, click.Option) or context is None:
        return None
    if context.get_parameter_source(option.name) is not ParameterSource.DEFAULT_MAP:
        return None
    name = variable_of(context.command_path.split()[1:], option)
    return f"{name}: {error.message.rstrip('.')}{f'; {QUOTING}' if option.multiple else ''}"


def _value(option: click.Option, name: str, value: str) -> str | Callable[[], list[str]]:
    return partial(_split, name, value) if option.multiple else value


def _split(name: str, value: str) -> list[str]:
    """Split a value as a shell does, but keep backslashes: they separate folders on Windows."""
    lexer = shlex.shlex(value, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = lexer.escape = ""
    try:
        return list(lexer)
    except ValueError:
        raise click.UsageError(f"{name}: its quotation marks do not match; {QUOTING}") from None
