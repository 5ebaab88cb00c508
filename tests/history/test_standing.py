"""The status of a finding beside earlier audits: new, persisting, reopened, not assessed, or resolved."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from credly_audit.audit.model import Audit
from credly_audit.errors import ExitCode
from credly_audit.history.store import History
from credly_audit.rules import catalogue
from credly_audit.rules.declare import Flags
from tests.build import ACME, AS_OF, BETA, organization, register, token, waiver
from tests.history.months import MONTH, Months, resolved, standing, when

LONG = {"expires_at": AS_OF + timedelta(days=170), "created_at": AS_OF}
CLEAN = token(9, write_enabled=True, description="Issuer of the badges of team learning", **LONG)
POLICY: dict[str, Any] = {"purposes": [{"pattern": "Issuer", "allow": ["read", "write"]}], "disable": ["EXP", "COV005"]}

# What a database can do differently is tried in test_year and test_soundness; here the whole of it takes its time.
pytestmark = pytest.mark.parametrize(
    "url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.proof)], indirect=True
)


@pytest.fixture
def months(history: History) -> Months:
    return Months(history)


def test_a_first_audit_has_new_findings_and_nothing_to_compare_with(months: Months) -> None:
    audit = months.audit(0, [token(1, description="test", **LONG)], **POLICY)

    assert standing(audit) == {("DOC002", "01"): "new"}
    assert list(audit.findings.frame["first_seen_at"]) == [AS_OF]
    assert audit.compared is None


def test_a_finding_is_new_then_persists_is_mended_and_reopens(months: Months) -> None:
    bad, good = token(1, description="test", **LONG), token(1, **LONG)
    first = [months.audit(month, [row], **POLICY) for month, row in enumerate([bad, bad, good, good, bad])]

    assert [standing(audit).get(("DOC002", "01")) for audit in first] == ["new", "persisting", None, None, "reopened"]
    assert [resolved(audit) for audit in first] == [set(), set(), {("DOC002", "01")}, set(), set()]
    [row] = first[-1].findings.records()
    assert row["first_seen_at"] == AS_OF
    assert row["due_at"] == AS_OF + timedelta(days=90)
    [remediated] = first[2].compared.resolved.to_dict("records")  # type: ignore[union-attr]
    assert (remediated["first_seen_at"], remediated["resolved_at"], remediated["days_open"]) == (AS_OF, when(2), 60)
    assert first[-1].compared.trend["resolved"].tolist() == [0, 0, 1, 0, 0]  # type: ignore[union-attr]


@pytest.mark.parametrize("status", ["failed", "truncated", "mismatch", "unverified"])
def test_what_was_not_seen_stays_as_unseen_and_is_not_mended(months: Months, status: str) -> None:
    bad = token(1, description=None, write_enabled=True, **LONG)
    months.audit(0, [bad, token(2, BETA, **LONG)], **POLICY)
    hidden = months.audit(1, [token(2, BETA, **LONG)], [organization(status=status), organization(BETA)], **POLICY)
    back = months.audit(2, [bad, token(2, BETA, **LONG)], **POLICY)

    assert {name for name, said in standing(hidden).items() if said == "unseen"} == {("DOC001", "01"), ("PRM003", "01")}
    assert hidden.verdict.violations == 0
    [*_, row] = hidden.findings.records()
    assert (row["token_id"], row["description"], row["fingerprint"]) == (bad["token_id"], None, bad["fingerprint"])
    assert row["message"] == "Last seen on 23 Nov 2026 (30 days ago); this time what it depends on is incomplete."
    assert {name: said for name, said in standing(back).items() if name[0] in {"DOC001", "PRM003"}} == {
        ("DOC001", "01"): "persisting",
        ("PRM003", "01"): "persisting",
    }
    assert {rule[:3] for rule, _ in resolved(back)} == {"COV"}


def test_a_finding_of_a_token_that_was_listed_is_mended_though_its_organization_was_cut(months: Months) -> None:
    months.audit(0, [token(1, description="test", **LONG)], **POLICY)
    audit = months.audit(1, [token(1, **LONG)], [organization(status="truncated")], **POLICY)

    assert resolved(audit) == {("DOC002", "01")}
    assert standing(audit) == {("COV001", None): "new"}


def test_a_token_that_is_gone_mends_its_findings(months: Months) -> None:
    months.audit(0, [token(1, description="test", **LONG), CLEAN], **POLICY)

    assert resolved(months.audit(1, [CLEAN], **POLICY)) == {("DOC002", "01")}


def test_duplicates_are_not_mended_by_not_seeing_the_other_one(months: Months) -> None:
    twins = [token(number, description="Moodle of team learning", **LONG) for number in (1, 2)]
    months.audit(0, twins, **POLICY)
    audit = months.audit(1, twins[:1], [organization(status="truncated")], **POLICY)

    assert standing(audit)["DOC005", "01"] == "unseen"
    assert resolved(months.audit(2, twins[:1], **POLICY)) >= {("DOC005", "01"), ("DOC005", "02")}


def test_a_shared_value_is_not_mended_by_not_asking_the_other_organization(months: Months) -> None:
    shared = [token(1, fingerprint="a" * 16, **LONG), token(2, BETA, fingerprint="a" * 16, **LONG)]
    both = [ACME, BETA]
    months.audit(0, shared, configured=both, **POLICY)
    subset = months.audit(1, shared[:1], configured=both, **POLICY)
    whole = months.audit(2, [shared[0], token(2, BETA, **LONG)], configured=both, **POLICY)

    assert standing(subset) == {("INV002", "01"): "unseen"}
    assert resolved(whole) == {("INV002", "01"), ("INV002", "02")}


def test_a_subset_neither_resolves_nor_shows_what_others_have(months: Months) -> None:
    rows = [token(1, description="test", **LONG), token(2, BETA, description="test", **LONG)]
    months.audit(0, rows, **POLICY)
    subset = months.audit(1, rows[:1], **POLICY)
    whole = months.audit(2, rows, **POLICY)

    assert (standing(subset), resolved(subset)) == ({("DOC002", "01"): "persisting"}, set())
    assert set(standing(whole).values()) == {"persisting"}


def breaks(_facts: object, _options: object) -> Flags:
    raise RuntimeError("a rule that does not work this time")


@pytest.mark.parametrize(
    "silently",
    [
        {"disable": [*POLICY["disable"], "DOC002"]},
        {
            "catalogue": catalogue() | {"DOC002": replace(catalogue()["DOC002"], judge=breaks)},
            "skip_broken_rules": True,
        },
        {"catalogue": {rule_id: rule for rule_id, rule in catalogue().items() if rule_id != "DOC002"}},
    ],
    ids=["disabled", "broken", "not installed"],
)
def test_a_rule_that_said_nothing_mends_nothing(months: Months, silently: dict[str, Any]) -> None:
    rows = [token(1, description="test", **LONG)]
    months.audit(0, rows, **POLICY)
    silent = months.audit(1, rows, **POLICY | silently)
    back = months.audit(2, rows, **POLICY)
    remediated = months.audit(3, [token(1, **LONG)], **POLICY)

    assert (standing(silent), resolved(silent)) == ({}, set())
    assert standing(back) == {("DOC002", "01"): "persisting"}
    assert resolved(remediated) == {("DOC002", "01")}


def test_a_register_that_was_taken_away_mends_nothing(months: Months) -> None:
    kept = register([{"organization_id": ACME, "token_id": token(5)["token_id"], "permissions": "read"}])
    rows = [token(1, **LONG)]
    months.audit(0, rows, register=kept, **POLICY)
    audit = months.audit(1, rows, **POLICY)

    assert (standing(audit), resolved(audit)) == ({}, set())


def test_a_fingerprint_compares_under_its_key_alone(months: Months) -> None:
    row = token(1, fingerprint="a" * 16, **LONG)
    months.audit(0, [row], key="1" * 16, **POLICY)
    other = months.audit(1, [row | {"fingerprint": "b" * 16}], key="2" * 16, **POLICY)
    rotated = months.audit(2, [row | {"fingerprint": "c" * 16}], key="2" * 16, **POLICY)
    later = months.audit(3, [row | {"fingerprint": "c" * 16}], key="2" * 16, **POLICY)

    evidence = [audit.tokens["rotation_evidence"].tolist() for audit in (other, rotated, later)]
    assert evidence == [["created"], ["seen"], ["seen"]]
    assert [audit.tokens["last_rotated_at"].tolist() for audit in (rotated, later)] == [[when(2)], [when(2)]]


def test_a_fingerprint_keeps_its_key_when_the_audit_that_saw_it_is_forgotten(months: Months, history: History) -> None:
    row = token(1, fingerprint="a" * 16, **LONG)
    months.audit(0, [row], key="1" * 16, **POLICY)
    months.audit(1, [row | {"fingerprint": None}], **POLICY)
    history.purge(when(0.5))

    other = months.audit(2, [row | {"fingerprint": "b" * 16}], **POLICY)
    assert other.tokens["rotation_evidence"].tolist() == ["created"]


def test_an_inferred_date_between_two_audits_is_the_better_one(months: Months) -> None:
    row = token(1, **LONG)
    between = when(0.5)
    months.audit(0, [row], **POLICY)
    moved = row | {"fingerprint": "a" * 16, "expires_at": between + timedelta(days=180)}
    audits = [months.audit(month, [moved], **POLICY) for month in (1, 2)]
    extended = months.audit(3, [moved | {"expires_at": between + timedelta(days=250)}], **POLICY)

    dates = [
        (audit.tokens["rotation_evidence"][0], audit.tokens["last_rotated_at"][0]) for audit in [*audits, extended]
    ]
    assert dates == [("seen", between)] * 3
    assert standing(extended)["CHG002", "01"] == "new"


def test_an_escalation_stays_until_it_is_gone(months: Months) -> None:
    low, high = token(1, **LONG), token(1, write_enabled=True, **LONG)
    audits = [months.audit(month, [row], **POLICY) for month, row in enumerate([low, high, high, low, low, high])]

    assert [standing(audit).get(("CHG001", "01")) for audit in audits] == [
        None, "new", "persisting", None, None, "reopened",
    ]  # fmt: skip


def test_new_only_counts_what_is_new_graver_or_no_longer_waived(months: Months) -> None:
    full = {"write_enabled": True, "delete_enabled": True}
    rows = [token(1, **full, **LONG), token(2, **LONG)]
    covered = [waiver("PRM001", token=rows[0]["token_id"], expires=(AS_OF + MONTH / 2).date())]
    months.audit(0, rows, waivers=covered, **POLICY)
    unwaived = months.audit(1, rows, waivers=covered, new_only=True, **POLICY)
    same = months.audit(2, rows, waivers=covered, new_only=True, **POLICY)
    graver = months.audit(3, rows, waivers=covered, new_only=True, severity={"PRM001": "critical"}, **POLICY)
    lighter = months.audit(4, rows, waivers=covered, new_only=True, **POLICY)

    assert [audit.verdict.violations for audit in (unwaived, same, graver, lighter)] == [1, 0, 1, 0]
    assert same.verdict.exit_code == ExitCode.OK
    assert standing(same)["PRM001", "01"] == "persisting"


def removed(audit: Audit) -> list[list[Any]]:
    """What was removed from scope."""
    assert audit.compared is not None
    columns = ["organization_name", "last_audited_at", "open_findings", "highest_severity"]
    rows: list[list[Any]] = audit.compared.removed[columns].astype(object).to_numpy().tolist()
    return rows


def test_an_organization_that_leaves_with_open_findings_is_reported_once(months: Months) -> None:
    rows = [token(1, **LONG), token(2, BETA, description=None, **LONG), token(3, BETA, description="test", **LONG)]
    both, one = {"configured": [ACME, BETA]} | POLICY, {"configured": [ACME]} | POLICY
    months.audit(0, rows, **both)
    subset = months.audit(1, rows[:1], **both)
    left, later = (months.audit(month, rows[:1], **one) for month in (2, 3))
    back = months.audit(4, rows, **both)
    again = months.audit(5, rows[:1], **one)

    assert [removed(audit) for audit in (subset, left, later, back, again)] == [
        [], [["Beta", when(0), 2, "medium"]], [], [], [["Beta", when(4), 2, "medium"]],
    ]  # fmt: skip
    assert [resolved(audit) for audit in (left, later)] == [set(), set()]
    assert {standing(back)[name] for name in (("DOC001", "02"), ("DOC002", "03"))} == {"persisting"}


def test_a_subset_leaves_it_to_the_whole_audit_to_say_what_was_removed(months: Months) -> None:
    rows = [token(1, **LONG), token(2, BETA, description=None, **LONG)]
    gamma = "3c3d7a52-9f0e-4a8b-8d6f-0b1e2a3c4d5e"
    months.audit(0, rows, configured=[ACME, BETA], **POLICY)
    part = months.audit(1, rows[:1], configured=[ACME, gamma], **POLICY)
    whole = months.audit(
        2, rows[:1], [organization(), organization(gamma, name="Gamma")], configured=[ACME, gamma], **POLICY
    )

    assert removed(part) == []
    assert removed(whole) == [["Beta", when(0), 1, "medium"]]


@pytest.mark.parametrize("without", ["open findings", "a configuration"])
def test_nothing_is_reported_of_what_leaves_without(months: Months, without: str) -> None:
    bad = token(2, BETA, description=None, **LONG)
    covered = [waiver("DOC001", BETA, expires=(AS_OF + 9 * MONTH).date())] if without == "open findings" else []
    configured = [[ACME, BETA], [ACME]] if without == "open findings" else [[], []]
    months.audit(0, [token(1, **LONG), bad], waivers=covered, configured=configured[0], **POLICY)
    audit = months.audit(1, [token(1, **LONG)], configured=configured[1], **POLICY)

    assert removed(audit) == []


def test_waivers_apply_to_unseen_findings_too(months: Months) -> None:
    bad = token(1, description=None, **LONG)
    covered = [waiver("DOC001", id="W-1", expires=(AS_OF + 2 * MONTH).date())]
    months.audit(0, [bad], waivers=covered, **POLICY)
    audit = months.audit(1, [], [organization(status="failed")], waivers=covered, **POLICY)

    rows = {row["rule_id"]: row for row in audit.findings.records()}
    assert (rows["DOC001"]["status"], rows["DOC001"]["waiver_id"]) == ("unseen", "W-1")
