"""Judges a snapshot by a policy: the findings, and a verdict that never calls clean what was not seen."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from credly_audit.audit import finding_status as changes
from credly_audit.audit.comparison import Comparison
from credly_audit.audit.findings import Findings
from credly_audit.audit.prior import Baseline, Past
from credly_audit.audit.run_rules import Flagging
from credly_audit.config.presentation import PLAIN, Presentation
from credly_audit.errors import ExitCode
from credly_audit.instant_columns import INSTANT, keep_within
from credly_audit.policy.apply import COVERAGE, Decisions, applied
from credly_audit.policy.policy import Policy
from credly_audit.rules import unloadable
from credly_audit.rules.declare import Rule
from credly_audit.rules.facts import Facts
from credly_audit.rules.lending import seal
from credly_audit.severity import Severity
from credly_audit.snapshot import TOKENS, Part, Snapshot

LIFETIME = timedelta(days=180)
"""How long Credly lets a value live, from its making or its rotation ([DOC] authorization tokens)."""

AUDITED_TOKENS = TOKENS | {"last_rotated_at": INSTANT, "rotation_evidence": "string"}

COVERAGE_RULES = frozenset(COVERAGE.values())
"""What they flag has a gate of its own and never counts for `--fail-on`."""

Outcome = Literal["pass", "violations", "incomplete"]


@dataclass(frozen=True, slots=True)
class Gate:
    """What makes an audit fail: severities, rule ids, families or `never`; and whether a part may be unseen.

    With `new_only` findings count that are new, reopened, graver than before or no longer waived.
    """

    fail_on: tuple[str, ...] = (Severity.HIGH,)
    allow_partial: bool = False
    new_only: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the audit ends; `violations` is how many findings the gate counts, `not_seen` the organizations' ids.

    `accepted` are those of `not_seen` that a waiver covers: they are not seen, but do not make the audit incomplete.
    """

    outcome: Outcome
    exit_code: ExitCode
    violations: int
    not_seen: tuple[str, ...]
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Places:
    """Where a report that points at files points: an organization's file and line, else line 1 of the snapshot.

    Paths are relative to the checkout that holds the file, else absolute.
    """

    organizations: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    snapshot: str = "credly-audit.snapshot"

    def of(self, organization_id: str) -> tuple[str, int]:
        """The file and the line, from 1 on."""
        return self.organizations.get(organization_id, (self.snapshot, 1))


NO_DECISIONS = Decisions()

NOWHERE = Places()
"""Where no file is known."""


