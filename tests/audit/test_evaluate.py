"""The verdict: what fails an audit, what does not, and what makes it incomplete."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.findings import COLUMNS
from credly_audit.audit.model import Audit, Gate
from credly_audit.audit.prior import Baseline
from credly_audit.config.settings import PolicySettings
from credly_audit.errors import BrokenRule, ExitCode
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.rules.declare import Flags
from credly_audit.rules.facts import Facts
from credly_audit.severity import Severity
from tests.build import ACME, AS_OF, BETA, audited, organization, snapshot, token

DAY = timedelta(days=1)
FULL = {"write_enabled": True, "delete_enabled": True}


def found(audit: Audit) -> dict[str, str]:
    return {row["rule_id"]: row["severity"] for row in audit.findings.records()}


def test_clean_tokens_all_seen_pass() -> None:
    verdict = audited(snapshot([token(1), token(2)])).verdict

    assert (verdict.outcome, verdict.exit_code, verdict.violations, verdict.not_seen) == ("pass", ExitCode.OK, 0, ())


def test_a_finding_at_the_gate_is_a_violation() -> None:
    verdict = audited(snapshot([token(1, **FULL), token(2)])).verdict

    assert (verdict.outcome, verdict.exit_code, verdict.violations) == ("violations", ExitCode.VIOLATIONS, 1)


@pytest.mark.parametrize(
    ("fail_on", "violations"),
    [(("critical",), 0), (("high",), 1), (("low",), 2), (("DOC",), 1), (("DOC002", "high"), 2), (("never",), 0)],
)
def test_the_gate_fails_on_a_severity_a_rule_a_family_or_never(fail_on: tuple[str, ...], violations: int) -> None:
    audit = audited(snapshot([token(1, **FULL, description="test")]), fail_on=fail_on)

    assert audit.verdict.violations == violations
    assert audit.verdict.exit_code == (ExitCode.VIOLATIONS if violations else ExitCode.OK)


@pytest.mark.parametrize("status", ["truncated", "unverified", "mismatch", "failed"])
def test_an_organization_not_fully_seen_is_never_compliant(status: str) -> None:
    collected = snapshot([token(1)], [organization(), organization(BETA, status=status)])
    verdict = audited(collected, disable=["COV"]).verdict

    assert (verdict.outcome, verdict.exit_code, verdict.not_seen) == ("incomplete", ExitCode.INCOMPLETE, (BETA,))


def test_coverage_findings_do_not_count_for_the_gate_even_when_named() -> None:
    collected = snapshot([token(1)], [organization(status="failed")])

    assert audited(collected, fail_on=("COV004", "COV", "low")).verdict.violations == 0


@pytest.mark.parametrize(("rows", "code"), [([token(1)], ExitCode.OK), ([token(1, **FULL)], ExitCode.VIOLATIONS)])
def test_allow_partial_lets_the_gate_decide_but_the_outcome_stays_incomplete(
    rows: list[dict[str, Any]], code: ExitCode
) -> None:
    collected = snapshot(rows, [organization(status="truncated")])
    audit = evaluate(
        collected,
        Policy(PolicySettings()),
        Gate(allow_partial=True),
        catalogue(),
        as_of=AS_OF,
    )

    assert (audit.verdict.outcome, audit.verdict.exit_code) == ("incomplete", code)


def test_a_severity_of_the_policy_holds_for_all_tiers() -> None:
    rows = [token(1, expires_at=AS_OF - DAY), token(2, expires_at=AS_OF - 90 * DAY)]
    audit = audited(snapshot(rows), severity={"EXP001": "info"})

    assert [row["severity"] for row in audit.findings.records() if row["rule_id"] == "EXP001"] == ["info", "info"]


@pytest.mark.parametrize("disabled", ["PRM001", "PRM"])
def test_a_disabled_rule_or_family_finds_nothing(disabled: str) -> None:
    assert "PRM001" not in found(audited(snapshot([token(1, **FULL)]), disable=[disabled]))


def test_finding_ids_are_those_that_the_contract_names() -> None:
    [finding] = audited(snapshot([token(1, **FULL)])).findings.records()
    subject = "\x1f".join(["PRM001", ACME, finding["token_id"], ""])

    assert finding["finding_id"] == hashlib.sha256(subject.encode()).hexdigest()[:16]


OF_ONE_VALUE: dict[str, dict[str, Any]] = {
    "EXP001": {"expires_at": AS_OF - DAY},
    "EXP002": {"expires_at": AS_OF + 3 * DAY + timedelta(microseconds=999_999)},
    "EXP004": {"expires_at": AS_OF + 900 * DAY},
    "EXP005": {"expires_at": AS_OF + 90 * DAY, "created_at": AS_OF - 400 * DAY},
}
"""A token for each rule whose findings are those of one value, with an expiry that a rotation changes."""


def id_of(audit: Audit, rule_id: str) -> str:
    [finding_id] = [row["finding_id"] for row in audit.findings.records() if row["rule_id"] == rule_id]
    return str(finding_id)


@pytest.mark.parametrize("rule_id", OF_ONE_VALUE)
def test_the_expiry_in_whole_seconds_tells_the_findings_of_two_values_apart(rule_id: str) -> None:
    row = token(1, **OF_ONE_VALUE[rule_id])
    expires_at = row["expires_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
    subject = "\x1f".join([rule_id, ACME, row["token_id"], expires_at])
    options = {"rules": {"EXP005": {"max_rotation_age_days": 30}}}

    assert id_of(audited(snapshot([row]), **options), rule_id) == hashlib.sha256(subject.encode()).hexdigest()[:16]


def test_an_overdue_rotation_without_an_expiry_keeps_its_id() -> None:
    row = token(1, expires_at=None, created_at=AS_OF - 400 * DAY)
    subject = "\x1f".join(["EXP005", ACME, row["token_id"], ""])

    assert id_of(audited(snapshot([row])), "EXP005") == hashlib.sha256(subject.encode()).hexdigest()[:16]


@pytest.mark.parametrize(("severity", "counts"), [("critical", False), ("low", True)])
@pytest.mark.parametrize("rule_id", OF_ONE_VALUE)
def test_a_baseline_knows_findings_by_the_id_before_occurrences(rule_id: str, severity: str, *, counts: bool) -> None:
    row = token(1, **OF_ONE_VALUE[rule_id])
    subject = "\x1f".join([rule_id, ACME, row["token_id"], ""])
    former = hashlib.sha256(subject.encode()).hexdigest()[:16]
    baseline = Baseline(AS_OF - 30 * DAY, {former: Severity(severity)})
    options = {"rules": {"EXP005": {"max_rotation_age_days": 30}}, "disable": ["DOC", "INV"]}
    audit = audited(
        snapshot([row, row | {"token_id": "another"}]), baseline=baseline, new_only=True, fail_on=("info",), **options
    )

    found = {
        row["token_id"]: (row["status"], bool(violates))
        for row, violates in zip(audit.findings.records(), audit.violates, strict=True)
        if row["rule_id"] == rule_id
    }
    assert found == {row["token_id"]: ("persisting", counts), "another": ("new", True)}


def test_a_finding_is_spelled_out_in_the_columns_of_the_contract() -> None:
    [finding] = audited(snapshot([token(1, **FULL)])).findings.records()

    assert tuple(finding) == COLUMNS
    assert finding["rule_name"] == "full-access"
    assert finding["owner"] == "crm-team@acme.example"
    assert finding["evidence"] == {"permissions": "read, write, delete"}
    assert "NIST 800-53r5 AC-6(5)" in finding["controls"]


def test_a_finding_is_due_by_its_severity_and_an_expiry_by_its_date() -> None:
    rows = [token(1, expires_at=AS_OF + 10 * DAY), token(2, **FULL), token(3, description="test")]
    audit = audited(snapshot(rows), due_days={"low": 7})

    due = {row["rule_id"]: row["due_at"] - AS_OF for row in audit.findings.records()}
    assert due == {"EXP002": 10 * DAY, "PRM001": 14 * DAY, "DOC002": 7 * DAY}


def test_findings_come_worst_first() -> None:
    rows = [token(1, description="test"), token(2, **FULL), token(3, secrets_in_description=1)]

    severities = [row["severity"] for row in audited(snapshot(rows)).findings.records()]
    assert severities == ["critical", "high", "low"]


def test_a_rule_that_raises_is_never_no_finding() -> None:
    def raises(_facts: Facts, _options: Any) -> Flags:
        raise KeyError("nobody")

    rules = {"PRM001": replace(catalogue()["PRM001"], judge=raises)}
    asked = (snapshot([token(1)]), Policy(PolicySettings()), Gate(), rules)

    with pytest.raises(BrokenRule, match=r"rule PRM001 \(full-access\) is broken: KeyError"):
        evaluate(*asked, as_of=AS_OF)
    audit = evaluate(*asked, as_of=AS_OF, skip_broken_rules=True)
    assert (audit.verdict.outcome, audit.verdict.exit_code) == ("incomplete", ExitCode.INCOMPLETE)
    assert list(audit.broken) == ["PRM001"]


def test_an_audit_of_nothing_is_sound() -> None:
    audit = audited(snapshot([], [organization()]))

    assert len(audit.findings) == 0
    assert audit.verdict.outcome == "pass"


@pytest.mark.parametrize(
    ("created", "expires", "last", "evidence"),
    [
        (-300, 150, -30, "inferred"),
        (-30, 150, -30, "created"),
        (-31, 150, -31, "created"),
        (-32, 150, -30, "inferred"),
        (-300, 190, -300, "created"),
        (-300, None, -300, "created"),
        (None, 150, None, None),
    ],
)
def test_when_a_token_was_rotated_follows_from_its_expiry(
    created: int | None, expires: int | None, last: int | None, evidence: str | None
) -> None:
    def at(days: int | None) -> Any:
        return None if days is None else AS_OF + days * DAY

    tokens = audited(snapshot([token(1, created_at=at(created), expires_at=at(expires))])).tokens
    rotated, how = tokens.loc[0, ["last_rotated_at", "rotation_evidence"]]
    assert (None if rotated is None or rotated != rotated else rotated) == at(last)  # noqa: PLR0124 - NaT
    assert (how if isinstance(how, str) else None) == evidence
