"""`config`: write a configuration to start from, validate it, print its schema, explain its settings."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import click

from credly_audit.audit.redact_texts import redact_own_texts
from credly_audit.cli.logs import start_log
from credly_audit.cli.options import FILE, config_option
from credly_audit.cli.screen import print_document, print_json, print_lines
from credly_audit.config.credentials import read_all, read_credentials, read_fingerprint_key, warn_of_password
from credly_audit.config.json_schema import schema
from credly_audit.config.load import load
from credly_audit.config.mistakes import Location, dotted
from credly_audit.config.presentation import Presentation
from credly_audit.config.review import list_exits
from credly_audit.config.settings import Organization, Override, PolicySettings, Settings
from credly_audit.config.source import DEFAULT_CONFIG, Source
from credly_audit.errors import ConfigurationError, ExitCode, UsageError
from credly_audit.files.destinations import file_can_be_written
from credly_audit.files.resources import PACKAGE
from credly_audit.files.writing import write_file
from credly_audit.patterns.hostile import find_hostile_text
from credly_audit.policy.explain import DEFAULT, Explanation, Setting
from credly_audit.policy.policy import Policy
from credly_audit.policy.register_file import Register
from credly_audit.secrets import ClientCredentials, Secret, SecretError, Unavailable, is_reference
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.secrets.redaction import Redactor
from credly_audit.text import count, one_line

log = logging.getLogger(__name__)

LACKS_FIELD = "DOC004"
"""The rule whose options are patterns."""

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
    settings, mistakes = loaded(path, os.environ)
    register = settings.policy.register_file if settings else register_named(path)
    entries = 0
    if register is not None:
        try:
            entries = len(Register.read(register).entries)
        except ConfigurationError as error:
            mistakes += error.mistakes
        except UsageError as error:
            mistakes.append(str(error))
    if settings is not None and secrets:
        mistakes += list(missing(settings, os.environ))
    if mistakes or settings is None:
        raise ConfigurationError(mistakes)
    warn_of_password(settings)
    for sentence in slow_patterns(settings.policy, Source(path)):
        log.warning(sentence)
    if secrets:
        for sentence in leaks(settings, os.environ):
            log.warning(sentence)
    if strict:
        print_exits(list_exits(settings, Source(path), os.environ))
    print_lines(f"{path} is valid: {contents(settings, entries)}.")
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
    organization = None if organization_id is None else named(settings, organization_id)
    explanation = Explanation(settings, Source(path), organization, os.environ)
    told = [each for each in explanation.all() if not (changed and each.origin == DEFAULT)]
    if shape == "json":
        print_json(as_json(explanation, told))
    else:
        print_lines(*as_text(explanation, told))


def loaded(path: Path, environ: Mapping[str, str]) -> tuple[Settings | None, list[str]]:
    """The settings, and what is wrong; UsageError where there is no such file."""
    try:
        return load(path, environ), []
    except ConfigurationError as error:
        return None, error.mistakes


def register_named(path: Path) -> Path | None:
    """The register that a file names, whatever else is wrong in it."""
    try:
        return Source(path).named_file("policy", "register")
    except ConfigurationError:
        return None


def slow_patterns(policy: PolicySettings, source: Source) -> Iterator[str]:
    """A sentence for each pattern that some short text keeps busy for longer than an audit would wait."""
    for location, pattern in patterns(policy):
        text = find_hostile_text(pattern)
        if text is not None:
            yield (
                f"{source.path}:{source.line(location)}: {dotted(location)}: the pattern takes too long for "
                f"some descriptions, such as {text[:20]!r}… of {len(text)} characters; an audit that meets one "
                "ends with exit code 4. Write it without repetitions that can share letters, such as (a|aa)+"
            )


def patterns(policy: PolicySettings) -> Iterator[tuple[Location, str]]:
    """Every pattern of the policy and of its overrides, and where it stands."""
    tables: list[tuple[Location, PolicySettings | Override]] = [(("policy",), policy)]
    tables += [(("policy", "overrides", number), each) for number, each in enumerate(policy.overrides)]
    for place, table in tables:
        for number, purpose in enumerate(table.purposes or ()):
            yield (*place, "purposes", number, "pattern"), purpose.pattern
        required: dict[str, str] = getattr(table.rules, LACKS_FIELD).required_patterns
        for name, pattern in required.items():
            yield (*place, "rules", LACKS_FIELD, "required_patterns", name), pattern


def missing(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each secret that cannot be had."""
    try:
        read_fingerprint_key(settings, settings.folder, environ)
    except ConfigurationError as error:
        yield from error.mistakes
    try:
        secrets = read_credentials(settings.organizations, settings.folder, environ)
    except ConfigurationError as error:
        yield from error.mistakes
    else:
        for each in settings.organizations:
            secret = secrets[each.id]
            if isinstance(secret, Unavailable):
                yield f"{each.place}: {each.called}: {secret.reason}"
    history, proxy = settings.history.url, settings.api.proxy
    others = {
        "[api] proxy": (proxy and _as_reference(proxy.get_secret_value()),),
        "[history] url": (history and _as_reference(history),),
        "[notify] urls": settings.notify.urls,
        "[notify] contacts": (settings.notify.contacts,),
        "[notify] heartbeat": (settings.notify.heartbeat,),
        "fallback_token": tuple(each.fallback_token for each in settings.organizations),
    }
    every = {reference for references in others.values() for reference in references if reference}
    outcomes = read_all(every, settings.folder, environ)
    for key, references in others.items():
        for reference in references:
            if reference and isinstance(outcomes[reference], SecretError):
                yield f"{key}: {outcomes[reference]}"


def _as_reference(text: str) -> str | None:
    return text if is_reference(text) else None


def leaks(settings: Settings, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Where the configuration, or a file that it names, holds the value of a configured credential."""
    fingerprints = Fingerprints()
    found = read_credentials(settings.organizations, settings.folder, environ).values()
    values = [each for each in found if isinstance(each, Secret)]
    values += [each.client_secret for each in found if isinstance(each, ClientCredentials)]
    traces = [trace for value in values if (trace := fingerprints.trace(value.reveal()))]
    shown = Presentation.read(settings.report.title, None, settings.report.guidance, None)
    return redact_own_texts(Policy.of(settings), shown, settings, Redactor(fingerprints.digest, traces)).found


def contents(settings: Settings, entries: int) -> str:
    """`2 organizations, 1 override, 3 waivers`."""
    many = [
        count(len(settings.organizations), "organization", "organizations"),
        count(len(settings.policy.overrides), "override", "overrides"),
        count(len(settings.waivers), "waiver", "waivers"),
        count(len(settings.plans), "plan", "plans"),
        count(entries, "register entry", "register entries"),
    ]
    return ", ".join(each for each in many if not each.startswith("0 "))


def named(settings: Settings, organization_id: str) -> Organization:
    """Return the organization of that id or name; UsageError, naming the nearest, for one that is not configured."""
    [organization] = settings.only([organization_id], by_name=True).organizations
    return organization


def as_json(explanation: Explanation, told: list[Setting]) -> str:
    """One object: the organization, the overrides that are for it, and the settings."""
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


def as_text(explanation: Explanation, told: list[Setting]) -> list[str]:
    """A line a setting: key, value, where it comes from."""
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
