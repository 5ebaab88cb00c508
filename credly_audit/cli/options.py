"""Options that several commands share, and their types."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from credly_audit.config.formats import formats
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.files.paths import BadPath, local_path
from credly_audit.instants import read_instant
from credly_audit.secrets import list_built_in_forms

Command = Callable[..., Any]


class Instant(click.ParamType[datetime]):
    """A date, which is 00:00 UTC, or an ISO 8601 timestamp, in UTC where it names no zone."""

    name = "date-or-timestamp"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return an aware instant in UTC."""
        if isinstance(value, datetime):
            return value
        instant = read_instant(value, assume_utc=True)
        if instant is None or (value.isdecimal() and len(value) != len("20261123")):
            self.fail(f"{value!r} is not a date or timestamp; write {_likely(value)}", param, ctx)
        return instant


def _likely(value: str) -> str:
    """Return what may be meant: the instant, where a number counts the seconds since 1970, else an example."""
    for digits, unit, a_second in (("9,11", "seconds", 1), ("12,14", "milliseconds", 1_000)):
        if re.fullmatch(f"[0-9]{{{digits}}}", value):
            instant = datetime.fromtimestamp(int(value) // a_second, UTC)
            return f"{instant:%Y-%m-%dT%H:%M:%SZ}, if it counts the {unit} since 1970"
    return "2026-11-23 or 2026-11-23T09:30:00Z"


class Days(click.ParamType[timedelta]):
    """A number of days: `35d`."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the number of days as a timedelta."""
        if isinstance(value, timedelta):
            return value
        days = re.fullmatch(r"(\d{1,5})d?", value, re.ASCII)
        if days is None:
            self.fail(f"{value!r} is not a number of days; write 35d", param, ctx)
        return timedelta(days=int(days[1]))


class LocalPath(click.Path):
    """A path as a person writes it everywhere: `~` is the home directory, also where no shell has replaced it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path without `~`."""
        try:
            path = local_path(os.fspath(value))
        except BadPath as error:
            self.fail(str(error), param, ctx)
        return super().convert(path, param, ctx)


FILE = LocalPath(dir_okay=False, path_type=Path)
FOLDER = LocalPath(file_okay=False, path_type=Path)


class Output(click.ParamType[tuple[str, str]]):
    """FORMAT=PATH; PATH `-` is standard output."""

    name = "format=path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return the format and the path."""
        if isinstance(value, tuple):
            return value
        name, equals, path = value.partition("=")
        if name not in formats() or not equals or not path:
            self.fail(f"{value!r} is not FORMAT=PATH with a FORMAT of {', '.join(formats())}", param, ctx)
        try:
            return name, path if path == "-" else str(local_path(path))
        except BadPath as error:
            self.fail(str(error), param, ctx)


def together(*options: Command) -> Command:
    """Return one decorator that applies several, in the order of the help text."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


config_option = click.option(
    "-c",
    "--config",
    type=FILE,
    help=f"Configuration file. Default: {DEFAULT_CONFIG} in the working directory.",
)

organization_option = click.option(
    "--organization",
    "organizations",
    multiple=True,
    metavar="ID|NAME",
    help="Only this organization, by ID or unique name; repeatable.",
)

break_lock_option = click.option(
    "--break-lock",
    is_flag=True,
    help="Take over a lock of another host, or one that cannot be read, on a file system without locks.",
)

workers_option = click.option("--workers", type=click.IntRange(1, 256), help="Maximum number of concurrent requests.")

talk_options = together(
    click.option("--quiet", is_flag=True, help="Print nothing if there is nothing to report."),
    click.option("--verbose", is_flag=True, help="Log every request."),
    click.option("--no-color", is_flag=True, help="Do not use colors; NO_COLOR and FORCE_COLOR are respected too."),
    click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
)

audit_options = together(
    click.option(
        "--format",
        "formats",
        multiple=True,
        type=click.Choice(formats()),
        help="Write this report to --output-dir; repeatable. Default, without --output: html, xlsx and json.",
    ),
    click.option(
        "--output",
        "outputs",
        multiple=True,
        type=Output(),
        metavar="FORMAT=PATH",
        help="Write a report to this path; repeatable. `-` is standard output, for at most one.",
    ),
    click.option(
        "--output-dir",
        type=FOLDER,
        default=Path("reports"),
        show_default=True,
        help="Folder for the reports of --format.",
    ),
    click.option(
        "--split-by",
        type=click.Choice(["organization", "contact", "owner", "tag"]),
        help="Also write reports for each one, without organizations or tokens of others.",
    ),
    click.option("--overwrite", is_flag=True, help="Replace an earlier audit's files in --output-dir."),
    click.option(
        "--manifest", is_flag=True, help="Also write the SHA-256 of every file and copies of the policy, for `verify`."
    ),
    click.option(
        "--sign",
        metavar="KEY",
        help="Sign the manifest with a private key (a PEM file, or a signer URI of securesystemslib) and chain it to "
        "the one before it.",
    ),
    click.option("--sign-public-key", type=FILE, metavar="FILE", help="The public key (PEM) of a signer URI."),
    click.option(
        "--sign-passphrase",
        metavar="REFERENCE",
        help=f"Where the passphrase of the key is: {list_built_in_forms()}.",
    ),
    click.option(
        "--chain",
        type=FOLDER,
        metavar="FOLDER",
        help="Folder of the earlier signed manifests. Default: the history names the last one.",
    ),
    click.option(
        "--fail-on",
        multiple=True,
        metavar="SEVERITY|RULE|FAMILY|never",
        help="Findings that make the audit fail (exit 1); repeatable. Default: fail_on of the configuration (high).",
    ),
    click.option("--allow-partial", is_flag=True, help="Do not fail (exit 3) if an organization is incomplete."),
    click.option(
        "--as-of",
        type=Instant(),
        metavar="DATE-OR-TIMESTAMP",
        help="Evaluate as of this instant. Default: now for `run`, the time of collection for `check`.",
    ),
    click.option(
        "--new-only",
        is_flag=True,
        help="Apply --fail-on only to findings that are new, reopened, of increased severity or no longer waived.",
    ),
    click.option(
        "--baseline",
        type=FILE,
        metavar="FILE",
        help="Earlier findings for --new-only, as written by `credly-audit baseline`.",
    ),
    click.option(
        "--sarif-without-waived",
        is_flag=True,
        help="Omit waived findings from SARIF: GitHub shows suppressed results as open alerts.",
    ),
    click.option("--no-history", is_flag=True, help="Do not read or write the history of audits."),
    click.option(
        "--skip-broken-rules", is_flag=True, help="Continue without a rule that fails; the audit is then incomplete."
    ),
)
