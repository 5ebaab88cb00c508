"""`config`: write a configuration to start from, validate it, print its schema, explain its settings."""

import json
import logging
import os
from dataclasses import asdict
from pathlib import Path

import click

from credly_audit.cli.logs import start_log
from credly_audit.cli.options import FILE, config_option
from credly_audit.cli.screen import print_document, print_json, print_lines
from credly_audit.config.json_schema import schema
from credly_audit.config.load import load
from credly_audit.config.review import list_exits
from credly_audit.config.settings import Organization, Settings
from credly_audit.config.source import DEFAULT_CONFIG, Source
from credly_audit.errors import ExitCode, UsageError
from credly_audit.files.destinations import file_can_be_written
from credly_audit.files.resources import PACKAGE
from credly_audit.files.writing import write_file
from credly_audit.operations.validate_configuration import validate_configuration
from credly_audit.policy.explain import DEFAULT, Explanation, Setting
from credly_audit.text import count, one_line

log = logging.getLogger(__name__)

NO_EXITS = "For review: no setting can send a secret elsewhere."

START = PACKAGE / "config" / "start.toml"


@click.group()
def config() -> None:
    """Create, validate and explain the configuration file."""


@config.command()
@click.argument("path", type=FILE, default=DEFAULT_CONFIG, metavar="[FILE]")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def init(path: Path, *, overwrite: bool) -> ExitCode:
    """Write a commented configuration to start from, by default credly-audit.toml."""
    if path.is_file() and not overwrite:
        raise UsageError(f"{path} already exists; name another file, or replace it with --overwrite")
    place = file_can_be_written(path, "FILE")
    with write_file(path) as file:
        file.write(START.read_bytes())
    said = f"Wrote {path}: name your organizations in it, then `credly-audit config validate -c {path}`"
    print_lines(said, err=place.is_standard_output)
    return ExitCode.OK


@config.command()
@config_option
@click.option("--secrets", is_flag=True, help="Also read every credential that it names, without a request to Credly.")
@click.option("--strict", is_flag=True, help="Also list, for review, each setting that can send a secret elsewhere.")
def validate(config: Path | None, *, secrets: bool, strict: bool) -> ExitCode:
    """Report every mistake in a configuration, and in the files that it names, in one pass.

    Only the form of secret references is checked, so the secrets need not be available, unless --secrets is given.
    Each pattern is tried on difficult texts; a warning names one that takes too long.

    With --strict, each line names a place, a setting and its effect: addresses, proxy, CA bundle, history, programs
    (exec: and packages), stores. Compare the list of a change with that of the default branch.

    Exit codes: 0 the configuration is valid; 2 it is not valid: one line for each mistake, with its place.
    """
    start_log(quiet=True, verbose=False, log_format="text")
    path = config or DEFAULT_CONFIG
    valid = validate_configuration(path, os.environ, secrets=secrets)
    for sentence in valid.warnings:
        log.warning(sentence)
    if strict:
        print_exits(list_exits(valid.settings, Source(path), os.environ))
    print_lines(f"{path} is valid: {describe_contents(valid.settings, valid.register_entries)}.")
    return ExitCode.OK


def print_exits(lines: list[str]) -> None:
    """Print what a reviewer has to look at, and how much it is."""
    many = count(len(lines), "setting", "settings")
    print_lines(*lines, f"For review: {many} can send a secret elsewhere." if lines else NO_EXITS)


@config.command("schema")
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="File to write. Default: standard output.",
)
def print_schema(output: Path | None) -> None:
    """Print the JSON Schema of the file, with which editors complete keys and mark mistakes."""
    text = json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
    if output is None:
        print_document(text)
        return
    place = file_can_be_written(output, "--output")
    with write_file(output) as file:
        file.write(text.encode())
    print_lines(f"Wrote {output}", err=place.is_standard_output)


@config.command()
@config_option
@click.option(
    "--organization",
    "organization_id",
    metavar="ID|NAME",
    help="Show the settings of this organization; default: those of one without overrides.",
)
@click.option("--changed", is_flag=True, help="Show only settings that are not the default.")
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain(config: Path | None, organization_id: str | None, shape: str, *, changed: bool) -> None:
    """Show every setting that applies to an organization, and where it comes from."""
    path = config or DEFAULT_CONFIG
    settings = load(path, os.environ, for_collecting=False)
    organization = None if organization_id is None else find_organization(settings, organization_id)
    explanation = Explanation(settings, Source(path), organization, os.environ)
    told = [each for each in explanation.all() if not (changed and each.origin == DEFAULT)]
    if shape == "json":
        print_json(format_json(explanation, told))
    else:
        print_lines(*format_text(explanation, told))


def describe_contents(settings: Settings, entries: int) -> str:
    """Return `2 organizations, 1 override, 3 waivers`."""
    many = [
        count(len(settings.organizations), "organization", "organizations"),
        count(len(settings.policy.overrides), "override", "overrides"),
        count(len(settings.waivers), "waiver", "waivers"),
        count(len(settings.plans), "plan", "plans"),
        count(entries, "register entry", "register entries"),
    ]
    return ", ".join(each for each in many if not each.startswith("0 "))


def find_organization(settings: Settings, organization_id: str) -> Organization:
    """Return the organization of that id or name; UsageError, naming the nearest, for one that is not configured."""
    [organization] = settings.only([organization_id], by_name=True).organizations
    return organization


def format_json(explanation: Explanation, told: list[Setting]) -> str:
    """Return one object: the organization, the overrides that are for it, and the settings."""
    organization = explanation.organization
    return json.dumps(
        {
            "file": str(explanation.source.path),
            "organization_id": None if organization is None else organization.id,
            "overrides": [position + 1 for position, _ in explanation.overrides],
            "settings": [asdict(each) for each in told],
        },
        indent=1,
        ensure_ascii=False,
    )


def format_text(explanation: Explanation, told: list[Setting]) -> list[str]:
    """Return a line for each setting: key, value, where it comes from."""
    organization = explanation.organization
    whom = "an organization without overrides" if organization is None else one_line(organization.called, 60)
    numbers = ", ".join(str(position + 1) for position, _ in explanation.overrides)
    lines = [f"Settings for {whom} in {explanation.source.path}; overrides that apply: {numbers or 'none'}."]
    width = max((len(each.key) for each in told), default=0)
    for each in told:
        line = f", line {each.line}" if each.line else ""
        value = "not set" if each.value is None else one_line(json.dumps(each.value, ensure_ascii=False), 80)
        lines.append(f"{each.key:{width}}  {value}  ({each.origin}{line})")
    return lines
