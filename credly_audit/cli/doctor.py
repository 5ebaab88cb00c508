"""`doctor`: each credential: does it work, does it see everything, when does it expire, what next."""

import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import click
import pandas as pd

from credly_audit.cli.collecting import collected, configured
from credly_audit.cli.logs import start_log
from credly_audit.cli.options import config_option, organization_option
from credly_audit.errors import ExitCode
from credly_audit.renderers.text import NOTHING, one_line, spoken
from credly_audit.snapshot import Snapshot

ENVIRONMENTS = {"api.credly.com": "production", "sandbox-api.credly.com": "Credly's sandbox"}

SEES = {
    "complete": "everything",
    "truncated": "read-only tokens alone",
    "unverified": "a list that nothing proves whole",
    "mismatch": "a list that contradicts itself",
    "failed": "nothing, or a part",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known of one organization's credential; instants are in UTC."""

    organization_id: str
    organization: str
    kind: str | None
    fingerprint: str | None
    status: str
    sees: str
    permissions: str | None
    expires_at: datetime | None
    days_left: int | None
    next_step: str


@click.command()
@config_option
@organization_option
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor(config: Path | None, organizations: tuple[str, ...], shape: str) -> ExitCode:
    """Tell of each credential whether it works, whether it sees everything and when it expires.

    Exit codes: 0 every credential sees everything; 3 some does not.
    """
    start_log(quiet=True, verbose=False, log_format="text")
    logging.getLogger("credly_audit.progress").setLevel(logging.ERROR)  # what it would warn of is the answer here
    settings = configured(config, organizations, None, os.environ)
    snapshot = collected(settings, os.environ, quiet=True, no_color=True)
    due = timedelta(days=settings.policy.audit_every_days + 4)
    found = [diagnosed(snapshot, row, datetime.now(UTC), due) for row in range(len(snapshot.organizations))]
    host = urlsplit(snapshot.header.base_url).hostname or ""
    about = {
        "base_url": snapshot.header.base_url,
        "environment": ENVIRONMENTS.get(host, "another host"),
        "fingerprint_key": snapshot.header.fingerprint_key,
    }
    click.echo(as_json(about, found) if shape == "json" else as_text(about, found))
    return ExitCode.OK if all(each.status == "complete" for each in found) else ExitCode.INCOMPLETE


def diagnosed(snapshot: Snapshot, row: int, now: datetime, due: timedelta) -> Diagnosis:
    """The diagnosis of the organization in that row; `due` before its expiry a credential should be rotated."""
    organization = snapshot.organizations.iloc[row]
    tokens = snapshot.tokens
    own = tokens[tokens["is_audit_credential"] & (tokens["organization_id"] == organization["organization_id"])]
    flags = own[["read_enabled", "write_enabled", "delete_enabled"]].fillna(value=False)
    names = [name.removesuffix("_enabled") for name in flags if len(own) and flags[name].iloc[0]]
    expires = organization["credential_expires_at"]
    expires_at = None if pd.isna(expires) else expires.to_pydatetime()
    if organization["status"] != "complete":
        step = organization["reason"]
    elif expires_at is not None and expires_at - now <= due:
        step = "Rotate it before it expires."
    elif len(names) == 3:  # noqa: PLR2004 - read, write and delete
        step = "Nothing now; a token with write alone would see everything too."
    else:
        step = "Nothing."
    return Diagnosis(
        organization["organization_id"],
        organization["name"],
        _known(organization["credential_kind"]),
        _known(organization["credential_fingerprint"]),
        organization["status"],
        SEES[organization["status"]],
        ", ".join(names) or None,
        expires_at,
        None if expires_at is None else (expires_at - now).days,
        step,
    )


def _known(value: str) -> str | None:
    return None if pd.isna(value) else value


def as_json(about: dict[str, str | None], found: list[Diagnosis]) -> str:
    """One object; instants as ISO 8601."""
    return json.dumps(about | {"credentials": [asdict(each) for each in found]}, default=datetime.isoformat, indent=1)


def as_text(about: dict[str, str | None], found: list[Diagnosis]) -> str:
    """A paragraph a credential, the first line of which says most."""
    now = datetime.now(UTC)
    key = about["fingerprint_key"]
    lines = [
        f"Asked {about['base_url']} ({about['environment']}).",
        f"Fingerprints: {f'under the key {key}' if key else 'SHA-256, without a key of your own'}.",
    ]
    for each in found:
        name = f"{each.kind or 'credential'} {each.fingerprint[:8] if each.fingerprint else NOTHING}"
        lines += [
            f"\n{one_line(each.organization, 60)}: {name} sees {each.sees}",
            f"  permissions: {each.permissions or 'not known'}; expires: {spoken(each.expires_at, now)}",
            f"  next: {one_line(each.next_step, 400)}",
        ]
    return "\n".join(lines)
