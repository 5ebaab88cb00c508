"""Waivers and plans: what they cover, until when, and what is reported of those that expire or match nothing."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.audit.model import Audit
from credly_audit.errors import ExitCode
from credly_audit.policy.apply import JudgedPlan, JudgedWaiver
from credly_audit.rules import catalogue
from tests.build import ACME, AS_OF, BETA, audited, organization, plan, snapshot, token, waiver

FULL = {"write_enabled": True, "delete_enabled": True}
LAST_DAY = date(2026, 11, 22)
"""A waiver that ends with this day no longer holds at AS_OF, 23 Nov 2026 at 00:00 UTC."""


def waived(audit: Audit) -> list[tuple[str, str | None, bool]]:
    return [(row["rule_id"], row["token_id"], row["waived"]) for row in audit.findings.records()]


def states(judged: tuple[JudgedWaiver, ...] | tuple[JudgedPlan, ...]) -> list[tuple[str, int]]:
    return [(each.state, each.findings) for each in judged]


def test_a_waived_finding_stays_in_the_audit_and_does_not_fail_the_gate() -> None:
    audit = audited(snapshot([token(1, **FULL)]), waivers=[waiver("PRM001", id="W-7")])

    [finding] = audit.findings.records()
    assert (finding["waived"], finding["waiver_id"]) == (True, "W-7")
    assert audit.verdict.exit_code == ExitCode.OK
    assert states(audit.decisions.waivers) == [("active", 1)]


@pytest.mark.parametrize(
    ("said", "covered"),
    [
        ({}, [1, 2]),
        ({"token": token(1)["token_id"]}, [1]),
        ({"token": token(2)["fingerprint"]}, [2]),
        ({"rule": "PRM"}, [1, 2]),
        ({"rule": "EXP"}, []),
        ({"rule": "PRM002"}, []),
        ({"organization": BETA}, [3]),
        ({"organization": BETA, "token": token(1)["token_id"]}, []),
    ],
)
def test_a_waiver_covers_what_it_names_and_nothing_else(said: dict[str, Any], covered: list[int]) -> None:
    rows = [token(1, **FULL), token(2, **FULL), token(3, BETA, **FULL)]
    audit = audited(snapshot(rows), waivers=[waiver("PRM001") | said])

    assert sorted(int(token_id[-12:]) for _, token_id, yes in waived(audit) if yes and token_id) == covered


@pytest.mark.parametrize(
    ("as_of", "holds"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, 999999, UTC), True),
        (datetime(2027, 1, 1, tzinfo=UTC), False),
    ],
)
def test_a_waiver_holds_to_the_end_of_its_last_day_in_utc(as_of: datetime, holds: bool) -> None:
    rows = [token(1, **FULL, expires_at=None)]
    audit = audited(snapshot(rows), as_of=as_of, disable=["EXP"], waivers=[waiver("PRM001")])

    assert [yes for rule, _, yes in waived(audit) if rule == "PRM001"] == [holds]


@pytest.mark.parametrize(
    ("as_of", "state"),
    [
        (datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC), "pending"),
        (datetime(2026, 11, 23, tzinfo=UTC), "active"),
        (datetime(2026, 11, 23, tzinfo=timezone(timedelta(hours=14))), "pending"),
    ],
)
@pytest.mark.parametrize("rule", ["PRM001", "PRM", "DOC001"])
def test_a_decision_holds_from_the_beginning_of_the_day_of_its_approval_in_utc(
    as_of: datetime, state: str, rule: str
) -> None:
    days = {"approved_on": date(2026, 11, 23), "until": date(2027, 3, 1), "expires": date(2027, 3, 1)}
    made = {name: [kind(rule) | {key: days[key] for key in kind(rule) if key in days}] for name, kind in KINDS.items()}
    audit = audited(snapshot([token(1, **FULL)]), as_of=as_of, **made)

    [finding] = [row for row in audit.findings.records() if row["rule_id"] == "PRM001"]
    holds = state == "active" and rule != "DOC001"
    assert finding["waived"] == holds
    assert audit.findings.frame["plan_id"].notna().any() == holds
    expected = "pending" if state == "pending" else "active" if holds else "unused"
    assert states(audit.decisions.waivers) == [(expected, int(rule != "DOC001"))]
    assert states(audit.decisions.plans) == [
        ({"active": "open", "unused": "kept"}.get(expected, expected), int(rule != "DOC001"))
    ]


KINDS: dict[str, Any] = {"waivers": waiver, "plans": plan}


def test_a_waiver_of_coverage_that_is_not_yet_in_force_accepts_nothing() -> None:
    collected = snapshot([token(1)], [organization(status="truncated")])
    later = waiver("COV001", approved_on=AS_OF.date() + timedelta(days=1))

    assert audited(collected, waivers=[later]).verdict.exit_code == ExitCode.INCOMPLETE


def test_an_expired_waiver_lets_its_finding_come_back_and_is_a_finding_itself() -> None:
    rows = [token(1, **FULL), token(2, **FULL)]
    ended = waiver("PRM001", id="W-7", token=token(2)["token_id"], expires=LAST_DAY)
    audit = audited(snapshot(rows), waivers=[ended])

    assert [yes for rule, _, yes in waived(audit) if rule == "PRM001"] == [False, False]
    [expired] = [row for row in audit.findings.records() if row["rule_id"] == "WVR001"]
    assert (expired["token_id"], expired["organization_id"]) == (token(2)["token_id"], ACME)
    assert expired["message"] == (
        "The waiver W-7 of PRM001, approved by ciso@acme.example, expired on 22 Nov 2026 (within a day) and "
        "covered 1 finding."
    )
    assert expired["evidence"]["waiver_id"] == "W-7"
    assert states(audit.decisions.waivers) == [("expired", 1)]


def test_an_expired_waiver_of_a_whole_organization_is_one_finding_on_it() -> None:
    rows = [token(1, **FULL), token(2, **FULL)]
    audit = audited(snapshot(rows), waivers=[waiver("PRM", expires=LAST_DAY)])

    [expired] = [row for row in audit.findings.records() if row["rule_id"] == "WVR001"]
    assert (expired["token_id"], expired["evidence"]["findings"]) == (None, 2)


def test_an_expired_waiver_that_was_renewed_is_no_finding() -> None:
    renewed = [waiver("PRM001", id="old", expires=LAST_DAY), waiver("PRM001", id="new")]
    audit = audited(snapshot([token(1, **FULL)]), waivers=renewed)

    assert waived(audit) == [("PRM001", token(1)["token_id"], True)]
    assert [each.waiver.id for each in audit.decisions.expired] == ["old"]


def test_of_two_waivers_the_one_that_holds_longer_is_named() -> None:
    both = [waiver("PRM001", id="short", expires=date(2026, 11, 30)), waiver("PRM", id="long")]
    audit = audited(snapshot([token(1, **FULL)]), waivers=both)

    assert [row["waiver_id"] for row in audit.findings.records()] == ["long"]


def test_a_waiver_that_may_not_hold_at_the_next_audit_is_soon_to_expire() -> None:
    soon, later = date(2026, 12, 27), date(2026, 12, 28)
    both = [waiver("PRM001", expires=soon), waiver("PRM", expires=later)]
    audit = audited(snapshot([token(1, **FULL)]), waivers=both)

    assert [each.state for each in audit.decisions.waivers] == ["expiring", "active"]
    assert len(audit.decisions.of_state("active", "expiring")) == 2


def test_a_waiver_of_nothing_that_is_there_is_unused() -> None:
    audit = audited(snapshot([token(1)]), waivers=[waiver("PRM001"), waiver("DOC", expires=LAST_DAY)])

    assert states(audit.decisions.waivers) == [("unused", 0), ("unused", 0)]
    assert len(audit.findings) == 0


@pytest.mark.parametrize("status", ["failed", "truncated"])
def test_a_waiver_is_not_called_unused_where_its_organization_was_not_fully_seen(status: str) -> None:
    audit = audited(snapshot([token(1)], [organization(status=status)]), waivers=[waiver("PRM001")])

    assert [each.state for each in audit.decisions.waivers] == ["unjudged"]


def test_a_waiver_is_not_called_unused_where_its_organization_was_not_audited() -> None:
    audit = audited(snapshot([token(1)]), waivers=[waiver("PRM001", BETA)])

    assert [each.state for each in audit.decisions.waivers] == ["unjudged"]


@pytest.mark.parametrize(
    ("status", "rule"), [("truncated", "COV001"), ("unverified", "COV002"), ("mismatch", "COV003"), ("failed", "COV")]
)
@pytest.mark.parametrize("disabled", [[], ["COV"]])
def test_a_waiver_of_coverage_closes_that_gate_and_hides_nothing(status: str, rule: str, disabled: list[str]) -> None:
    collected = snapshot([token(1)], [organization(), organization(BETA, status=status)])
    audit = audited(collected, disable=disabled, waivers=[waiver(rule, BETA)])

    assert (audit.verdict.outcome, audit.verdict.exit_code) == ("pass", ExitCode.OK)
    assert (audit.verdict.not_seen, audit.verdict.accepted) == ((BETA,), (BETA,))
    assert [each.state for each in audit.decisions.waivers] == ["active"]


@pytest.mark.parametrize(
    "said",
    [
        {"rule": "COV001"},
        {"rule": "COV005"},
        {"rule": "COV004", "organization": ACME},
        {"rule": "COV004", "expires": LAST_DAY},
        {"rule": "COV004", "token": "f" * 16},
    ],
)
def test_another_waiver_does_not_close_the_coverage_gate(said: dict[str, Any]) -> None:
    collected = snapshot([token(1)], [organization(), organization(BETA, status="failed")])
    audit = audited(collected, waivers=[waiver("COV004", BETA) | said])

    assert (audit.verdict.outcome, audit.verdict.exit_code) == ("incomplete", ExitCode.INCOMPLETE)


def test_what_one_waiver_accepts_leaves_the_other_organization_incomplete() -> None:
    hidden = [organization(status="failed"), organization(BETA, status="failed")]
    audit = audited(snapshot([], hidden), waivers=[waiver("COV004", BETA)])

    assert audit.verdict.outcome == "incomplete"
    assert (audit.verdict.not_seen, audit.verdict.accepted) == ((ACME, BETA), (BETA,))


def test_a_plan_is_shown_with_its_finding_and_does_not_touch_the_gate() -> None:
    audit = audited(snapshot([token(1, **FULL)]), plans=[plan("PRM001", id="P-1")])

    assert list(audit.findings.frame["plan_id"]) == ["P-1"]
    assert audit.verdict.exit_code == ExitCode.VIOLATIONS
    assert states(audit.decisions.plans) == [("open", 1)]


@pytest.mark.parametrize(("until", "state"), [(LAST_DAY, "overdue"), (LAST_DAY + timedelta(days=1), "open")])
def test_a_plan_is_overdue_after_its_last_day(until: date, state: str) -> None:
    audit = audited(snapshot([token(1, **FULL)]), plans=[plan("PRM001", until=until)])

    assert [each.state for each in audit.decisions.plans] == [state]
    assert [each.state for each in audit.decisions.overdue] == [state] * (state == "overdue")


def test_a_plan_whose_finding_is_gone_is_kept() -> None:
    audit = audited(snapshot([token(1)]), plans=[plan("PRM001", until=LAST_DAY)])

    assert states(audit.decisions.plans) == [("kept", 0)]


TOKENS = [
    token(number, place, **FULL, description=text)
    for number, place, text in [
        (1, ACME, "test"),
        (2, ACME, None),
        (3, BETA, "test"),
        (4, BETA, "Reporting dashboard of team analytics"),
    ]
]
JUDGING = {rule_id: catalogue()[rule_id] for rule_id in ("PRM001", "PRM006", "DOC001", "DOC002", "EXP005", "WVR001")}
decisions = st.lists(
    st.fixed_dictionaries(
        {
            "rule": st.sampled_from(["PRM001", "PRM", "DOC001", "DOC", "INV003", "EXP"]),
            "organization": st.sampled_from([ACME, BETA]),
            "token": st.sampled_from([None, *(row["token_id"] for row in TOKENS), *(f"{n:016x}" for n in (1, 3, 9))]),
            "days": st.sampled_from(
                [
                    {"approved_on": begin, "expires": end}
                    for begin in (date(2026, 6, 1), LAST_DAY, AS_OF.date(), AS_OF.date() + timedelta(days=1))
                    for end in (LAST_DAY - timedelta(days=9), LAST_DAY, AS_OF.date(), date(2026, 12, 31))
                    if begin <= end
                ]
            ),
        }
    ).map(lambda said: said.pop("days") | said),
    max_size=6,
)


@given(written=decisions)
@settings(max_examples=25, deadline=None)
def test_waivers_match_what_a_plain_reading_of_them_says(written: list[dict[str, Any]]) -> None:
    made = [waiver("PRM001") | said | {"id": f"W{number}"} for number, said in enumerate(written)]
    audit = audited(snapshot(TOKENS), waivers=made, catalogue=JUDGING)

    def covers(said: dict[str, Any], row: dict[str, Any]) -> bool:
        return (
            row["rule_id"].startswith(said["rule"])
            and row["organization_id"] == said["organization"]
            and (said["token"] is None or said["token"] in (row["token_id"], row["fingerprint"]))
        )

    rows = [row for row in audit.findings.records() if row["rule_id"] != "WVR001"]
    for row in rows:
        holding = [
            said for said in made if covers(said, row) and said["approved_on"] <= AS_OF.date() <= said["expires"]
        ]
        assert row["waived"] == bool(holding)
        assert row["waiver_id"] == (max(holding, key=lambda said: said["expires"])["id"] if holding else None)
    lapsed = {
        said["id"]
        for said in made
        if said["expires"] <= LAST_DAY and any(covers(said, row) and not row["waived"] for row in rows)
    }
    told = [row["evidence"]["waiver_id"] for row in audit.findings.records() if row["rule_id"] == "WVR001"]
    assert sorted(told) == sorted(lapsed)
    for judged, said in zip(audit.decisions.waivers, made, strict=True):
        assert judged.findings == sum(covers(said, row) for row in rows)
