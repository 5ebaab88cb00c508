"""What `run` and `collect` share: the settings, the credentials, and a collection that a person can watch."""

import logging
from collections.abc import Mapping
from pathlib import Path

from credly_audit.collection.collect_snapshot import Ask, collect
from credly_audit.collection.progress import observer
from credly_audit.config.credentials import read_credentials
from credly_audit.config.load import load
from credly_audit.config.settings import Settings
from credly_audit.credly.host import Host
from credly_audit.credly.make_credentials import make_credential_maker
from credly_audit.secrets import Unavailable
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.snapshot import Part, Snapshot
from credly_audit.text import count

log = logging.getLogger(__name__)


def load_settings(
    config: Path,
    organizations: tuple[str, ...],
    workers: int | None,
    environ: Mapping[str, str],
    *,
    all_rules: bool = True,
) -> Settings:
    """Read the settings of the file, narrowed by the options; every mistake in one ConfigurationError."""
    settings = load(config, environ, all_rules=all_rules)
    if organizations:
        settings = settings.only(organizations, by_name=True)
    return settings.with_workers(workers) if workers else settings


def collect_snapshot(
    settings: Settings,
    fingerprints: Fingerprints,
    environ: Mapping[str, str],
    *,
    quiet: bool,
    no_color: bool,
    all_needed: bool = True,
    subset: bool = False,
) -> Snapshot:
    """Collect the tokens of the configured organizations; a `subset` of them is named as a part in the snapshot.

    ConfigurationError, before the first request, where a credential is missing and all are needed. The log names the
    host that gets the credentials when the configuration and the secrets are known to be valid.
    """
    way = Host.of(settings.api).way
    secrets = read_credentials(settings.organizations, settings.folder, environ, all_needed=all_needed)
    who = make_credential_maker(settings.api, fingerprints)
    asks = [
        Ask(organization, secret if isinstance(secret := secrets[organization.id], Unavailable) else who(secret))
        for organization in settings.organizations
    ]
    organizations = count(len(asks), "organization", "organizations")
    log.info("Collecting %s from %s", organizations, way)
    part = Part.of_organizations([ask.organization.id for ask in asks]) if subset else None
    return collect(
        asks,
        settings.api,
        fingerprints,
        observer=observer(quiet=quiet, no_color=no_color),
        part=part,
        configuration_digest=settings.digest,
    )
