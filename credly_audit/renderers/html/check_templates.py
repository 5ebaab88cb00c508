"""Tries a team's templates on two made-up audits that have a little of everything, before the real one is made."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from credly_audit.audit.comparison import REMOVED, RESOLVED, Comparison
from credly_audit.audit.evaluate import judge
from credly_audit.audit.model import Audit, Gate
from credly_audit.audit.prior import MENDED, TREND, frame_of, nothing
from credly_audit.config.decision_models import Plan, Waiver
from credly_audit.config.presentation import Presentation
from credly_audit.config.settings import PolicySettings
from credly_audit.errors import UsageError
from credly_audit.policy.policy import Policy
from credly_audit.renderers.html.page import facts
from credly_audit.renderers.html.templates import OURS, templates
from credly_audit.rules import catalogue
from credly_audit.severity import Severity
from credly_audit.snapshot import APPLICATIONS, ORGANIZATIONS, TOKENS, Header, Snapshot, conform

SUFFIXES = frozenset(Path(name).suffix for name in OURS)

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
SEEN, HIDDEN = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


def tried(presentation: Presentation) -> None:
    """UsageError, with file and line, for a template that cannot be read or filled in."""
    folder = presentation.templates
    if folder is not None:
        _must_be_templates(folder)
    for audit in (_full(), _bare()):
        for _ in templates(folder).page(facts(replace(audit, presentation=presentation))):
            pass


def _must_be_templates(folder: Path) -> None:
    if not any((folder / name).is_file() for name in OURS):
        raise UsageError(f"[report] templates: no file in {folder} takes the place of one of {', '.join(OURS)}")
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            try:
                path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                raise UsageError(f"[report] templates: {path} cannot be read ({why})") from None


def _bare() -> Audit:
    header = Header(WHEN, "0", "https://api.credly.com/v1", None, ())
    collected = Snapshot(header, conform({}, TOKENS), conform({}, ORGANIZATIONS))
    return judge(
        collected, Policy(PolicySettings()), Gate(), catalogue(), as_of=WHEN, generated_at=WHEN, skip_broken_rules=True
    )


def _full() -> Audit:
    header = Header(WHEN, "0", "https://api.credly.com/v1", None, (SEEN, HIDDEN), oauth_applications_asked=True)
    tokens = {
        "organization_id": [SEEN, SEEN],
        "organization_name": ["One", "One"],
        "token_id": [HIDDEN, SEEN],
        "description": ["test", None],
        "write_enabled": [True, True],
        "created_at": [WHEN - timedelta(days=100)] * 2,
        "expires_at": [WHEN + timedelta(days=3), WHEN - timedelta(days=3)],
    }
    organizations = {
        "organization_id": [SEEN, HIDDEN],
        "name": ["One", "Other"],
        "status": ["complete", "failed"],
        "reason": ["All was read.", "Nobody answered."],
        "tokens": [2, 0],
    }
    applications = {"organization_id": [SEEN], "application_id": [SEEN], "name": ["Application"]}
    frames = (conform(tokens, TOKENS), conform(organizations, ORGANIZATIONS), conform(applications, APPLICATIONS))
    decided: dict[str, Any] = {"organization": SEEN, "reason": "A trial", "approved_on": WHEN.date()}
    waiver = Waiver(rule="DOC002", approved_by="Somebody", expires=WHEN.date(), **decided)
    plan = Plan(rule="EXP001", owner="Somebody", until=WHEN.date(), **decided)
    policy = Policy(PolicySettings(), (waiver,), (plan,))
    audit = judge(
        Snapshot(header, *frames), policy, Gate(), catalogue(), as_of=WHEN, generated_at=WHEN, skip_broken_rules=True
    )
    trend = frame_of({name: [1, 1] for name in TREND} | {"as_of": [WHEN, WHEN], "outcome": ["pass", "pass"]}, TREND)
    one = {"organization_id": [SEEN], "organization_name": ["Former"], "last_audited_at": [WHEN]}
    removed = frame_of(one | {"open_findings": [1], "highest_severity": [Severity.HIGH]}, REMOVED)
    return replace(audit, compared=Comparison(WHEN, nothing(RESOLVED), nothing(MENDED), trend, removed))