@dataclass(frozen=True, slots=True)
class Audit:
    """A snapshot and what a policy says of it, at one instant.

    `tokens` has the columns AUDITED_TOKENS; `broken` names the rules that raised and were skipped, with what they said.
    """

    snapshot: Snapshot
    policy: Policy
    gate: Gate
    as_of: datetime
    generated_at: datetime
    tokens: pd.DataFrame
    findings: Findings
    violates: np.ndarray
    """Which findings the gate counts (bool, a value a finding)."""
    verdict: Verdict
    broken: Mapping[str, str]
    places: Places = NOWHERE
    decisions: Decisions = NO_DECISIONS
    compared: Comparison | None = None
    """None: there is no earlier audit to compare with, or no history."""
    presentation: Presentation = PLAIN
    limitations: tuple[str, ...] = ()
    """What a reader must know of this audit beside its coverage, a sentence each: where a secret value was redacted."""

    @property
    def unaudited(self) -> list[str]:
        """Organizations (ids) that the register names, but neither this snapshot nor the configuration does."""
        register = self.policy.register
        known = {*self.organizations["organization_id"].str.lower(), *self.policy.configured}
        return (
            []
            if register is None
            else [each for each in register.entries["organization_id"].unique() if each not in known]
        )

    @property
    def documented(self) -> pd.DataFrame:
        """What the register says of each token (columns of `Register.documented`, null: it does not name the token).

        Without a register it has no column.
        """
        register = self.policy.register
        if register is None:
            return pd.DataFrame(index=self.tokens.index)
        return register.documented.reindex(self.tokens["register_row"]).set_axis(self.tokens.index)

    @property
    def part(self) -> Part | None:
        """The part of the configuration or of the audit that this is; None: the complete audit."""
        return self.snapshot.header.part

    @property
    def organizations(self) -> pd.DataFrame:
        """The snapshot's organizations, in the order in which they were asked."""
        return self.snapshot.organizations

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The catalogue that judged, disabled rules included."""
        return self.findings.rules


def judge(
    snapshot: Snapshot,
    policy: Policy,
    gate: Gate,
    rules: Mapping[str, Rule],
    *,
    as_of: datetime,
    generated_at: datetime,
    skip_broken_rules: bool = False,
    places: Places = NOWHERE,
    past: Past | None = None,
    baseline: Baseline | None = None,
) -> Audit:
    """Every enabled rule over the whole snapshot; BrokenRule where one raises, unless it may be skipped.

    `past` are the audits before as_of, where there is a history; a baseline serves `Gate.new_only`, and tells what is
    new where there is no history.
    """
    organizations = snapshot.organizations
    before = None if past is None else changes.before(past, snapshot.tokens, snapshot.header.fingerprint_key)
    tokens = with_rotation(snapshot.tokens, pd.Timestamp(as_of), before)
    tokens["organization_id"] = tokens["organization_id"].cat.set_categories(organizations["organization_id"])
    allowances = policy.allowances(tokens, organizations, as_of)
    tokens["register_row"] = allowances.pop("register_row")
    facts = seal(
        Facts(
            pd.concat([tokens, allowances], axis=1),
            organizations,
            pd.Timestamp(as_of),
            pd.Timestamp(snapshot.header.collected_at),
            policy.settings.audit_every_days,
            register=None if policy.register is None else policy.register.placed(tokens, organizations),
            applications=placed(snapshot.applications, organizations),
            before=before,
            fully_seen_before=None if past is None else changes.fully_seen_before(past, organizations),
        )
    )
    flagging = Flagging(policy.variants(organizations), skip_broken_rules, broken=dict(unloadable()))
    flagging.run((rule for rule in rules.values() if rule.family != "WVR"), facts)
    silent = said_nothing(snapshot, rules, flagging.broken)
    decisions, frame = with_decisions(flagging, facts, policy, rules, silent)
    standing = changes.Standing.of(frame["finding_id"], past, baseline)
    frame = standing.told(frame.assign(owner=owners(frame, facts)), facts.as_of)
    sight = changes.Sight.of(policy, tokens, organizations, rules, silent)
    resolved, elsewhere = standing.absent(sight, rules)
    frame = changes.with_unseen(frame, elsewhere, tokens, organizations, policy=policy, as_of=facts.as_of)
    frame = in_order(frame, policy, as_of)
    findings = Findings(frame, flagging.evidence, tokens, organizations, rules, elsewhere)
    violates = counted(frame, gate.fail_on)
    if gate.new_only:
        violates &= frame["newly"].to_numpy()
    accepted = tuple(decisions.accepted)
    verdict = decided(organizations, int(violates.sum()), gate, accepted, broken=bool(flagging.broken))
    now = changes.line(
        frame,
        organizations,
        resolved=len(resolved),
        tokens=len(tokens),
        outcome=verdict.outcome,
        as_of=facts.as_of,
    )
    return Audit(
        snapshot,
        policy,
        gate,
        as_of,
        generated_at,
        tokens,
        findings,
        violates,
        verdict,
        flagging.broken,
        places,
        decisions,
        changes.compared(
            past,
            resolved,
            organizations,
            now,
            removed=changes.removed_from_scope(past, policy, organizations, sight),
            as_of=facts.as_of,
        ),
    )


def placed(applications: pd.DataFrame, organizations: pd.DataFrame) -> pd.DataFrame:
    """The OAuth applications, each with the position of its organization as `organization_row`."""
    rows = pd.Index(organizations["organization_id"]).get_indexer(applications["organization_id"])
    return applications.assign(organization_row=rows.astype("int64"))


def said_nothing(snapshot: Snapshot, rules: Mapping[str, Rule], broken: Collection[str]) -> frozenset[str]:
    """The rules from whose silence nothing follows: those that raised, and those on what was not asked for."""
    unasked = () if snapshot.header.oauth_applications_asked else (each for each in rules if each.startswith("OAU"))
    return frozenset({*broken, *unasked})


def with_decisions(
    flagging: Flagging, facts: Facts, policy: Policy, rules: Mapping[str, Rule], silent: Collection[str]
) -> tuple[Decisions, pd.DataFrame]:
    """The decisions as they stand, and all findings with them: those on waivers past their date, too."""
    known = {*rules, *(rule_id[:3] for rule_id in rules)}
    absent = {each.rule for each in (*policy.waivers, *policy.plans)} - known
    outcome = applied(
        flagging.together(),
        facts.tokens,
        facts.organizations,
        policy.waivers,
        policy.plans,
        as_of=facts.as_of,
        next_audit=policy.next_audit,
        broken={*silent, *absent},
    )
    lapsing = Flagging(flagging.variants, flagging.skip_broken_rules)
    lapsing.run((rule for rule in rules.values() if rule.family == "WVR"), seal(replace(facts, lapses=outcome.lapses)))
    flagging.evidence |= lapsing.evidence
    flagging.broken |= lapsing.broken
    if not any(map(len, lapsing.parts.values())):
        return outcome.decisions, outcome.findings
    lapses = lapsing.together()
    rule_ids = [*outcome.findings["rule_id"].cat.categories, *lapsing.parts]
    frames = [
        frame.assign(rule_id=frame["rule_id"].cat.set_categories(rule_ids)) for frame in (outcome.findings, lapses)
    ]
    frame = pd.concat(frames, ignore_index=True)
    return outcome.decisions, frame.assign(
        waived=frame["waived"].fillna(value=False).astype(bool),
        waiver_id=frame["waiver_id"].astype(outcome.findings["waiver_id"].dtype),
        plan_id=frame["plan_id"].astype(outcome.findings["plan_id"].dtype),
    )


def owners(frame: pd.DataFrame, facts: Facts) -> pd.Categorical:
    """For each finding whom to ask: whom the rule says, else the token's owner in the register, else the contact."""
    registered = facts.register_entries["owner"]
    contacts = facts.organizations["contact"]
    names = pd.concat([frame["owner"].dropna(), registered, contacts]).dropna().unique()
    said, theirs, asked = (
        pd.Categorical(each, categories=names).codes for each in (frame["owner"], registered, contacts)
    )
    rows = np.append(facts.tokens["register_row"].to_numpy(), -1)[frame["token_row"]]
    codes = np.append(theirs, -1)[rows]
    codes = np.where(codes < 0, asked[frame["organization_row"]], codes)
    return pd.Categorical.from_codes(np.where(said < 0, codes, said), categories=names)


