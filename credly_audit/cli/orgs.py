"""`orgs`: list the organizations that credentials can access, as configuration or CSV."""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import click
import tomlkit

from credly_audit.cli.logs import start_log
from credly_audit.cli.options import config_option
from credly_audit.cli.screen import print_document, print_lines
from credly_audit.config.credentials import read_credentials, resolve_proxy
from credly_audit.config.load import COLUMNS, load
from credly_audit.config.settings import Api, OAuth
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.credly.client import Client, Line
from credly_audit.credly.make_credentials import make_credential_maker
from credly_audit.credly.organizations import ListedOrganization, organizations, owner
from credly_audit.credly.pace import Throttled
from credly_audit.credly.transport_errors import NoAnswer
from credly_audit.errors import ExitCode, UsageError
from credly_audit.secrets import (
    ClientCredentials,
    Secret,
    Unavailable,
    find_mistake,
    is_reference,
    list_built_in_forms,
    list_forms,
    mask_reference,
    read_secret,
)
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.secrets.redaction import Redactor
from credly_audit.text import csv_field, one_line


@dataclass(frozen=True, slots=True)
class Asking:
    """A credential to ask with: how it is written, and the organization that it is configured for, if any."""

    written: str | OAuth
    secret: Secret | ClientCredentials | Unavailable
    configured: str | None

    @property
    def called(self) -> str:
        """The reference as it may be shown."""
        if isinstance(self.written, OAuth):
            return f"oauth {mask_reference(self.written.client_id)}"
        return mask_reference(self.written)


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
    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() or not references else None)
    api, asking = _from_configuration(path, references, os.environ)
    found: dict[str, tuple[ListedOrganization, Asking]] = {}
    troubles: list[str] = []
    for each, seen in _answers(api, asking):
        if isinstance(seen, str):
            troubles.append(f"{each.called}: {seen}")
            continue
        for one in seen:
            first = found.setdefault(one.id, (one, each))[1]
            if first is not each:
                print_lines(
                    f"credly-audit: {each.called} can access {_called(one)} too; {first.called} is kept", err=True
                )
        troubles += _mismatch(each, seen)
    rows = list(found.values())
    if shape == "csv":
        troubles += [
            f"{each.called}: organizations_file has no column for `oauth`; use --format toml for {_called(one)}"
            for one, each in rows
            if isinstance(each.written, OAuth)
        ]
    print_document(as_csv(rows) if shape == "csv" else as_toml(rows))
    for trouble in troubles:
        print_lines(f"credly-audit: {trouble}", err=True)
    return ExitCode.INCOMPLETE if troubles else None


def _from_configuration(
    path: Path | None, references: tuple[str, ...], environ: Mapping[str, str]
) -> tuple[Api, list[Asking]]:
    """How to ask, and with what; UsageError where a reference is none or its secret is missing."""
    settings = load(path, environ, for_collecting=not references) if path else None
    if settings:
        settings = resolve_proxy(settings, environ)
    url = environ.get("CREDLY_API_URL")
    api = settings.api if settings else Api.model_validate({"base_url": url} if url else {})
    if references:
        if not all(map(is_reference, references)):
            mistake = next(filter(None, map(find_mistake, references)), f"no reference; write {list_forms()}")
            raise UsageError(f"--credential: {mistake}")
        return api, [Asking(each, read_secret(each, Path(), environ), None) for each in dict.fromkeys(references)]
    assert settings is not None  # noqa: S101 - without a reference a configuration was loaded
    secrets = read_credentials(settings.organizations, settings.folder, environ)
    return api, [Asking(each.oauth or each.token or "", secrets[each.id], each.id) for each in settings.organizations]


def _answers(api: Api, asking: Sequence[Asking]) -> Iterator[tuple[Asking, list[ListedOrganization] | str]]:
    """What each credential sees, or why that is not known."""
    fingerprints = Fingerprints()
    who = make_credential_maker(api, fingerprints)
    with Client(Line(api, Event())) as client:
        for each in asking:
            if isinstance(each.secret, Unavailable):
                yield each, each.secret.reason
                continue
            credential = who(each.secret)
            redactor = Redactor(fingerprints.of, credential.traces)
            try:
                if credential.kind == "oauth" and each.configured:
                    yield each, owner(client, credential, each.configured, redactor)
                else:
                    yield each, organizations(client, credential, redactor)
            except (NoAnswer, Throttled) as error:
                yield each, str(error)


def _mismatch(asking: Asking, seen: list[ListedOrganization]) -> Iterator[str]:
    if asking.configured and asking.configured not in {each.id for each in seen}:
        others = ", ".join(map(_called, seen)) or "none that is known"
        yield (
            f"{asking.called} is configured for organization {asking.configured}, but belongs to {others}: correct the "
            "id, or name the credential of that organization"
        )


def _called(organization: ListedOrganization) -> str:
    return f"{one_line(organization.name or '?', 60)} ({organization.id})"


def as_csv(rows: Sequence[tuple[ListedOrganization, Asking]]) -> str:
    """The organizations as the CSV of organizations_file; a credential that has no column there is left out."""
    out = io.StringIO()
    sheet = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    sheet.writeheader()
    sheet.writerows(
        {
            "id": each.id,
            "name": csv_field(one_line(each.name or "")),
            "contact": csv_field(one_line(each.contact or "")),
            "token": "" if isinstance(asking.written, OAuth) else asking.written,
        }
        for each, asking in rows
    )
    return out.getvalue()


def as_toml(rows: Sequence[tuple[ListedOrganization, Asking]]) -> str:
    """The organizations as `[[organizations]]` tables."""
    document = tomlkit.document()
    tables = tomlkit.aot()
    for each, asking in rows:
        said: dict[str, Any] = {
            "id": each.id,
            "name": one_line(each.name or ""),
            "contact": one_line(each.contact or ""),
        }
        table = tomlkit.item({key: value for key, value in said.items() if value})
        table["oauth" if isinstance(asking.written, OAuth) else "token"] = _written(asking.written)
        tables.append(table)
    document["organizations"] = tables
    return tomlkit.dumps(document) if rows else ""


def _written(credential: str | OAuth) -> Any:
    if isinstance(credential, str):
        return credential
    inline = tomlkit.inline_table()
    inline.update(credential.model_dump())
    return inline
