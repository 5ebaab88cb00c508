"""Evaluate a snapshot by the policy of a configuration, beside the audits before it; no secret value is left in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.gate import check_gate
from credly_audit.audit.model import Audit, Gate, Places
from credly_audit.audit.policy_change import compare_policies
from credly_audit.audit.prior import Past, Prior
from credly_audit.audit.redact_texts import OwnTexts, make_redactor, redact_own_texts, redact_past, redact_settings
from credly_audit.config.presentation import Presentation
from credly_audit.config.settings import ReportSettings, Settings
from credly_audit.errors import HistoryLost
from credly_audit.instants import shift
from credly_audit.notify.correspondence import name_recipients
from credly_audit.operations.audit_options import AuditOptions
from credly_audit.operations.policy_files import find_places
from credly_audit.operations.prior_audits import PriorAudits
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.secrets.redaction import Redactor
from credly_audit.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An audit, the redactor that knows the values of its collection, and why the history could not be read, if so."""

    audit: Audit
    redactor: Redactor
    history_lost: HistoryLost | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How a snapshot is to be evaluated."""

    settings: Settings
    policy: Policy
    gate: Gate
    presentation: Presentation = field(default_factory=Presentation)
    places: Places = field(default_factory=Places)
    prior_audits: PriorAudits = field(default_factory=PriorAudits)
    against: Policy | None = None
    """Another policy, with which the audit compares this one."""

    as_of: datetime | None = None
    skip_broken_rules: bool = False

    @classmethod
    def from_options(
        cls, options: AuditOptions, settings: Settings, environ: Mapping[str, str], *, against: Policy | None = None
    ) -> "Evaluation":
        """Read what the options and the settings name; UsageError for a mistake in them."""
        policy = Policy.of(settings)
        prior_audits = PriorAudits.from_options(options, settings, environ)
        selectors = check_gate(options.fail_on, list(catalogue()), policy.settings.disable)
        return cls(
            settings=settings,
            policy=policy,
            gate=Gate(selectors or policy.settings.fail_on, options.allow_partial, options.new_only),
            presentation=read_presentation(settings.report, sarif_without_waived=options.sarif_without_waived),
            places=find_places(settings, environ, options.snapshots),
            prior_audits=prior_audits,
            against=against,
            as_of=options.as_of,
            skip_broken_rules=options.skip_broken_rules,
        )

    def evaluate(
        self, snapshot: Snapshot, fingerprints: Fingerprints | None, *, now: datetime | None = None
    ) -> Evaluated:
        """Return the audit of a snapshot.

        `fingerprints` are under the snapshot's key; without that, what the team wrote is searched by shape only.
        """
        generated_at = now or datetime.now(UTC).replace(microsecond=0)
        as_of = self.as_of or max(generated_at, full_second(snapshot.header.collected_at))
        redactor = make_redactor(snapshot, fingerprints)
        own = redact_own_texts(self.policy, self.presentation, self.settings, redactor)
        lost = None
        try:
            with self.prior_audits.past(as_of) as past:
                audit = self._evaluate(snapshot, own, as_of, past and redact_past(past, redactor))
                if past is not None:
                    contacts = audit.organizations["contact"].dropna().unique()
                    undelivered = name_recipients(past.undelivered, map(str, contacts), fingerprints)
                    audit = replace(audit, undelivered=undelivered)
        except HistoryLost as error:
            lost, audit = error, self._evaluate(snapshot, own, as_of, None)
        audit = replace(
            audit,
            policy=replace(own.policy, settings=redact_settings(own.policy.settings, redactor)),
            presentation=own.presentation,
            limitations=own.found,
            generated_at=generated_at,
            places=self.places,
        )
        return Evaluated(audit, redactor, lost)

    def _evaluate(self, snapshot: Snapshot, own: OwnTexts, as_of: datetime, past: Past | None) -> Audit:
        def evaluate_by(policy: Policy) -> Audit:
            return evaluate(
                snapshot,
                policy,
                self.gate,
                catalogue(),
                as_of=as_of,
                prior=Prior(past, self.prior_audits.baseline),
                skip_broken_rules=self.skip_broken_rules,
            )

        audit = evaluate_by(own.policy)
        if self.against is None:
            return audit
        return replace(audit, policy_change=compare_policies(evaluate_by(self.against).findings, audit.findings))


def full_second(instant: datetime) -> datetime:
    """Return the first full second from an instant on: an evaluation does not lie before its collection."""
    return shift(instant, timedelta(microseconds=999_999)).replace(microsecond=0)


def read_presentation(settings: ReportSettings, *, sarif_without_waived: bool = False) -> Presentation:
    """Read the files that `[report]` names; UsageError where one cannot be used or a template is broken."""
    presentation = replace(
        Presentation.read(settings.title, settings.logo, settings.guidance, settings.templates),
        sarif_without_waived=sarif_without_waived,
    )
    if presentation.templates is not None:
        from credly_audit.renderers.html.check_templates import tried  # noqa: PLC0415 - few have templates of their own

        tried(presentation)
    return presentation