def with_rotation(tokens: pd.DataFrame, as_of: pd.Timestamp, before: pd.DataFrame | None = None) -> pd.DataFrame:
    """The tokens with `last_rotated_at` and `rotation_evidence`; `before` is what earlier audits knew of them.

    Rotation keeps id and created_at and sets expires_at 180 days ahead, so an expiry that fits no creation tells when.
    """
    created, rotated = tokens["created_at"], tokens["expires_at"] - LIFETIME
    inferred = ((rotated > created + timedelta(days=1)) & (rotated <= as_of)).to_numpy()
    evidence = pd.Series(np.where(inferred, "inferred", "created"), tokens.index, dtype="string")
    last, evidence = rotated.where(inferred, created).astype(INSTANT), evidence.where(inferred | created.notna())
    if before is not None:
        seen = changes.rotated_at(tokens, before, rotated, as_of)
        last, evidence = seen.fillna(last), evidence.mask(seen.notna(), "seen")
    return tokens.assign(last_rotated_at=last, rotation_evidence=evidence)


def in_order(frame: pd.DataFrame, policy: Policy, as_of: datetime) -> pd.DataFrame:
    """The findings with their due dates: worst first, then by due date, organization, token and rule; unseen ones last.

    A finding is due so long after it was first seen, without a history after as_of.
    """
    weights = frame["severity"].cat.codes.to_numpy()
    dues = [policy.due_within(severity) for severity in Severity]
    days = pd.Series([pd.NaT if within is None else within for within in dues], dtype="timedelta64[us]")
    due = keep_within(frame["first_seen_at"].fillna(as_of) + days.take(weights).set_axis(frame.index))
    frame["due_at"] = frame["due_at"].fillna(due)
    due_order = frame["due_at"].dt.tz_localize(None).to_numpy()
    rows = (frame["token_row"].to_numpy(), frame["organization_row"].to_numpy())
    codes = frame["rule_id"].cat.codes.to_numpy()
    unseen = frame["unseen_row"].to_numpy() >= 0
    return frame.take(np.lexsort((codes, *rows, due_order, -weights, unseen))).reset_index(drop=True)


def counted(frame: pd.DataFrame, fail_on: Sequence[str]) -> np.ndarray:
    """Which findings (rows of `Findings.frame`) make the gate fail."""
    rule_ids = frame["rule_id"].astype(object).to_numpy(dtype=str)
    hit = np.zeros(len(frame), dtype=bool)
    for selector in fail_on:
        if selector in set(Severity):
            hit |= frame["severity"].cat.codes.to_numpy() >= Severity(selector).weight
        elif selector != "never":
            hit |= np.char.startswith(rule_ids, selector)
    here = frame["unseen_row"].to_numpy() < 0
    return hit & here & ~np.isin(rule_ids, list(COVERAGE_RULES)) & ~frame["waived"].to_numpy(dtype=bool)


def decided(
    organizations: pd.DataFrame, violations: int, gate: Gate, accepted: Collection[str] = (), *, broken: bool
) -> Verdict:
    """The verdict; where several exit codes hold, an incomplete audit outweighs violations."""
    not_seen = tuple(organizations.loc[organizations["status"] != "complete", "organization_id"])
    waived = tuple(each for each in not_seen if each.lower() in accepted)
    open_ones = len(not_seen) > len(waived)
    outcome: Outcome = "incomplete" if open_ones or broken else "violations" if violations else "pass"
    if broken or (open_ones and not gate.allow_partial):
        code = ExitCode.INCOMPLETE
    else:
        code = ExitCode.VIOLATIONS if violations else ExitCode.OK
    return Verdict(outcome, code, violations, not_seen, waived)
