"""`orgs`: list the organizations that credentials can access, as configuration or CSV."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import tomlkit

from credly_audit.cli.logs import start_log
from credly_audit.cli.options import config_option
from credly_audit.cli.screen import print_document, print_warning
from credly_audit.config.load import COLUMNS
from credly_audit.config.settings import OAuth
from credly_audit.credly.organizations import ListedOrganization
from credly_audit.errors import ExitCode
from credly_audit.operations.list_organizations import NamedCredential, list_organizations, name_organization
from credly_audit.secrets import list_built_in_forms
from credly_audit.text import csv_field, one_line

Row = tuple[ListedOrganization, NamedCredential]
"""An organization, and the credential that can access it."""


@click.command()
@config_option
@click.option(
    "--credential",
    "references",
    multiple=True,
    metavar="REF",
    help=f"{list_built_in_forms()}; repeatable. Default: those of the configuration.",
)
@click.option("--format", "shape", type=click.Choice(["toml", "csv"]), default="toml", show_default=True)
def orgs(config: Path | None, references: tuple[str, ...], shape: str) -> ExitCode | None:
    """List the organizations that the credentials can access, as configuration or CSV to paste.

    With --credential no configuration is needed. Exit codes: 0 success; 3 a credential was refused, or belongs to
    another organization than the configured one.
    """
    start_log(quiet=True, verbose=False, log_format="text")
    found = list_organizations(config, references, os.environ, print_warning)
    troubles = list(found.troubles)
    if shape == "csv":
        troubles += [
            f"{each.called}: organizations_file has no column for `oauth`; "
            f"use --format toml for {name_organization(one)}"
            for one, each in found.rows
            if isinstance(each.written, OAuth)
        ]
    print_document(format_csv(found.rows) if shape == "csv" else format_toml(found.rows))
    for trouble in troubles:
        print_warning(trouble)
    return ExitCode.INCOMPLETE if troubles else None


def format_csv(rows: Sequence[Row]) -> str:
    """Return the organizations as the CSV of organizations_file; a credential that has no column there is left out."""
    out = io.StringIO()
    sheet = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    sheet.writeheader()
    sheet.writerows(
        {
            "id": each.id,
            "name": csv_field(one_line(each.name or "")),
            "contact": csv_field(one_line(each.contact or "")),
            "token": "" if isinstance(credential.written, OAuth) else credential.written,
        }
        for each, credential in rows
    )
    return out.getvalue()


def format_toml(rows: Sequence[Row]) -> str:
    """Return the organizations as `[[organizations]]` tables."""
    document = tomlkit.document()
    tables = tomlkit.aot()
    for each, credential in rows:
        said: dict[str, Any] = {
            "id": each.id,
            "name": one_line(each.name or ""),
            "contact": one_line(each.contact or ""),
        }
        table = tomlkit.item({key: value for key, value in said.items() if value})
        table["oauth" if isinstance(credential.written, OAuth) else "token"] = _make_value(credential.written)
        tables.append(table)
    document["organizations"] = tables
    return tomlkit.dumps(document) if rows else ""


def _make_value(credential: str | OAuth) -> Any:
    if isinstance(credential, str):
        return credential
    inline = tomlkit.inline_table()
    inline.update(credential.model_dump())
    return inline
