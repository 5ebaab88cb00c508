"""Read the secrets that a configuration refers to, before collection; a missing one is reported with its place."""

import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from pydantic import SecretStr

from credly_audit.config.settings import Organization, Settings
from credly_audit.errors import ConfigurationError
from credly_audit.process import programs
from credly_audit.secrets import (
    ClientCredentials,
    Secret,
    SecretError,
    Unavailable,
    check_sources,
    find_exposed,
    has_own_failures,
    is_reference,
    list_forms,
    mask_reference,
    read_secret,
)
from credly_audit.secrets.fingerprint import Fingerprints

log = logging.getLogger(__name__)

AT_ONCE = 16
"""How many references are read in parallel."""


def read_fingerprint_key(settings: Settings, folder: Path, environ: Mapping[str, str]) -> Secret | None:
    """Return the key of `[privacy] fingerprint_key`; ConfigurationError where it cannot be read."""
    reference = settings.privacy.fingerprint_key
    if reference is None:
        return None
    try:
        return read_secret(reference, folder, environ)
    except SecretError as error:
        raise ConfigurationError([f"[privacy] fingerprint_key: {error}"]) from None


def make_fingerprints(settings: Settings, environ: Mapping[str, str]) -> Fingerprints:
    """Return the fingerprints under the configured key, or under none; ConfigurationError where it cannot be read."""
    return Fingerprints(read_fingerprint_key(settings, settings.folder, environ))


def resolve_proxy(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Return the settings with the proxy's address in the place of a reference to it.

    ConfigurationError where it cannot be read; a warning where the configuration itself holds a password.
    """
    warn_of_password(settings)
    proxy = settings.api.proxy
    if proxy is None or not is_reference(proxy.get_secret_value()):
        return settings
    try:
        address = read_secret(proxy.get_secret_value(), settings.folder, environ)
    except SecretError as error:
        raise ConfigurationError([f"[api] proxy: {error}"]) from None
    api = settings.api.model_copy(update={"proxy": SecretStr(address.reveal())})
    return settings.model_copy(update={"api": api})


def warn_of_password(settings: Settings) -> None:
    """Warn where the configuration, as it was loaded, itself holds the proxy's password."""
    proxy = settings.api.proxy
    if proxy is not None and "@" in proxy.get_secret_value() and not is_reference(proxy.get_secret_value()):
        log.warning(
            "%s: [api] proxy contains a password, which a later version refuses: write %s for the whole address (and "
            "change the password: it was stored in a file)",
            settings.file,
            list_forms(),
        )


def read_credentials(
    organizations: tuple[Organization, ...], folder: Path, environ: Mapping[str, str], *, all_needed: bool = True
) -> dict[str, Secret | ClientCredentials | Unavailable]:
    """Return the credential of each organization by its id; each reference is read once, some at a time.

    ConfigurationError naming every secret that is missing, unless `[defaults]` made its name, or its source has
    failures of its own, as a program has: then only the organization is unavailable. So it is with whatever is missing
    where not `all_needed`.
    """
    named = {each.id: _list_references(each) for each in organizations}
    every = list(dict.fromkeys(reference for references in named.values() for reference in references))
    outcomes = read_all(every, folder, environ)
    found: dict[str, Secret | ClientCredentials | Unavailable] = {}
    missing: list[str] = []
    for each in organizations:
        failed = {name: outcomes[name] for name in named[each.id] if not isinstance(outcomes[name], Secret)}
        had = [outcome for name in named[each.id] if isinstance(outcome := outcomes[name], Secret)]
        if not failed:
            found[each.id] = had[0] if each.oauth is None else ClientCredentials(*had)
        elif not all_needed or each.from_defaults or all(map(has_own_failures, failed)):
            found[each.id] = Unavailable(f"credential could not be read: {next(iter(failed.values()))}")
        else:
            key = "token" if each.oauth is None else "oauth"
            place = f"{each.place}: {each.called}"
            missing += [f"{place}: {why}; set it or change `{key}`" for why in failed.values()]
    if missing:
        raise ConfigurationError(missing)
    for doubt in dict.fromkeys(each.doubt for each in outcomes.values() if isinstance(each, Secret) and each.doubt):
        log.warning("%s; it is used unchanged", doubt)
    _warn_of_exposed(every, folder)
    return found


def _list_references(organization: Organization) -> list[str]:
    """Return the references of an organization's credential: to the token, or to client id and secret."""
    if organization.oauth:
        return [organization.oauth.client_id, organization.oauth.client_secret]
    return [organization.token] if organization.token else []


def read_all(references: Collection[str], folder: Path, environ: Mapping[str, str]) -> dict[str, Secret | SecretError]:
    """Read each reference once, some side by side: a slow one keeps only its own organizations waiting.

    UsageError, with nothing read, where a source can see that it cannot work, or that a place is wrong.
    """
    check_sources(references, folder)
    waiting: SimpleQueue[str] = SimpleQueue()
    read_ones: SimpleQueue[tuple[str, Secret | BaseException]] = SimpleQueue()
    for reference in references:
        waiting.put(reference)

    def work() -> None:
        with suppress(Empty):
            while True:
                reference = waiting.get_nowait()
                try:
                    read_ones.put((reference, read_secret(reference, folder, environ)))
                except BaseException as error:  # noqa: BLE001 - a defect must not leave the main thread waiting
                    read_ones.put((reference, error))

    for _ in range(min(AT_ONCE, len(references))):
        Thread(target=work, daemon=True).start()
    found: dict[str, Secret | SecretError] = {}
    try:
        for _ in references:
            reference, outcome = read_ones.get()
            if isinstance(outcome, BaseException) and not isinstance(outcome, SecretError):
                raise outcome
            found[reference] = outcome
    except KeyboardInterrupt:
        programs.end_all()
        raise
    return found


def _warn_of_exposed(references: list[str], folder: Path) -> None:
    exposed = find_exposed(references, folder)
    if exposed:
        are = f"and {len(exposed) - 1} more are" if len(exposed) > 1 else "is"
        log.warning("%s %s readable by other users; run `chmod 600`", mask_reference(exposed[0]), are)
