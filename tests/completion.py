"""Writes credly_audit/cli/completion.json anew: `make docs`."""

import json
from typing import Any

import click

from credly_audit.cli.completion import KNOWN
from credly_audit.cli.main import COMMANDS, cli


def content() -> str:
    """Return what it holds: every command as it is."""
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in COMMANDS}
    return json.dumps({name: describe_command(each) for name, each in commands.items() if each}, indent=1) + "\n"


def describe_command(command: click.Command) -> dict[str, Any]:
    """Return what a command takes, as JSON."""
    said: dict[str, Any] = {"help": command.get_short_help_str(100)}
    if isinstance(command, click.Group):
        return said | {"commands": {name: describe_command(each) for name, each in sorted(command.commands.items())}}
    return said | {"params": [describe_parameter(each) for each in command.params]}


def describe_parameter(param: click.Parameter) -> dict[str, Any]:
    said: dict[str, Any] = {"names": param.opts, "multiple": param.multiple, "nargs": param.nargs}
    if isinstance(param, click.Option):
        said |= {"help": param.help, "flag": param.is_flag}
    if isinstance(param.type, click.Choice):
        said["choices"] = list(param.type.choices)
    if isinstance(param.type, click.Path):
        said["files"] = param.type.file_okay
    return said


if __name__ == "__main__":
    KNOWN.write_text(content())
