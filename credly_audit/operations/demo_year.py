"""The year before the demo's audit: the sample organizations as they were, audited month after month.

What the sample data show of today tells most of yesterday: a token that expires 180 days after a day was rotated on it
and had another value before. Beside that, some tokens of that year are gone today, and some had fewer permissions.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.model import Gate
from credly_audit.audit.prior import Prior
from credly_audit.config.credentials import make_fingerprints
from credly_audit.errors import UsageError
from credly_audit.operations.audit_options import AuditOptions
from credly_audit.operations.collecting import collect_snapshot, load_settings
from credly_audit.operations.prior_audits import PriorAudits
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import LIFETIME, SandboxOrganization, Token, World

MONTHS = 11
"""How many audits come before the demo's own."""

BETWEEN = timedelta(days=31)

FIRST = datetime(2026, 1, 15, tzinfo=UTC)
"""From when on things change."""

MANY = 20
"""In an organization with so many tokens every fifth is one of a pair: beside it stood another, which is gone today."""


def record_earlier_audits(world: World, config: Path, environ: Mapping[str, str]) -> None:
    """Audit the organizations as they were in each of the months before, and record these audits."""
    assert world.as_of is not None  # noqa: S101 - the sample data have it
    credentials = {path.read_text().strip() for path in (config.parent / "secrets").iterdir()}
    for number in range(MONTHS, 0, -1):
        at = world.as_of - number * BETWEEN
        with Sandbox(rewind(world, at, credentials), now=at) as sandbox:
            record_audit(config, dict(environ) | {"CREDLY_API_URL": sandbox.base_url}, at)


def record_audit(config: Path, environ: Mapping[str, str], at: datetime) -> None:
    """Collect, evaluate and record one audit as of an instant; nothing is reported."""
    settings = load_settings(config, (), None, environ)
    fingerprints = make_fingerprints(settings, environ)
    snapshot = collect_snapshot(settings, fingerprints, environ, quiet=True, no_color=True)
    snapshot = replace(snapshot, header=replace(snapshot.header, collected_at=at))
    prior = PriorAudits.from_options(AuditOptions(config=config, record=True), settings, environ)
    with prior.past(at) as past:
        gate = Gate(settings.policy.fail_on)
        audit = evaluate(snapshot, Policy.of(settings), gate, catalogue(), as_of=at, prior=Prior(past))
        prior.record_audit(audit)


def rewind(world: World, at: datetime, credentials: set[str]) -> World:
    """Return the organizations as they were at an instant; the tokens of the audit itself are as they are."""
    return World([replace(each, tokens=list(_rewind_tokens(each, at, credentials))) for each in world.organizations])


def _rewind_tokens(organization: SandboxOrganization, at: datetime, credentials: set[str]) -> Iterator[Token]:
    many = len(organization.tokens) >= MANY
    for number, token in enumerate(organization.tokens):
        if token.token in credentials:
            created = token.created_at
            yield replace(token, created_at=created and min(created, at - timedelta(days=1)))
            continue
        if token.created_at is not None and token.created_at > at:
            continue
        yield _rewind_token(token, at, is_escalated=many and number % 23 == 7)  # noqa: PLR2004 - some
        if many and number % 5 == 0 and at < _choose_turning_point(token):
            yield make_twin(token)


def _rewind_token(token: Token, at: datetime, *, is_escalated: bool) -> Token:
    """Return a token with the expiration date and the value that it had, and maybe with fewer permissions."""
    expires, rotations = token.expires_at, 0
    while expires is not None and expires - LIFETIME > at:
        expires, rotations = expires - LIFETIME, rotations + 1
    value = token.token if not rotations else _make_value(f"{token.id}/{rotations}")
    narrower = is_escalated and at < _choose_turning_point(token)
    write = False if narrower and token.write_enabled else token.write_enabled
    return replace(token, expires_at=expires, token=value, write_enabled=write)


def make_twin(token: Token) -> Token:
    """Return a token that stood beside another one until its turning point, and is gone today."""
    twin_id = f"{hashlib.sha256(token.id.encode()).hexdigest()[:8]}{token.id[8:]}"
    gone = _choose_turning_point(token)
    return Token(
        twin_id,
        _make_value(twin_id),
        f"{token.description} (to be replaced)" if token.description else None,
        created_at=gone - timedelta(days=170),
        expires_at=gone + timedelta(days=10),
    )


def _choose_turning_point(token: Token) -> datetime:
    """Return an instant of that year, another one for each token, at which something about it changed."""
    return FIRST + timedelta(days=int(hashlib.sha256(token.id.encode()).hexdigest(), 16) % 270)


def _make_value(name: str) -> str:
    return f"MADE-UP-{hashlib.sha256(name.encode()).hexdigest()[:28]}"


def prepare(data: Path, folder: Path, output_dir: Path) -> Path:
    """Copy the sample configuration with its secrets, which only their owner may read; return its path.

    Its history is a file in the folder of the reports, and begins anew; the user's own is not opened.
    """
    history = (output_dir / "history.sqlite").resolve()
    try:
        history.parent.mkdir(parents=True, exist_ok=True)
        for each in history.parent.glob("history.sqlite*"):
            each.unlink()
    except OSError as error:
        raise UsageError(f"--output-dir: {output_dir} cannot be used ({error.strerror}); name another folder") from None
    config = Path(shutil.copy(data / "credly-audit.toml", folder))
    shutil.copy(data / "waivers.toml", folder)
    text = config.read_text(encoding="utf-8").replace("[policy]\n", '[policy]\nwaivers_file = "waivers.toml"\n', 1)
    config.write_text(f'{text}\n[history]\nname = "demo"\nurl = "sqlite:///{history}"\n', encoding="utf-8")
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)
    for secret in (data / "secrets").iterdir():
        Path(shutil.copy(secret, secrets)).chmod(0o600)
    return config
