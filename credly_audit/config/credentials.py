"""The secrets that a configuration refers to, read before anything is asked; a missing one is told with its place."""

import logging
import os
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from pydantic import SecretStr

from credly_audit import programs
from credly_audit.config.settings import Organization, Settings
from credly_audit.errors import ConfigurationError
from credly_audit.files.paths import BadPath, local_path
from credly_audit.secrets import (
    ClientCredentials,
    Secret,
    SecretError,
    Unavailable,
    is_reference,
    must_have_for,
    read,
    shown,
)
from credly_audit.secrets.fingerprint import Fingerprints

log = logging.getLogger(__name__)

AT_ONCE = 16
"""How many references are read side by side."""


def fingerprint_key(settings: Settings, folder: Path, environ: Mapping[str, str]) -> Secret | None:
    """The key of `[privacy] fingerprint_key`; ConfigurationError where it cannot be had."""
    reference = settings.privacy.fingerprint_key
    if reference is None:
        return None
    try:
        return read(reference, folder, environ)
    except SecretError as error:
        raise ConfigurationError([f"[privacy] fingerprint_key: {error}"]) from None


def fingerprints_of(settings: Settings, environ: Mapping[str, str]) -> Fingerprints:
    """Return the fingerprints under the configured key, or under none; ConfigurationError where it cannot be read."""
    return Fingerprints(fingerprint_key(settings, settings.folder, environ))


def with_proxy(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Return the settings with the proxy's address in the place of a reference to it.

    ConfigurationError where it cannot be read.
    """
    proxy = settings.api.proxy
    if proxy is None or not is_reference(proxy.get_secret_value()):
        return settings
    try:
        address = read(proxy.get_secret_value(), settings.folder, environ)
    except SecretError as error:
        raise ConfigurationError([f"[api] proxy: {error}"]) from None
    api = settings.api.model_copy(update={"proxy": SecretStr(address.reveal())})
    return settings.model_copy(update={"api": api})


def warn_of_password(settings: Settings) -> None:
    """Warn where the configuration, as it was loaded, itself holds the proxy's password."""
    proxy = settings.api.proxy
    if proxy is not None and "@" in proxy.get_secret_value() and not is_reference(proxy.get_secret_value()):
        log.warning(PROXY_WARNING, settings.file)


PROXY_WARNING = (
    "%s: [api] proxy holds a password, which a later version refuses: write env:NAME, file:PATH, exec:COMMAND or "
    "keyring:SERVICE/USER for the whole address (and change the password: it has stood in a file)"
)


def credentials(
    organizations: tuple[Organization, ...], folder: Path, environ: Mapping[str, str], *, all_needed: bool = True
) -> dict[str, Secret | ClientCredentials | Unavailable]:
    """The credential of each organization by its id; each reference is read once, programs some at a time.

    ConfigurationError naming every `env:` and `file:` secret that is missing, unless `[defaults]` made its name: that,
    and a program that fails, makes the organization unavailable, and the others go on. So does whatever is missing
    where not `all_needed`.
    """
    named = {each.id: _references(each) for each in organizations}
    every = list(dict.fromkeys(reference for references in named.values() for reference in references))
    outcomes = all_read(every, folder, environ)
    found: dict[str, Secret | ClientCredentials | Unavailable] = {}
    missing: list[str] = []
    for each in organizations:
        failed = {name: outcomes[name] for name in named[each.id] if not isinstance(outcomes[name], Secret)}
        had = [outcome for name in named[each.id] if isinstance(outcome := outcomes[name], Secret)]
        if not failed:
            found[each.id] = had[0] if each.oauth is None else ClientCredentials(*had)
        elif not all_needed or each.from_defaults or all(name.startswith(("exec:", "keyring:")) for name in failed):
            found[each.id] = Unavailable(f"its credential could not be had: {next(iter(failed.values()))}")
        else:
            key = "token" if each.oauth is None else "oauth"
            place = f"{each.place}: {each.called}"
            missing += [f"{place}: {why}; set it, or mend `{key}`" for why in failed.values()]
    if missing:
        raise ConfigurationError(missing)
    _say_failures([value.reason for value in found.values() if isinstance(value, Unavailable)])
    for doubt in dict.fromkeys(each.doubt for each in outcomes.values() if isinstance(each, Secret) and each.doubt):
        log.warning("%s; it is used unchanged", doubt)
    _warn_of_readable(every, folder)
    return found


def _references(organization: Organization) -> list[str]:
    """Those of its own credential: of the token, or of client id and secret."""
    if organization.oauth:
        return [organization.oauth.client_id, organization.oauth.client_secret]
    return [organization.token] if organization.token else []


def all_read(references: Collection[str], folder: Path, environ: Mapping[str, str]) -> dict[str, Secret | SecretError]:
    """Read each reference once, some side by side: a slow one keeps only its own organizations waiting.

    MissingExtra, with nothing read, where one needs an extra that is not installed.
    """
    for reference in references:
        must_have_for(reference)
    waiting: SimpleQueue[str] = SimpleQueue()
    read_ones: SimpleQueue[tuple[str, Secret | BaseException]] = SimpleQueue()
    for reference in references:
        waiting.put(reference)

    def work() -> None:
        with suppress(Empty):
            while True:
                reference = waiting.get_nowait()
                try:
                    read_ones.put((reference, read(reference, folder, environ)))
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


def _say_failures(reasons: list[str]) -> None:
    for reason, many in Counter(reasons).items():
        log.warning("%s (%d organization%s)", reason, many, "" if many == 1 else "s")


def _warn_of_readable(references: list[str], folder: Path) -> None:
    names = [reference.partition(":")[2] for reference in dict.fromkeys(references) if reference.startswith("file:")]
    open_to_all = [name for name in names if _others_may_read(name, folder)]
    if open_to_all:
        rest = f" and {len(open_to_all) - 1} more" if len(open_to_all) > 1 else ""
        first = shown(f"file:{open_to_all[0]}")
        log.warning("others may read %s%s; `chmod 600` keeps a secret to its owner", first, rest)


def _others_may_read(name: str, folder: Path) -> bool:
    try:
        return os.name == "posix" and bool(local_path(name.strip(), folder).stat().st_mode & 0o077)
    except (OSError, BadPath):
        return False
