"""Writes credly_audit/cli/completion.json anew: `make docs`."""

import json

import click

from credly_audit.cli.completion import KNOWN, described
from credly_audit.cli.main import COMMANDS, cli


def content() -> str:
    """What it holds: every command as it is."""
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in COMMANDS}
    return json.dumps({name: described(each) for name, each in commands.items() if each}, indent=1) + "\n"


if __name__ == "__main__":
    KNOWN.write_text(content())
