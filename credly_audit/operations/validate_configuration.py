"""Validate a configuration: the file, the register that it names, its patterns and, where asked for, its secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from credly_audit.audit.redact_texts import redact_own_texts
from credly_audit.config.credentials import read_all, read_credentials, read_fingerprint_key, warn_of_password
from credly_audit.config.load import load
from credly_audit.config.mistakes import Location, dotted
from credly_audit.config.presentation import Presentation
from credly_audit.config.settings import Override, PolicySettings, Settings
from credly_audit.config.source import Source
from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.patterns.hostile import find_hostile_text
from credly_audit.policy.policy import Policy
from credly_audit.policy.register_file import Register
from credly_audit.secrets import ClientCredentials, Secret, SecretError, Unavailable, is_reference
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.secrets.redaction import Redactor

LACKS_FIELD = "DOC004"
"""The rule whose options are patterns."""


@dataclass(frozen=True, slots=True)
class ValidConfiguration:
    """A configuration without mistakes, how many entries its register has, and sentences on what is still risky."""

    settings: Settings
    register_entries: int
    warnings: tuple[str, ...]


def validate_configuration(path: Path, environ: Mapping[str, str], *, secrets: bool) -> ValidConfiguration:
    """Validate a file and those that it names; ConfigurationError with every mistake.

    With `secrets` every secret is read, and the texts of the configuration are searched for their values.
    """
    settings, mistakes = _load(path, environ)
    register = settings.policy.register_file if settings else _find_register(path)
    entries = 0
    if register is not None:
        try:
            entries = len(Register.read(register).entries)
        except ConfigurationError as error:
            mistakes += error.mistakes
        except UsageError as error:
            mistakes.append(str(error))
    if settings is not None and secrets:
        mistakes += list(_find_missing(settings, environ))
    if mistakes or settings is None:
        raise ConfigurationError(mistakes)
    warn_of_password(settings)
    warnings = [
        *_find_slow_patterns(settings.policy, Source(path)),
        *(_find_values(settings, environ) if secrets else ()),
    ]
    return ValidConfiguration(settings, entries, tuple(warnings))


def _load(path: Path, environ: Mapping[str, str]) -> tuple[Settings | None, list[str]]:
    """Return the settings, and what is wrong; UsageError where there is no such file."""
    try:
        return load(path, environ), []
    except ConfigurationError as error:
        return None, error.mistakes


def _find_register(path: Path) -> Path | None:
    """Return the register that a file names, whatever else is wrong in it."""
    try:
        return Source(path).named_file("policy", "register")
    except ConfigurationError:
        return None


def _find_slow_patterns(policy: PolicySettings, source: Source) -> Iterator[str]:
    """Yield a sentence for each pattern that some short text keeps busy for longer than an audit would wait."""
    for location, pattern in _list_patterns(policy):
        text = find_hostile_text(pattern)
        if text is not None:
            yield (
                f"{source.path}:{source.line(location)}: {dotted(location)}: the pattern takes too long for "
                f"some descriptions, such as {text[:20]!r}… of {len(text)} characters; an audit that meets one "
                "ends with exit code 4. Write it without repetitions that can share letters, such as (a|aa)+"
            )


def _list_patterns(policy: PolicySettings) -> Iterator[tuple[Location, str]]:
    """Yield every pattern of the policy and of its overrides, and where it stands."""
    tables: list[tuple[Location, PolicySettings | Override]] = [(("policy",), policy)]
    tables += [(("policy", "overrides", number), each) for number, each in enumerate(policy.overrides)]
    for place, table in tables:
        for number, purpose in enumerate(table.purposes or ()):
            yield (*place, "purposes", number, "pattern"), purpose.pattern
        required: dict[str, str] = getattr(table.rules, LACKS_FIELD).required_patterns
        for name, pattern in required.items():
            yield (*place, "rules", LACKS_FIELD, "required_patterns", name), pattern


def _find_missing(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each secret that cannot be read."""
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


def _find_values(settings: Settings, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return where the configuration, or a file that it names, holds the value of a configured credential."""
    fingerprints = Fingerprints()
    found = read_credentials(settings.organizations, settings.folder, environ).values()
    values = [each for each in found if isinstance(each, Secret)]
    values += [each.client_secret for each in found if isinstance(each, ClientCredentials)]
    traces = [trace for value in values if (trace := fingerprints.trace(value.reveal()))]
    shown = Presentation.read(settings.report.title, None, settings.report.guidance, None)
    return redact_own_texts(Policy.of(settings), shown, settings, Redactor(fingerprints.digest, traces)).found
