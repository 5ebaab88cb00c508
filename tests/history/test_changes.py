"""What changed since the last audit: tokens and findings, each with its reason, and the counts of each organization."""

from datetime import timedelta
from typing import Any

from credly_audit.audit.changes import FINDING_CHANGES, TOKEN_CHANGES
from credly_audit.audit.model import Audit
from credly_audit.audit.split import split_audit
from credly_audit.history.store import History
from tests.build import ACME, AS_OF, BETA, organization, register, token, waiver
from tests.history.months import Months

WRITE = {"write_enabled": True}
SOON = {"expires_at": AS_OF + timedelta(days=5)}
LATE = {"expires_at": AS_OF + timedelta(days=175), "fingerprint": "f" * 16}
PRM: dict[str, Any] = {"disable": ["DOC", "INV", "CHG", "COV005", "EXP005"]}


def told(audit: Audit, *columns: str) -> set[tuple[str, ...]]:
    """The changes: what, the last two digits of the token's id, and these columns."""
    assert audit.compared is not None
    frame = audit.compared.changes
    digits = frame["token_id"].str[-2:]
    rows = zip(frame["change"], digits, *(frame[name].fillna("") for name in columns), strict=True)
    return {tuple(row) for row in rows}


def test_tokens_that_were_created_removed_rotated_or_changed_are_told(history: History) -> None:
    months = Months(history)
    months.audit(0, [token(1), token(2, **SOON), token(3), token(4, **WRITE), token(5, description="Old sync")], **PRM)
    after = months.audit(
        0.1, [token(1), token(2, **LATE), token(3, **WRITE, delete_enabled=True), token(4), token(6)], **PRM
    )

    found = {row for row in told(after, "detail", "description") if row[0] in TOKEN_CHANGES}
    assert {(change, digits, detail) for change, digits, detail, _ in found} == {
        ("created", "06", ""),
        ("removed", "05", ""),
        ("rotated", "02", ""),
        ("permissions increased", "03", "write, delete"),
        ("permissions reduced", "04", "write"),
    }
    assert ("removed", "05", "", "Old sync") in found


def test_what_was_not_collected_completely_was_neither_created_nor_removed(history: History) -> None:
    months = Months(history)
    truncated = [organization(status="truncated")]
    months.audit(0, [token(1)], truncated, **PRM)
    second = months.audit(1, [token(1), token(2)], **PRM)
    third = months.audit(2, [token(1)], truncated, **PRM)

    assert [{row for row in told(each) if row[0] in TOKEN_CHANGES} for each in (second, third)] == [set(), set()]


def test_a_value_that_is_masked_counts_as_rotated_by_its_expiry(history: History) -> None:
    months = Months(history)
    masked = {"fingerprint": None, "created_at": AS_OF - timedelta(days=300)}
    months.audit(0, [token(1, **masked, expires_at=AS_OF + timedelta(days=5))], **PRM)
    after = months.audit(0.1, [token(1, **masked, expires_at=AS_OF + timedelta(days=182))], **PRM)

    assert ("rotated", "01") in told(after)


def test_a_resolved_finding_says_why(history: History) -> None:
    months = Months(history)
    first = [
        token(1, **SOON),
        token(2, **SOON),
        token(3, **WRITE),
        token(4, **WRITE),
        token(5, **SOON),
        token(6, **WRITE),
        token(7, expires_at=AS_OF + timedelta(days=900)),
    ]
    months.audit(0, first, **PRM)
    documented = {"organization_id": ACME, "owner": "team", "purpose": "sync", "permissions": "read,write"}
    after = months.audit(
        0.3,
        [token(1, **LATE), token(3), first[3], first[4], first[5], first[6] | {"fingerprint": "e" * 16} | SOON],
        register=register([documented | {"token_id": first[3]["token_id"]}]),
        waivers=[waiver("PRM003", token=first[5]["token_id"])],
        **PRM,
    )

    findings = {row for row in told(after, "rule_id", "detail") if row[0] not in TOKEN_CHANGES}
    assert findings >= {
        ("resolved", "01", "EXP002", "rotated"),
        ("resolved", "02", "EXP002", "removed"),
        ("resolved", "03", "PRM003", "permissions reduced"),
        ("resolved", "04", "PRM003", "approved"),
        ("resolved", "05", "EXP002", "expired"),
        ("accepted", "06", "PRM003", ""),
        ("resolved", "07", "EXP004", "rotated"),
        ("new", "05", "EXP001", ""),
    }


def test_an_acceptance_that_ended_is_told_and_one_that_goes_on_is_not(history: History) -> None:
    months = Months(history)
    accepted = [waiver("PRM003")]
    months.audit(0, [token(1, **WRITE)], waivers=accepted, **PRM)
    same = months.audit(1, [token(1, **WRITE)], waivers=accepted, **PRM)
    ended = months.audit(1.1, [token(1, **WRITE)], **PRM)

    assert [told(same), told(ended)] == [set(), {("no longer accepted", "01")}]


def test_the_changes_are_as_many_as_the_trend_counts_and_each_organization_has_its_own(history: History) -> None:
    months = Months(history)
    both = [organization(), organization(BETA)]
    months.audit(0, [token(1, **SOON), token(2, **WRITE), token(3, BETA, **WRITE)], both, **PRM)
    after = months.audit(0.1, [token(1, **LATE), token(2, **WRITE), token(3, BETA), token(4, **SOON)], both, **PRM)
    assert after.compared is not None
    changes, deltas = after.compared.changes, after.compared.deltas.set_index("organization_id")

    last = after.compared.trend.iloc[-1]
    for kind in ("new", "reopened", "resolved"):
        assert (changes["change"] == kind).sum() == last[kind] == deltas[kind].sum()
    for kind in (*TOKEN_CHANGES, *FINDING_CHANGES):
        assert changes[changes["change"] == kind]["organization_id"].value_counts().to_dict() == {
            each: many for each, many in deltas[kind].to_dict().items() if many
        }
    assert deltas.loc[ACME, ["open_before", "open_now"]].tolist() == [2, 2]
    assert deltas.loc[BETA, ["open_before", "open_now"]].tolist() == [1, 0]
    for part in split_audit(after, "organization"):
        assert part.audit.compared is not None
        assert set(part.audit.compared.changes["organization_id"]) == {part.audit.organizations["organization_id"][0]}


def test_the_first_audit_has_nothing_to_compare_with(history: History) -> None:
    assert Months(history).audit(0, [token(1)]).compared is None
