"""What `run` and `collect` share: the settings, the credentials, and a collection that a person can watch."""

import logging
from collections.abc import Mapping
from pathlib import Path

from credly_audit.collection.collect import Ask, collect
from credly_audit.collection.progress import observer
from credly_audit.config.credentials import read_credentials, resolve_proxy, warn_of_password
from credly_audit.config.load import load
from credly_audit.config.settings import Settings
from credly_audit.credly.credentials import credential_maker
from credly_audit.credly.host import Host
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
        settings = settings.only(organizations)
    return settings.with_workers(workers) if workers else settings


def begin_log(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Name the host that gets the credentials, when nothing is left that the usage could have wrong.

    Return the settings with the proxy's address; ConfigurationError where that cannot be read.
    """
    settings, written = resolve_proxy(settings, environ), settings
    organizations = count(len(settings.organizations), "organization", "organizations")
    log.info("Going to ask %s for %s", Host.of(settings.api).way, organizations)
    warn_of_password(written)
    return settings


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

    ConfigurationError, before the first request, where a credential is missing and all are needed.
    """
    secrets = read_credentials(settings.organizations, settings.folder, environ, all_needed=all_needed)
    who = credential_maker(settings.api, fingerprints)
    asks = [
        Ask(organization, secret if isinstance(secret := secrets[organization.id], Unavailable) else who(secret))
        for organization in settings.organizations
    ]
    part = Part.of_organizations([ask.organization.id for ask in asks]) if subset else None
    return collect(
        asks,
        settings.api,
        fingerprints,
        observer=observer(quiet=quiet, no_color=no_color),
        part=part,
        configuration_digest=settings.digest,
    )
