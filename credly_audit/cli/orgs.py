"""`orgs`: the organizations that credentials can see, as configuration or CSV to paste."""

import csv
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import click
import tomlkit

from credly_audit.cli.collecting import credential_maker
from credly_audit.cli.logs import start_log
from credly_audit.cli.options import DEFAULT_CONFIG, config_option
from credly_audit.config.load import load
from credly_audit.config.settings import Api
from credly_audit.credly.client import Client, Line
from credly_audit.credly.organizations import Seen, organizations
from credly_audit.credly.trouble import NoAnswer
from credly_audit.errors import ExitCode, UsageError
from credly_audit.fingerprint import Fingerprints
from credly_audit.redaction import Redactor
from credly_audit.renderers.text import one_line
from credly_audit.secrets import ClientCredentials, Secret, Unavailable, credentials, is_reference, read


@dataclass(frozen=True, slots=True)
class Asking:
    """A credential to ask with: how it is written, and the organization that it is configured for, if any."""

    reference: str
    secret: Secret | ClientCredentials | Unavailable
    configured: str | None


@click.command()
@config_option
@click.option(
    "--credential",
    "references",
    multiple=True,
    metavar="REF",
    help="env:NAME, file:PATH, exec:COMMAND or keyring:SERVICE/USER; repeatable. Default: those of the configuration.",
)
@click.option("--format", "shape", type=click.Choice(["toml", "csv"]), default="toml", show_default=True)
def orgs(config: Path | None, references: tuple[str, ...], shape: str) -> ExitCode:
    """The organizations that the credentials can see, to paste into a configuration.

    Needs no configuration where --credential is given. Exit codes: 0 all well; 3 a credential was refused, or sees
    another organization than the one that it is configured for.
    """
    start_log(quiet=True, verbose=False, log_format="text")
    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() or not references else None)
    api, asking = _from_configuration(path, references, os.environ)
    fingerprints = Fingerprints()
    who = credential_maker(api, fingerprints)
    rows: list[tuple[Seen, str]] = []
    troubles: list[str] = []
    with Client(Line(api, Event())) as client:
        for each in asking:
            if isinstance(each.secret, Unavailable):
                troubles.append(f"{each.reference}: {each.secret.reason}")
                continue
            credential = who(each.secret)
            redact = Redactor(fingerprints.of, credential.traces).words
            try:
                seen = organizations(client, credential, redact)
            except NoAnswer as error:
                troubles.append(f"{each.reference}: {error}")
                continue
            rows += [(one, each.reference) for one in seen]
            troubles += _mismatch(each, seen)
    click.echo(written(rows, shape), nl=False)
    for trouble in troubles:
        click.echo(f"credly-audit: {one_line(trouble, 500)}", err=True)
    return ExitCode.INCOMPLETE if troubles else ExitCode.OK


def _from_configuration(
    path: Path | None, references: tuple[str, ...], environ: Mapping[str, str]
) -> tuple[Api, list[Asking]]:
    """How to ask, and with what; UsageError where a reference is none or its secret is missing."""
    settings = load(path, environ, for_collecting=not references) if path else None
    url = environ.get("CREDLY_API_URL")
    api = settings.api if settings else Api.model_validate({"base_url": url} if url else {})
    if references:
        wrong = next((reference for reference in references if not is_reference(reference)), None)
        if wrong is not None:
            raise UsageError(
                "--credential: no reference; write env:NAME, file:PATH, exec:COMMAND or keyring:SERVICE/USER"
            )
        return api, [Asking(each, read(each, Path(), environ), None) for each in references]
    assert settings is not None  # noqa: S101 - without a reference a configuration was loaded
    secrets = credentials(settings.organizations, settings.folder, environ)
    return api, [Asking(each.token or "oauth", secrets[each.id], each.id) for each in settings.organizations]


def _mismatch(asking: Asking, seen: list[Seen]) -> Iterator[str]:
    if asking.configured and asking.configured not in {each.id for each in seen}:
        others = ", ".join(f"{each.name or '?'} ({each.id})" for each in seen) or "none"
        yield (
            f"{asking.reference} is configured for organization {asking.configured}, but sees {others}: correct the "
            "id, or name the credential of that organization"
        )


def written(rows: list[tuple[Seen, str]], shape: str) -> str:
    """The organizations as `[[organizations]]` tables or as the CSV of organizations_file."""
    if shape == "csv":
        out = io.StringIO()
        sheet = csv.writer(out, lineterminator="\n")
        sheet.writerow(["id", "name", "contact", "tags", "token"])
        sheet.writerows([each.id, each.name or "", each.contact_email or "", "", reference] for each, reference in rows)
        return out.getvalue()
    document = tomlkit.document()
    tables = tomlkit.aot()
    for each, reference in rows:
        said = {"id": each.id, "name": each.name, "contact": each.contact_email, "token": reference}
        tables.append(tomlkit.item({key: value for key, value in said.items() if value}))
    document["organizations"] = tables
    return tomlkit.dumps(document) if rows else ""
