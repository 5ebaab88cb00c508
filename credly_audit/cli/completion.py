"""What completion in a shell offers, known without loading a command: a TAB does not wait a second for pandas.

completion.json says what each command takes; `make docs` writes it anew, and a test compares it with the commands.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import click

KNOWN = Path(__file__).with_name("completion.json")


def make_stand_in(name: str) -> click.Command:
    """Return a command with the parameters of the command of this name, which does nothing."""
    return _made(name, _known()[name])


@cache
def _known() -> dict[str, Any]:
    known: dict[str, Any] = json.loads(KNOWN.read_text(encoding="utf-8"))
    return known


def _made(name: str, said: Mapping[str, Any]) -> click.Command:
    if "commands" in said:
        commands = {each: _made(each, theirs) for each, theirs in said["commands"].items()}
        return click.Group(name, commands, help=said["help"])
    return click.Command(name, params=[_param(each) for each in said["params"]], help=said["help"])


def _param(said: Mapping[str, Any]) -> click.Parameter:
    kind: click.ParamType[Any] = click.STRING
    if "choices" in said:
        kind = click.Choice(said["choices"])
    if "files" in said:
        kind = click.Path(file_okay=said["files"])
    if "flag" not in said:
        return click.Argument(said["names"], type=kind, nargs=said["nargs"])
    if said["flag"]:
        return click.Option(said["names"], is_flag=True, help=said["help"])
    return click.Option(said["names"], type=kind, multiple=said["multiple"], nargs=said["nargs"], help=said["help"])
